"""What has changed since an earlier verification: read from its report.json, told check by check. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from goldfleet.verify.model import CheckOutcome, HostResult

BAD = frozenset({CheckOutcome.FAILED.value, CheckOutcome.ERROR.value})


@dataclass(frozen=True)
class Earlier:
    """An earlier verification: its run, and the outcome of each check by host; hosts without checks have none."""

    run: str
    outcomes: Mapping[str, Mapping[str, str]]
    images: frozenset[str]


@dataclass(frozen=True)
class Turned:
    """A check that came to something else than before on hosts that were there both times."""

    check: str
    before: str
    now: str
    hosts: tuple[str, ...]

    @property
    def is_worse(self) -> bool:
        """Tell whether it went wrong where it did not before."""
        return self.now in BAD and self.before not in BAD


@dataclass(frozen=True)
class Shifted:
    """A check that goes wrong on another share of the hosts than before: bad hosts and all hosts, then and now."""

    check: str
    bad_before: int
    all_before: int
    bad_now: int
    all_now: int


@dataclass(frozen=True)
class Changes:
    """What has changed since an earlier run; `shifted` is about all hosts, whether they were there both times or not."""

    run: str
    images: tuple[str, ...]
    turned: tuple[Turned, ...] = ()
    shifted: tuple[Shifted, ...] = ()
    appeared: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()

    @property
    def is_none(self) -> bool:
        """Tell whether nothing has changed."""
        return not (self.turned or self.shifted or self.appeared or self.gone)


def read_earlier(run: str, document: Mapping[str, Any]) -> Earlier:
    """Return the verification that a report.json tells of.

    Raises ValueError when it is none, or of another format.
    """
    try:
        checks = [(str(check["name"]), str(check["outcome"])) for check in document["checks"]]
        rows = {_name(host["instance_id"], host["host"]): host["checks"] for host in document["hosts"]}
        outcomes = {name: dict(checks[number] for number in row) for name, row in rows.items()}
        return Earlier(run, outcomes, frozenset(host["image_id"] for host in document["hosts"] if host["image_id"]))
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"no report of a verification: {error!r}") from error


def changes(earlier: Earlier, hosts: Sequence[HostResult]) -> Changes:
    """Return what has changed since then."""
    now = {
        _name(host.instance_id, host.host): {check.name: check.outcome.value for check in host.checks} for host in hosts
    }
    return Changes(
        earlier.run,
        tuple(sorted(earlier.images)),
        _turned(earlier.outcomes, now),
        _shifted(earlier.outcomes, now),
        tuple(name for name in now if name not in earlier.outcomes),
        tuple(name for name in earlier.outcomes if name not in now),
    )


def _turned(before: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]]) -> tuple[Turned, ...]:
    found: dict[tuple[str, str, str], list[str]] = {}
    for name in before.keys() & now.keys():
        for check, outcome in now[name].items():
            if (was := before[name].get(check, outcome)) != outcome:
                found.setdefault((check, was, outcome), []).append(name)
    turned = [Turned(*key, tuple(sorted(names))) for key, names in found.items()]
    return tuple(sorted(turned, key=lambda one: (not one.is_worse, -len(one.hosts), one.check, one.before)))


def _shifted(before: Mapping[str, Mapping[str, str]], now: Mapping[str, Mapping[str, str]]) -> tuple[Shifted, ...]:
    then, today = _counted(before.values()), _counted(now.values())
    found = (Shifted(check, *then[check], *today[check]) for check in then.keys() & today.keys())
    differ = [one for one in found if one.bad_before * one.all_now != one.bad_now * one.all_before]
    return tuple(
        sorted(differ, key=lambda one: (one.bad_before * one.all_now - one.bad_now * one.all_before, one.check))
    )


def _counted(hosts: Iterable[Mapping[str, str]]) -> dict[str, tuple[int, int]]:
    """Return, by check, on how many hosts it went wrong, and on how many it was run."""
    bad: Counter[str] = Counter()
    run: Counter[str] = Counter()
    for outcomes in hosts:
        run.update(outcomes.keys())
        bad.update(check for check, outcome in outcomes.items() if outcome in BAD)
    return {check: (bad[check], number) for check, number in run.items()}


def _name(instance_id: str, address: str) -> str:
    return instance_id or address
