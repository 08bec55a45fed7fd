"""Judges the tests of a suite for many servers, each test once for each distinct set of answers that it looks at."""

from collections import Counter
from collections.abc import Callable, Sequence
from time import perf_counter

import pytest
import testinfra.host

from goldfleet.verify.model import CheckOutcome, CheckResult
from goldfleet.verify.specs.attempt import Attempt, attempt
from goldfleet.verify.specs.backend import GoldfleetBackend
from goldfleet.verify.specs.collected import ChangesSomething, Collected, NotYetAsked, ServerLostError
from goldfleet.verify.specs.names import check_names, is_marked_live
from goldfleet.verify.specs.outcomes import conclude
from goldfleet.verify.specs.traces import Traces, UnstableError

WAITS, LIVE = -1, -2
"""In the place of a check's number: its test wants to know more first; its test asks for itself."""

SHOWN_WHOLE = 2
"""How many distinct failures of a test are shown as pytest shows them, which takes most of the time."""

HOST = "_testinfra_host"


class Judge:
    """Runs tests that were collected for one server as tests of any, and shares what they came to.

    What a test came to is kept in `checks`, and called by its number there.
    """

    def __init__(
        self, items: Sequence[pytest.Function], collected: Collected, backend: Callable[[str], GoldfleetBackend],
        *, is_shared: bool = True,
    ) -> None:  # fmt: skip
        self._items = items
        self.names = check_names(items)
        self._collected = collected
        self._backend = backend
        self._is_shared = is_shared
        self._traces: list[Traces[int]] = [Traces() for _ in items]
        self._unstable: set[int] = set()
        self._numbers: dict[tuple[int, CheckOutcome, str], int] = {}
        self._failures: Counter[int] = Counter()
        self.checks: list[CheckResult] = []
        self.evaluated = 0
        self.changing: dict[str, str] = {}
        """Tests that would change their server, with the command that says so."""

    @property
    def unstable(self) -> list[str]:
        """Return the tests that were seen to look at something else though they were told the same.

        Since then their verdicts are not shared; that they are such is seen only where one is run again.
        """
        return [self.names[number] for number in sorted(self._unstable)]

    def judge(self, server: str, known: Sequence[int] = ()) -> list[int]:
        """Return what each test comes to for a server: the number of a check, WAITS or LIVE.

        `known` is what an earlier call returned; only what waited there is judged again.
        Raises ServerLostError when a command had to be asked now and the server does not answer.
        """
        row = self._collected.table.row(server)
        verdicts = list(known) or [WAITS] * len(self._items)
        for number, verdict in enumerate(verdicts):
            if verdict == WAITS:
                found = self._traces[number].find(row) if self._is_shared else None
                verdicts[number] = self._run(number, server) if found is None else found
        return verdicts

    def add(self, check: CheckResult) -> int:
        """Keep a result that no test came to, and return its number."""
        self.checks.append(check)
        return len(self.checks) - 1

    def judge_alone(self, number: int, server: str) -> int:
        """Return what one test comes to that is run for this server alone."""
        return self._keep(number, self._attempt(number, server))

    def _run(self, number: int, server: str) -> int:
        item = self._items[number]
        if is_marked_live(item):
            return LIVE
        attempted = self._attempt(number, server)
        stopped = self._collected.stopped
        if isinstance(stopped, NotYetAsked):
            return WAITS
        if isinstance(stopped, ChangesSomething):
            self.changing.setdefault(self.names[number], str(stopped))
        verdict = self._keep(number, attempted) if stopped is None else LIVE
        if number not in self._unstable:
            try:
                self._traces[number].add(list(self._collected.looked.items()), verdict)
            except UnstableError:
                self._unstable.add(number)
                self._traces[number] = Traces()
        return verdict

    def _attempt(self, number: int, server: str) -> Attempt:
        self.evaluated += 1
        collected, item = self._collected, self._items[number]
        collected.begin_test()
        if (callspec := getattr(item, "callspec", None)) and HOST in callspec.params:
            # A host of its own: whatever a test keeps by host, it has looked at itself.
            callspec.params[HOST] = testinfra.host.Host(self._backend(server))
        attempted = attempt(item, lambda: collected.stopped is None)
        if isinstance(collected.stopped, ServerLostError):
            raise collected.stopped
        return attempted

    def _keep(self, number: int, attempted: Attempt) -> int:
        began = perf_counter()
        conclusion = conclude(self._items[number], attempted, is_whole=self._failures[number] < SHOWN_WHOLE)
        key = (number, conclusion.outcome, conclusion.message)
        if key not in self._numbers:
            self._numbers[key] = len(self.checks)
            self._failures[number] += conclusion.outcome is not CheckOutcome.PASSED
            seconds = sum(call.duration for call in attempted.calls) + perf_counter() - began
            self.checks.append(
                CheckResult(self.names[number], conclusion.outcome, seconds, conclusion.message, conclusion.detail)
            )
        return self._numbers[key]
