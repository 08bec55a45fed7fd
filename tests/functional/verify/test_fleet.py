"""Many instances at once, with checks that answer as they are told to; the reports are real files."""

import dataclasses
import json
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from goldfleet import tags
from goldfleet.errors import AwsError, RefusedError, StoppedError
from goldfleet.stop import StopFlag
from goldfleet.transport.model import Cost
from goldfleet.verify.fleet import FleetChecks, WantedSource, World
from goldfleet.verify.job import Job, JobResults, ServerChecks, Spent
from goldfleet.verify.job_process import Specs
from goldfleet.verify.model import CheckOutcome, CheckResult
from goldfleet.verify.reach import HOST_KEY_SECONDS, Login, SshReach
from goldfleet.verify.reports import Reporting, report_folder
from goldfleet.verify.variables import encode_variables
from tests.doubles.clock import VirtualClock
from tests.doubles.machines import RunningMachines, machines_of
from tests.doubles.parameters import InMemoryParameters

PASSED = CheckResult("test_x::test_y", CheckOutcome.PASSED, 0.1)


class JobsThatPass:
    """Every check of every server passes; remembers the jobs, and with which specs."""

    def __init__(self) -> None:
        self.done: dict[str, Specs] = {}
        self.jobs: list[Job] = []

    def run(self, job: Job, specs: Specs, on_line: Callable[[str], None]) -> JobResults:
        on_line("checking")
        self.jobs.append(job)
        self.done.update(dict.fromkeys(job.servers, specs))
        return self.answer(job)

    def answer(self, job: Job) -> JobResults:
        return JobResults({name: ServerChecks((PASSED,)) for name in job.servers}, Spent(Cost(1, 1, 500, 500), 3, 2, 1))


class JobsThatWaitForEachOther(JobsThatPass):
    """Each ends only when two are being done."""

    def __init__(self) -> None:
        super().__init__()
        self._barrier = threading.Barrier(2)

    def answer(self, job: Job) -> JobResults:
        self._barrier.wait(10)
        return super().answer(job)


class JobsThatEndEarly(JobsThatPass):
    """Only the first server of a job is judged; `failure` says why."""

    def __init__(self, failure: str = "", stop: StopFlag | None = None) -> None:
        super().__init__()
        self._failure = failure
        self._stop = stop

    def answer(self, job: Job) -> JobResults:
        if self._stop is not None:
            self._stop.set("SIGINT")
        return JobResults({next(iter(job.servers)): ServerChecks((PASSED,))}, failure=self._failure)


class JobsThatFind(JobsThatPass):
    """Ends with what it was told to find."""

    def __init__(self, results: JobResults) -> None:
        super().__init__()
        self._results = results

    def answer(self, job: Job) -> JobResults:
        return self._results


class Bench:
    """A fleet's checks with everything outside in memory but the reports."""

    def __init__(
        self, folder: Path, machines: RunningMachines, jobs: JobsThatPass | None = None, way: Job | None = None
    ) -> None:
        self._way = way or Job(first=("true",))
        self.machines = machines
        self.parameters = InMemoryParameters()
        self.stop = StopFlag()
        self.clock = VirtualClock()
        self.lines: list[tuple[str, str]] = []
        self.folder = report_folder(folder, "run-1")
        self.use(jobs or JobsThatPass())

    def use(self, jobs: JobsThatPass) -> None:
        """Have these do the jobs."""
        self.jobs = jobs
        wanted = WantedSource(self.parameters, ("app",), {"x": "today"})
        reach = SshReach(Login("admin", "", Path("/no/such/file")), self.machines, self.clock)
        world = World(self.machines, wanted, reach, jobs)
        self.checks = FleetChecks(
            world, Specs(Path("/specs"), Path("/")), self._way, Reporting(self.folder, "web"), self.stop
        )

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
    assert bench.lines == [
        ("ami-1", "checking"),
        (
            "ami-1",
            "3 commands in 2 rounds: 1 connections, 1 sessions, 1 kB; connected in 0.0 s, asked in 0.0 s, 1 tests judged in "
            "0.0 s",
        ),
        ("i-1", "good: 1 checks in 0.0 s"),
    ]


def test_servers_of_one_image_are_checked_by_one_job(tmp_path: Path) -> None:
    bench = Bench(tmp_path, machines_of("i-1", "i-2", "i-3"))
    bench.check("i-1", "i-2", "i-3")
    (job,) = bench.jobs.jobs
    assert {name: host.address for name, host in job.servers.items()} == {
        "i-1": "10.0.0.1",
        "i-2": "10.0.0.2",
        "i-3": "10.0.0.3",
    }
    assert job.first == ("true",)


def test_images_are_checked_side_by_side(tmp_path: Path) -> None:
    machines = machines_of("i-1")
    machines.known.update(machines_of("i-2", image_id="ami-2").known)
    assert Bench(tmp_path, machines, JobsThatWaitForEachOther()).check("i-1", "i-2") == ["i-1 good", "i-2 good"]


def test_each_is_checked_with_the_variables_of_its_own_image(tmp_path: Path) -> None:
    machines = machines_of("i-1")
    machines.known.update(machines_of("i-2", image_id="ami-2").known)
    bench = Bench(tmp_path, machines)
    bench.parameters.put(tags.variables_parameter("app", "ami-2"), encode_variables([{"x": "then"}]))
    bench.check("i-1", "i-2")
    assert (bench.jobs.done["i-1"].variables, bench.jobs.done["i-1"].marker) == ({"x": "today"}, "not golden")
    assert (bench.jobs.done["i-2"].variables, bench.jobs.done["i-2"].marker) == ({"x": "then"}, "")


def test_parameters_and_instances_are_asked_for_in_calls_that_aws_takes(tmp_path: Path) -> None:
    machines = machines_of()
    for number in range(201):
        machines.known.update(machines_of(f"i-{number}", image_id=f"ami-{number % 11}").known)
    bench = Bench(tmp_path, machines)
    assert len(bench.check(*machines.known)) == 201
    assert bench.machines.calls == ["DescribeInstances"] * 2
    assert bench.parameters.calls == ["GetParameters"] * 2


def test_server_without_host_keys_is_waited_for_while_the_others_are_checked(tmp_path: Path) -> None:
    machines = machines_of("i-1", "i-2")
    machines.silent = ("i-2",)
    bench = Bench(tmp_path, machines)
    assert bench.check("i-1", "i-2") == ["i-1 good", "i-2 unreachable"]
    assert ("i-2", "waiting for host keys") in bench.lines
    assert bench.clock.seconds == HOST_KEY_SECONDS
    assert [tuple(job.servers) for job in bench.jobs.jobs] == [("i-1",)]


def test_instance_that_aws_does_not_know_is_a_verdict(tmp_path: Path) -> None:
    bench = Bench(tmp_path, machines_of())
    assert bench.check("i-9") == ["i-9 unreachable"]
    assert bench.reported() == ["i-9"]


def test_no_instance_at_all_is_no_proof_and_no_call(tmp_path: Path) -> None:
    bench = Bench(tmp_path, machines_of())
    assert not bench.checks.check((), lambda *_: None).is_good
    assert bench.machines.calls == []


def test_trouble_of_a_server_is_its_verdict(tmp_path: Path) -> None:
    found = JobResults({"i-1": ServerChecks(trouble="SSH is closed"), "i-2": ServerChecks((PASSED,))}, Spent())
    bench = Bench(tmp_path, machines_of("i-1", "i-2"), JobsThatFind(found))
    assert bench.check("i-1", "i-2") == ["i-1 unreachable", "i-2 good"]
    assert ("i-1", "unreachable: SSH is closed") in bench.lines


def test_server_that_was_terminated_meanwhile_is_told_apart(tmp_path: Path) -> None:
    machines = machines_of("i-1", "i-2", "i-3")

    class JobsDuringWhichSomeGo(JobsThatPass):
        def answer(self, job: Job) -> JobResults:
            machines.known["i-1"] = dataclasses.replace(machines.known["i-1"], state="shutting-down")
            del machines.known["i-2"]
            return JobResults(dict.fromkeys(job.servers, ServerChecks(trouble="the connection was lost")), Spent())

    bench = Bench(tmp_path, machines, JobsDuringWhichSomeGo())
    bench.check("i-1", "i-2", "i-3")
    assert [host.unreachable for host in bench.checks.verdict.hosts] == [
        "gone during the checks: the instance is shutting-down (the connection was lost)",
        "gone during the checks: the instance is not known to AWS any more (the connection was lost)",
        "the connection was lost",
    ]


def test_verdict_that_was_shared_wrongly_is_no_proof(tmp_path: Path) -> None:
    found = JobResults({"i-1": ServerChecks((PASSED,))}, Spent(), ("a remark",), ("i-1: differs",))
    bench = Bench(tmp_path, machines_of("i-1"), JobsThatFind(found))
    bench.check("i-1")
    document = json.loads((bench.folder / "report.json").read_text())
    assert (document["good"], document["remarks"], document["differing"]) == (False, ["a remark"], ["i-1: differs"])


def test_specs_that_could_not_be_run_to_their_end_are_told_and_what_was_found_counts(tmp_path: Path) -> None:
    bench = Bench(tmp_path, machines_of("i-1", "i-2"), JobsThatEndEarly("not done within 1 s"))
    assert bench.check("i-1", "i-2") == ["i-1 good", "i-2 not checked"]
    assert bench.checks.verdict.hosts[1].not_run == "not done within 1 s"


def test_run_that_ends_with_the_first_bad_server_says_so_of_the_others(tmp_path: Path) -> None:
    machines = machines_of("i-1", "i-2")
    machines.known.update(machines_of("i-3", image_id="ami-2").known)
    found = JobResults({"i-1": ServerChecks(trouble="SSH is closed")}, Spent())
    bench = Bench(tmp_path, machines, JobsThatFind(found), Job(fails_fast=True))
    bench.check("i-1", "i-2")
    bench.check("i-3")
    assert [host.unreachable or host.not_run for host in bench.checks.verdict.hosts] == [
        "SSH is closed",
        "the run ended with the first server that is not good (--fail-fast)",
        "the run ended with the first server that is not good (--fail-fast)",
    ]
    assert len(bench.jobs.jobs) == 1


def test_run_that_ends_with_the_first_bad_server_waits_for_no_host_keys(tmp_path: Path) -> None:
    machines = machines_of("i-1", "i-2")
    machines.silent = ("i-2",)
    found = JobResults({"i-1": ServerChecks(trouble="SSH is closed")}, Spent())
    bench = Bench(tmp_path, machines, JobsThatFind(found), Job(fails_fast=True))
    assert bench.check("i-1", "i-2") == ["i-1 unreachable", "i-2 not checked"]
    assert bench.clock.seconds == 0


def test_error_of_aws_after_a_job_keeps_what_the_job_found(tmp_path: Path) -> None:
    machines = machines_of("i-1", "i-2")

    class JobsBeforeAwsFails(JobsThatPass):
        def answer(self, job: Job) -> JobResults:
            machines.fault = AwsError("throttled")
            return JobResults({"i-1": ServerChecks((PASSED,)), "i-2": ServerChecks(trouble="SSH is closed")}, Spent())

    bench = Bench(tmp_path, machines, JobsBeforeAwsFails())
    with pytest.raises(AwsError, match="throttled"):
        bench.check("i-1", "i-2")
    assert [host.verdict for host in bench.checks.verdict.hosts] == ["good", "unreachable"]


def test_stop_keeps_what_was_found(tmp_path: Path) -> None:
    bench = Bench(tmp_path, machines_of("i-1", "i-2"))
    bench.use(JobsThatEndEarly(stop=bench.stop))
    with pytest.raises(StoppedError, match="Stopped by SIGINT"):
        bench.check("i-1", "i-2")
    assert bench.reported() == ["i-1"]
    assert [host.instance_id for host in bench.checks.verdict.hosts] == ["i-1"]


def test_error_of_aws_about_one_is_raised_and_the_others_are_kept(tmp_path: Path) -> None:
    machines = machines_of("i-1", "i-2", "i-3")
    machines.faults = {"i-2": AwsError("throttled")}
    bench = Bench(tmp_path, machines)
    with pytest.raises(AwsError, match="throttled"):
        bench.check("i-1", "i-2", "i-3")
    assert bench.reported() == ["i-1", "i-3"]


def test_run_that_did_not_come_to_its_end_is_no_proof(tmp_path: Path) -> None:
    bench = Bench(tmp_path, machines_of("i-1", "i-2"))
    bench.use(JobsThatEndEarly(stop=bench.stop))
    with pytest.raises(StoppedError):
        bench.check("i-1", "i-2")
    verdict = bench.checks.verdict
    assert (verdict.is_good, verdict.missing) == (False, ("i-2",))
    document = json.loads((bench.folder / "report.json").read_text())
    assert (document["good"], document["missing"], document["whole"]) == (False, ["i-2"], False)


@pytest.mark.parametrize(
    ("failure", "why"), [("not done within 1 s", "not done within 1 s"), ("", "the run was stopped before")]
)
def test_proof_that_did_not_come_to_its_end_is_none(tmp_path: Path, failure: str, why: str) -> None:
    found = JobResults({"i-1": ServerChecks((PASSED,))}, failure=failure)
    bench = Bench(tmp_path, machines_of("i-1"), JobsThatFind(found), Job(is_proven=True))
    assert bench.check("i-1") == ["i-1 not checked"]
    assert bench.checks.verdict.hosts[0].not_run.startswith(why)


def test_stop_before_the_first_checks_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path, machines_of("i-1"))
    bench.stop.set("SIGTERM")
    with pytest.raises(StoppedError, match="Stopped by SIGTERM"):
        bench.check("i-1")
    assert bench.jobs.jobs == []


def test_reports_of_one_run_grow_with_each_check(tmp_path: Path) -> None:
    bench = Bench(tmp_path, machines_of("i-1", "i-2"))
    threads = [threading.Thread(target=bench.check, args=(one,)) for one in ("i-1", "i-2", "i-1")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bench.reported() == ["i-1", "i-2"]
    assert {file.name for file in bench.folder.iterdir()} == {"junit.xml", "report.json"}


def test_report_folder_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".goldfleet").write_text("a file")
    with pytest.raises(RefusedError, match="Reports could not be written to"):
        report_folder(tmp_path, "run-1")
