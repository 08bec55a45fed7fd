"""The page of a verification: one HTML file that needs no network. It leads with the verdict and with what differs.

Below is every result, as a matrix that the page draws itself: checks down, hosts across, the odd ones first.
"""

import json
from collections import Counter
from dataclasses import dataclass
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from goldfleet.verify.changes import Changes
from goldfleet.verify.differences import Difference, differences
from goldfleet.verify.model import CheckOutcome, HostResult, Verdict

MOST_DIFFERENCES = 30
MOST_NAMED = 12
MOST_ANSWERS = 4
_CODES = {CheckOutcome.PASSED: 0, CheckOutcome.SKIPPED: 1, CheckOutcome.FAILED: 2, CheckOutcome.ERROR: 3}
NOT_RUN = 4
"""In the place of an outcome's code: the host was not reached, or has no such check."""


@dataclass(frozen=True)
class Subject:
    """What was verified: a group's name or the like, when (as people read it), what that took, what has changed since.

    `left_out` are servers that were not to be checked, each with the reason.
    """

    name: str
    when: str
    cost: str = ""
    changes: tuple[Changes, ...] = ()
    left_out: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class NotProven:
    """Hosts that could not be checked, by what was said of them."""

    verdict: str
    why: str
    hosts: tuple[HostResult, ...]


def render(verdict: Verdict, subject: Subject) -> str:
    """Return the page."""
    environment = Environment(
        loader=PackageLoader("goldfleet.verify"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    found = differences(verdict.hosts)
    return environment.get_template("page.html.j2").render(
        subject=subject,
        verdict=verdict,
        headline=headline(verdict),
        summary=summary(verdict),
        differences=found[:MOST_DIFFERENCES],
        more_differences=max(0, len(found) - MOST_DIFFERENCES),
        told=told,
        left_out=left_out(subject),
        not_proven=not_proven(verdict),
        most_named=MOST_NAMED,
        most_differences=MOST_DIFFERENCES,
        most_answers=MOST_ANSWERS,
        counts={outcome.value: verdict.count(outcome) for outcome in CheckOutcome},
        # In a script element the end of an element is the one thing that must not be spelt out.
        matrix=json.dumps(matrix(verdict), separators=(",", ":")).replace("<", "\\u003c"),
    )


def headline(verdict: Verdict) -> str:
    """Return the verdict in one sentence."""
    proven, total = sum(host.is_good for host in verdict.hosts), len(verdict.hosts)
    if not total:
        return "No server was verified"
    if verdict.missing:
        return f"The run did not come to its end: {total:,} of {total + len(verdict.missing):,} servers were checked"
    if proven == total and verdict.differing:
        return (
            "1 shared verdict does not hold"
            if len(verdict.differing) == 1
            else f"{len(verdict.differing):,} shared verdicts do not hold"
        )
    if proven == total:
        return "The server is proven" if total == 1 else f"All {total:,} servers are proven"
    return f"{total - proven:,} of {total:,} servers {'is' if total - proven == 1 else 'are'} not proven"


def summary(verdict: Verdict) -> str:
    """Return how many hosts have each verdict."""
    counts = Counter(host.verdict for host in verdict.hosts)
    return ", ".join(f"{number:,} {name}" for name, number in sorted(counts.items(), key=lambda one: -one[1]))


def left_out(subject: Subject) -> dict[str, list[str]]:
    """Return the servers that were not to be checked, by the reason."""
    found: dict[str, list[str]] = {}
    for name, why in subject.left_out:
        found.setdefault(why, []).append(name)
    return found


def told(difference: Difference) -> str:
    """Return in one sentence who agrees and who does not."""
    agree, odd = len(difference.common.hosts), sum(len(answer.hosts) for answer in difference.others)
    if not odd:
        return f"{difference.common.result.outcome.value} on all {agree:,}"
    differ = "1 differs" if odd == 1 else f"{odd:,} differ"
    return f"{agree:,} of {agree + odd:,} agree ({difference.common.result.outcome.value}); {differ}"


def not_proven(verdict: Verdict) -> tuple[NotProven, ...]:
    """Return the hosts that could not be checked, those of which the same is said together."""
    groups: dict[tuple[str, str], list[HostResult]] = {}
    for host in verdict.hosts:
        if why := host.unreachable or host.not_run:
            groups.setdefault((host.verdict, why.replace(host.host, "…") if host.host else why), []).append(host)
    ranked = sorted(groups.items(), key=lambda one: -len(one[1]))
    return tuple(NotProven(name, why, tuple(hosts)) for (name, why), hosts in ranked)


def matrix(verdict: Verdict) -> dict[str, Any]:
    """Return every result for the page's script: hosts that agree share a row of numbers, each of a distinct result."""
    numbers: dict[int, int] = {}
    results: list[list[Any]] = []
    names: dict[str, int] = {}
    rows: dict[int, int] = {}
    listed: list[list[int]] = []
    for host in verdict.hosts:
        if id(host.checks) in rows:
            continue
        for check in host.checks:
            if id(check) not in numbers:
                numbers[id(check)] = len(results)
                place = names.setdefault(check.name, len(names))
                results.append([place, _CODES[check.outcome], check.message, round(check.seconds * 1000, 2)])
        rows[id(host.checks)] = len(listed)
        listed.append([numbers[id(check)] for check in host.checks])
    return {
        "checks": list(names),
        "results": results,
        "rows": listed,
        "hosts": [
            [
                host.instance_id or host.host,
                host.host,
                host.image_id,
                rows[id(host.checks)],
                host.unreachable or host.not_run,
            ]
            for host in verdict.hosts
        ],
    }
