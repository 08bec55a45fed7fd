"""Writes one JUnit file for a whole fleet: a suite a host, each check's class name led by the host's. Pure.

Readers of JUnit files tell checks apart by class and name; so the host is part of the class name, and a host with no
login is one failed check of its own. The text is put together without a tree: a fleet's file may have a million cases, and
hosts that agree share nearly all of it.
"""

import re
from collections.abc import Iterator
from xml.sax.saxutils import escape, quoteattr

from goldfleet.verify.model import CheckOutcome, CheckResult, HostResult, Verdict

_TAGS = {CheckOutcome.FAILED: "failure", CheckOutcome.ERROR: "error", CheckOutcome.SKIPPED: "skipped"}
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document may hold. Source: XML 1.0, section 2.2."""


def junit_parts(verdict: Verdict) -> Iterator[str]:
    """Yield the parts of the JUnit file of a verdict's hosts."""
    yield '<?xml version="1.0" encoding="utf-8"?>\n<testsuites name="goldfleet verify">\n'
    cases: dict[int, list[str]] = {}  # what follows the host's name in each case, by the hosts that agree
    for host in verdict.hosts:
        checks = (*host.checks, *_without_a_verdict(host))
        key = id(host.checks) if len(checks) == len(host.checks) else id(host)
        if key not in cases:
            cases[key] = [_case(check) for check in checks]
        yield _suite(host, checks)
        start = f'    <testcase classname="{_inside(host.instance_id or host.host)}'
        yield "".join(f"{start}{case}" for case in cases[key])
        yield "  </testsuite>\n"
    if verdict.differing:
        checks = tuple(CheckResult(f"goldfleet::{line}", CheckOutcome.FAILED, 0.0, line) for line in verdict.differing)
        yield _suite(HostResult("", checks, instance_id="prove"), checks)
        yield "".join(f'    <testcase classname="prove{_case(check)}' for check in checks)
        yield "  </testsuite>\n"
    yield "</testsuites>\n"


def build_junit(verdict: Verdict) -> str:
    """Return the JUnit file of a verdict's hosts."""
    return "".join(junit_parts(verdict))


def _suite(host: HostResult, checks: tuple[CheckResult, ...]) -> str:
    counted = {
        "tests": len(checks),
        "failures": _count(checks, CheckOutcome.FAILED),
        "errors": _count(checks, CheckOutcome.ERROR),
        "skipped": _count(checks, CheckOutcome.SKIPPED),
    }
    counts = " ".join(f'{name}="{number}"' for name, number in counted.items())
    properties = (("instance_id", host.instance_id), ("image_id", host.image_id), ("note", host.note))
    return (
        f"  <testsuite name={_quoted(host.instance_id or host.host)} hostname={_quoted(host.host)} {counts} "
        f'time="{host.seconds:.3f}">\n    <properties>\n'
        + "".join(f'      <property name="{name}" value={_quoted(value)}/>\n' for name, value in properties)
        + "    </properties>\n"
    )


def _case(check: CheckResult) -> str:
    """Return a case after the host's name, which its class name begins with."""
    module, _, name = check.name.partition("::")
    start = f'.{_inside(module)}" name={_quoted(name)} time="{check.seconds:.3f}"'
    tag = _TAGS.get(check.outcome)
    if tag is None:
        return f"{start}/>\n"
    body = f">{escape(_xml(check.detail))}</{tag}>" if check.detail else "/>"
    return f"{start}>\n      <{tag} message={_quoted(check.message)}{body}\n    </testcase>\n"


def _without_a_verdict(host: HostResult) -> tuple[CheckResult, ...]:
    """Return one error for a host that could not be checked; () for all others."""
    if host.unreachable:
        return (CheckResult("goldfleet::reachable", CheckOutcome.ERROR, 0.0, host.unreachable),)
    if host.verdict == "not checked":
        return (CheckResult("goldfleet::checked", CheckOutcome.ERROR, 0.0, host.not_run or "no check passed"),)
    return ()


def _count(checks: tuple[CheckResult, ...], outcome: CheckOutcome) -> int:
    return sum(check.outcome is outcome for check in checks)


def _quoted(text: str) -> str:
    """Return a text as an attribute's value, quotes and all."""
    return quoteattr(_xml(text))


def _inside(text: str) -> str:
    """Return a text as a part of an attribute's value between double quotes."""
    return escape(_xml(text), {'"': "&quot;"})


def _xml(text: str) -> str:
    return _NOT_XML.sub("?", text)
