"""Many instances at once, with checks that answer as they are told to; the reports are real files."""

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from goldfleet import tags
from goldfleet.aws.model import Instance
from goldfleet.errors import AwsError, RefusedError, StoppedError
from goldfleet.stop import StopFlag
from goldfleet.verify.fleet import MOST_AT_ONCE, FleetChecks, WantedSource
from goldfleet.verify.model import CheckOutcome, CheckResult, HostResult
from goldfleet.verify.reports import report_folder
from goldfleet.verify.variables import encode_variables
from goldfleet.verify.wanted import Wanted
from tests.doubles.machines import RunningMachines, machines_of
from tests.doubles.parameters import InMemoryParameters

PASSED = CheckResult("test_x::test_y", CheckOutcome.PASSED, 0.1)


class ChecksThatPass:
    """Every check passes; remembers what was wanted of whom, and how many were at work at once."""

    def __init__(self) -> None:
        self.wanted: dict[str, Wanted] = {}
        self.most_at_once = 0
        self._at_work = 0
        self._lock = threading.Lock()

    def check(self, instance: Instance, wanted: Wanted, junit: Path, on_line: Callable[[str], None]) -> HostResult:
        with self._lock:
            self._at_work += 1
            self.most_at_once = max(self.most_at_once, self._at_work)
        on_line("checking")
        self.wanted[instance.instance_id] = wanted
        result = self.answer(instance)
        with self._lock:
            self._at_work -= 1
        return result

    def answer(self, instance: Instance) -> HostResult:
        return HostResult(instance.address, (PASSED,), instance_id=instance.instance_id)


class ChecksThatWaitForEachOther(ChecksThatPass):
    """Ends only when as many as may be at work at once are."""

    def __init__(self) -> None:
        super().__init__()
        self._barrier = threading.Barrier(MOST_AT_ONCE)

    def answer(self, instance: Instance) -> HostResult:
        self._barrier.wait(10)
        return super().answer(instance)


class ChecksThatRaise(ChecksThatPass):
    """Raises an error for i-2, once all others are done."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error

    def answer(self, instance: Instance) -> HostResult:
        if instance.instance_id == "i-2":
            raise self._error
        return super().answer(instance)


class Bench:
    """A fleet's checks with everything outside in memory but the reports."""

    def __init__(self, folder: Path, machines: RunningMachines, hosts: ChecksThatPass | None = None) -> None:
        self.machines = machines
        self.hosts = hosts or ChecksThatPass()
        self.parameters = InMemoryParameters()
        self.stop = StopFlag()
        self.lines: list[tuple[str, str]] = []
        self.folder = report_folder(folder, "run-1")
        wanted = WantedSource(self.parameters, ("app",), {"x": "today"})
        self.checks = FleetChecks(machines, wanted, self.hosts, self.folder, self.stop)

    def check(self, *instance_ids: str) -> list[str]:
        """Check instances and return their verdicts."""
        verdict = self.checks.check(instance_ids, lambda one, line: self.lines.append((one, line)))
        return [f"{host.instance_id} {host.verdict}" for host in verdict.hosts]

    def reported(self) -> list[str]:
        """Return the ids of the instances in report.json."""
        return [host["instance_id"] for host in json.loads((self.folder / "report.json").read_text())["hosts"]]


def test_verdict_is_in_the_order_that_was_asked_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path, machines_of("i-1", "i-2", "i-3"))
    assert bench.check("i-3", "i-1", "i-3") == ["i-3 good", "i-1 good"]
    assert bench.machines.calls == ["DescribeInstances"]


def test_lines_say_whose_they_are(tmp_path: Path) -> None:
    bench = Bench(tmp_path, machines_of("i-1"))
    bench.check("i-1")
    assert bench.lines == [("i-1", "checking"), ("i-1", "good: 1 checks in 0.0 s")]


def test_a_bounded_number_is_checked_at_once(tmp_path: Path) -> None:
    ids = [f"i-{number}" for number in range(2 * MOST_AT_ONCE)]
    bench = Bench(tmp_path, machines_of(*ids), ChecksThatWaitForEachOther())
    bench.check(*ids)
    assert bench.hosts.most_at_once == MOST_AT_ONCE


def test_each_is_checked_with_the_variables_of_its_own_image(tmp_path: Path) -> None:
    machines = machines_of("i-1")
    machines.known.update(machines_of("i-2", image_id="ami-2").known)
    bench = Bench(tmp_path, machines)
    bench.parameters.put(tags.variables_parameter("app", "ami-2"), encode_variables([{"x": "then"}]))
    bench.check("i-1", "i-2")
    assert (bench.hosts.wanted["i-1"].variables, bench.hosts.wanted["i-1"].is_golden) == ({"x": "today"}, False)
    assert (bench.hosts.wanted["i-2"].variables, bench.hosts.wanted["i-2"].is_golden) == ({"x": "then"}, True)


def test_parameters_and_instances_are_asked_for_in_calls_that_aws_takes(tmp_path: Path) -> None:
    machines = machines_of()
    for number in range(201):
        machines.known.update(machines_of(f"i-{number}", image_id=f"ami-{number % 11}").known)
    bench = Bench(tmp_path, machines)
    assert len(bench.check(*machines.known)) == 201
    assert bench.machines.calls == ["DescribeInstances"] * 2
    assert bench.parameters.calls == ["GetParameters"] * 2


def test_instance_that_aws_does_not_know_reaches_the_checks_without_a_state(tmp_path: Path) -> None:
    bench = Bench(tmp_path, machines_of())
    bench.check("i-9")
    assert bench.reported() == ["i-9"]


def test_no_instance_at_all_is_no_proof_and_no_call(tmp_path: Path) -> None:
    bench = Bench(tmp_path, machines_of())
    assert not bench.checks.check((), lambda *_: None).is_good
    assert bench.machines.calls == []


@pytest.mark.parametrize(
    "error", [StoppedError("Stopped by SIGINT."), AwsError("throttled")], ids=["stopped", "AWS failed"]
)
def test_error_of_one_is_raised_and_the_others_are_kept(tmp_path: Path, error: Exception) -> None:
    bench = Bench(tmp_path, machines_of("i-1", "i-2", "i-3"), ChecksThatRaise(error))
    with pytest.raises(type(error), match=str(error)):
        bench.check("i-1", "i-2", "i-3")
    assert bench.reported() == ["i-1", "i-3"]
    assert [host.instance_id for host in bench.checks.verdict.hosts] == ["i-1", "i-3"]


def test_stop_before_the_first_checks_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, machines_of("i-1"))
    bench.stop.set("SIGTERM")
    with pytest.raises(StoppedError, match="Stopped by SIGTERM"):
        bench.check("i-1")
    assert bench.hosts.wanted == {}


def test_reports_of_one_run_grow_with_each_check(tmp_path: Path) -> None:
    bench = Bench(tmp_path, machines_of("i-1", "i-2"))
    threads = [threading.Thread(target=bench.check, args=(one,)) for one in ("i-1", "i-2", "i-1")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bench.reported() == ["i-1", "i-2"]
    assert {file.name for file in bench.folder.iterdir()} == {"i-1.xml", "i-2.xml", "junit.xml", "report.json"}


def test_report_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".goldfleet").write_text("a file")
    with pytest.raises(RefusedError, match="Reports could not be written to"):
        report_folder(tmp_path, "run-1")
