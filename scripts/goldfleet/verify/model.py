"""What checks said, as frozen values. Pure."""

from collections import Counter
from dataclasses import dataclass, field
from enum import Enum
from functools import cached_property

from goldfleet.transport.model import Cost


class CheckOutcome(Enum):
    """How one check ended."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True)
class CheckResult:
    """One check on one host. `message` is empty unless it failed; `detail` shows a failure as pytest does, or is "".

    Hosts whose answers are alike share one: `seconds` is what it took to come to it, once.
    """

    name: str
    outcome: CheckOutcome
    seconds: float
    message: str = ""
    detail: str = ""


@dataclass(frozen=True)
class HostResult:
    """What the checks said about one host, called by its address.

    `unreachable` says why there was no login, `not_run` why the checks could not be run, or not to their end; both are
    empty otherwise. `note` says what people should know about what was wanted. `seconds` is the whole time it took.
    """

    host: str
    checks: tuple[CheckResult, ...] = ()
    unreachable: str = ""
    instance_id: str = ""
    image_id: str = ""
    not_run: str = ""
    note: str = ""
    seconds: float = 0.0

    def count(self, outcome: CheckOutcome) -> int:
        """Return how many checks ended so."""
        return self._counts[outcome]

    @cached_property
    def _counts(self) -> Counter[CheckOutcome]:
        return Counter(check.outcome for check in self.checks)

    @cached_property
    def bad(self) -> tuple[CheckResult, ...]:
        """Return the checks that failed or could not run."""
        return tuple(check for check in self.checks if check.outcome in (CheckOutcome.FAILED, CheckOutcome.ERROR))

    @property
    def is_good(self) -> bool:
        """Tell whether the host is proven: it was reached, something passed, nothing failed."""
        return not self.unreachable and not self.not_run and not self.bad and self.count(CheckOutcome.PASSED) > 0

    @property
    def verdict(self) -> str:
        """Return good, failed, unreachable or not checked."""
        if self.unreachable:
            return "unreachable"
        if self.not_run:
            return "not checked"
        if self.bad:
            return "failed"
        return "good" if self.is_good else "not checked"


@dataclass(frozen=True)
class Verdict:
    """What the checks said about some hosts; where the reports are; what people should know about how they were checked.

    `differing` are checks whose verdict was shared between hosts, and was another one when they were run by themselves.
    `subject` is what was verified: a group's or an image's name; `is_whole` unless only some of its hosts or specs were.
    `missing` are instances that were to be checked and have no result: the run has not come to its end.
    """

    hosts: tuple[HostResult, ...]
    report_folder: str = ""
    remarks: tuple[str, ...] = ()
    differing: tuple[str, ...] = ()
    cost: Cost = field(default_factory=Cost)
    subject: str = ""
    is_whole: bool = False
    missing: tuple[str, ...] = ()

    @property
    def is_good(self) -> bool:
        """Tell whether every host is proven; no host at all is no proof."""
        return bool(self.hosts) and self.is_good_so_far and not self.differing and not self.missing

    @property
    def is_good_so_far(self) -> bool:
        """Tell whether no host is known that is not good."""
        return all(host.is_good for host in self.hosts)

    def count(self, outcome: CheckOutcome) -> int:
        """Return how many checks ended so, over all hosts."""
        return sum(host.count(outcome) for host in self.hosts)
