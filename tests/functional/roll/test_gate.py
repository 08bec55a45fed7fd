"""The gate runs checks in the background, tells unreachable from failed, and ends with the roll."""

import threading
from collections.abc import Callable, Sequence

import pytest

from goldfleet.clock import SystemClock, wait_until
from goldfleet.errors import AwsError, StoppedError
from goldfleet.roll.gate import VerifyGate, judge
from goldfleet.roll.model import GateResult, GateVerdict
from goldfleet.stop import StopFlag
from goldfleet.verify.model import CheckOutcome, CheckResult, HostResult, Verdict

PASSED = CheckResult("test_base::test_ssh", CheckOutcome.PASSED, 0.1)
FAILED = tuple(CheckResult(f"test_web::test_{name}", CheckOutcome.FAILED, 0.1) for name in "abcd")


class ChecksThatAnswer:
    """Answers with what it is given, or raises it; counts who was checked."""

    def __init__(self, answer: HostResult | Exception) -> None:
        self.answer = answer
        self.checked: list[str] = []

    def check(self, instance_ids: Sequence[str], on_line: Callable[[str, str], None]) -> Verdict:
        self.checked += instance_ids
        if isinstance(self.answer, Exception):
            raise self.answer
        return Verdict((self.answer,))


class ChecksThatWaitForTheStop:
    """Runs until the stop, as checks do that hang on a machine."""

    def __init__(self, stop: StopFlag) -> None:
        self.stop = stop
        self.started = threading.Event()

    def check(self, instance_ids: Sequence[str], on_line: Callable[[str, str], None]) -> Verdict:
        self.started.set()
        self.stop.wait(30)
        raise StoppedError("Stopped by the end of the roll during the checks.")


def result_of(answer: HostResult | Exception) -> GateResult | None:
    gate = VerifyGate(ChecksThatAnswer(answer), StopFlag(), lambda _instance_id, _line: None)
    gate.begin(["i-1"])
    found = wait_until(lambda: gate.results().get("i-1"), SystemClock(), 5)
    gate.close()
    return found


@pytest.mark.parametrize(
    ("answer", "verdict", "why"),
    [
        (HostResult("10.0.0.1", (PASSED,), image_id="ami-2"), GateVerdict.GOOD, ""),
        (HostResult("10.0.0.1", unreachable="port 22"), GateVerdict.UNREACHABLE, "unreachable: port 22"),
        (
            HostResult("10.0.0.1", (PASSED, *FAILED)),
            GateVerdict.FAILED,
            "test_web::test_a, test_web::test_b, test_web::test_c and 1 more",
        ),
        (HostResult("10.0.0.1", not_run="No check was run.\nmore"), GateVerdict.FAILED, "No check was run."),
        (HostResult("10.0.0.1"), GateVerdict.FAILED, "no check ran"),
        (AwsError("AWS could not be reached."), GateVerdict.UNREACHABLE, "AWS could not be reached."),
        (ValueError("x"), GateVerdict.FAILED, "its checks broke: ValueError('x')"),
    ],
    ids=["good", "unreachable", "failed", "not run", "nothing ran", "aws", "bug"],
)
def test_verdict_of_the_checks_becomes_the_gates(
    answer: HostResult | Exception, verdict: GateVerdict, why: str
) -> None:
    found = result_of(answer)
    assert found is not None
    assert (found.verdict, found.why) == (verdict, why)


def test_good_result_tells_the_image() -> None:
    assert judge("i-1", HostResult("10.0.0.1", (PASSED,), image_id="ami-2")).image_id == "ami-2"


def test_instance_that_is_being_checked_is_not_begun_again() -> None:
    stop = StopFlag()
    checks = ChecksThatWaitForTheStop(stop)
    gate = VerifyGate(checks, stop, lambda _instance_id, _line: None)
    gate.begin(["i-1"])
    assert checks.started.wait(5)
    checks.started.clear()
    gate.begin(["i-1"])
    gate.close()
    assert not checks.started.is_set()
    assert gate.results() == {}


def test_instance_that_was_checked_may_be_checked_again() -> None:
    checks = ChecksThatAnswer(HostResult("10.0.0.1", unreachable="port 22"))
    gate = VerifyGate(checks, StopFlag(), lambda _instance_id, _line: None)
    for number in (1, 2):
        gate.begin(["i-1"])
        wait_until(lambda number=number: len(checks.checked) == number or None, SystemClock(), 5)  # type: ignore[misc]
        wait_until(lambda: not gate._running or None, SystemClock(), 5)
    gate.close()
    assert checks.checked == ["i-1", "i-1"]
