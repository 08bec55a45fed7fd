"""What hosts do not agree about: each check with the hosts on which it came to something else than on most. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from goldfleet.verify.model import CheckOutcome, CheckResult, HostResult

BAD = (CheckOutcome.FAILED, CheckOutcome.ERROR)
_RANK = {CheckOutcome.ERROR: 0, CheckOutcome.FAILED: 1, CheckOutcome.SKIPPED: 2, CheckOutcome.PASSED: 3}


@dataclass(frozen=True)
class Answer:
    """What a check came to on some hosts."""

    result: CheckResult
    hosts: tuple[HostResult, ...]


@dataclass(frozen=True)
class Difference:
    """A check that hosts do not agree about, or that went wrong on all of them: the commonest answer, and the others."""

    name: str
    common: Answer
    others: tuple[Answer, ...]

    @property
    def is_bad(self) -> bool:
        """Tell whether it went wrong anywhere."""
        return any(answer.result.outcome in BAD for answer in (self.common, *self.others))


def differences(hosts: Iterable[HostResult]) -> tuple[Difference, ...]:
    """Return what hosts do not agree about and what went wrong on all, the worst and rarest first."""
    by_check: dict[str, dict[tuple[CheckOutcome, str], Answer]] = {}
    gathered: dict[str, dict[tuple[CheckOutcome, str], list[HostResult]]] = {}
    results: dict[tuple[str, CheckOutcome, str], CheckResult] = {}
    for host in hosts:
        for check in host.checks:
            key = (check.outcome, check.message)
            gathered.setdefault(check.name, {}).setdefault(key, []).append(host)
            results.setdefault((check.name, *key), check)
    for name, answers in gathered.items():
        by_check[name] = {key: Answer(results[name, *key], tuple(some)) for key, some in answers.items()}
    found = [one for name, answers in by_check.items() if (one := _difference(name, answers)) is not None]
    return tuple(sorted(found, key=lambda one: (not one.is_bad, _odd_hosts(one), one.name)))


def _difference(name: str, answers: Mapping[tuple[CheckOutcome, str], Answer]) -> Difference | None:
    ranked = sorted(answers.values(), key=lambda one: (-len(one.hosts), -_RANK[one.result.outcome], one.result.message))
    common, others = ranked[0], tuple(ranked[1:])
    if not others and common.result.outcome not in BAD:
        return None
    return Difference(name, common, others)


def _odd_hosts(difference: Difference) -> int:
    return sum(len(answer.hosts) for answer in difference.others)
