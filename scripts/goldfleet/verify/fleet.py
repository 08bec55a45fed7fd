"""Checks many instances at once: those of one image by one job, which asks all of them side by side.

What was found is written after each job, so that nothing is lost when the run is stopped. An instance that shows no host
keys yet is waited for while the others are checked, and has a job of its own.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from time import monotonic
from typing import TypeVar

from pydantic import JsonValue

from goldfleet.aws.model import Instance
from goldfleet.aws.ssm import MOST_NAMES_A_CALL
from goldfleet.stop import StopFlag
from goldfleet.transport.model import Cost, Host
from goldfleet.verify.job import ENDED_FAST, Job, ServerChecks, Spent, checks_of
from goldfleet.verify.job_process import Specs
from goldfleet.verify.model import HostResult, Verdict
from goldfleet.verify.ports import Jobs, Machines, Parameters
from goldfleet.verify.reach import Reach, Unreachable
from goldfleet.verify.reports import Reporting, write_reports
from goldfleet.verify.wanted import Wanted, choose_wanted, marker_for, parameter_names

T = TypeVar("T")
OnLine = Callable[[str, str], None]
Way = Host | Unreachable | None
"""How an instance is reached; None while nobody knows."""

RUNNING = "running"
MOST_CONSOLES = 8
MOST_JOBS = 4
MOST_IDS_A_CALL = 200
"""A filter takes at most 200 values. Source: Amazon EC2 user guide, "List and filter using the CLI and API"."""


@dataclass(frozen=True)
class WantedSource:
    """Where the wanted variables come from: parameters of these images, else goldfleet.toml's variables."""

    parameters: Parameters
    images: tuple[str, ...]
    configured: Mapping[str, JsonValue]

    def read(self, image_ids: Sequence[str]) -> dict[str, Wanted]:
        """Return what is wanted of servers launched from each of these AMIs."""
        names = parameter_names(self.images, image_ids)
        values: dict[str, str] = {}
        for start in range(0, len(names), MOST_NAMES_A_CALL):
            found = self.parameters.get_many(names[start : start + MOST_NAMES_A_CALL])
            values.update({name: parameter.value for name, parameter in found.items()})
        return {one: choose_wanted(one, self.images, values, self.configured) for one in image_ids}


@dataclass(frozen=True)
class World:
    """What checks need: EC2, what is wanted, how instances are reached, who does jobs."""

    machines: Machines
    wanted: WantedSource
    reach: Reach
    jobs: Jobs


def describe_instances(machines: Machines, instance_ids: Sequence[str]) -> dict[str, Instance]:
    """Return those of the instances that AWS knows, by id."""
    starts = range(0, len(instance_ids), MOST_IDS_A_CALL)
    found = (machines.instances({"instance-id": instance_ids[start : start + MOST_IDS_A_CALL]}) for start in starts)
    return {one.instance_id: one for some in found for one in some}


class FleetChecks:
    """Checks instances of one fleet in one run; may be used from several threads at once.

    `specs` and `way` are those of every image: a job without servers, specs without variables.
    """

    def __init__(self, world: World, specs: Specs, way: Job, reporting: Reporting, stop: StopFlag) -> None:
        self._world = world
        self._specs = specs
        self._way = way
        self._reporting = reporting
        self._stop = stop
        self._lock = threading.Lock()
        self._results: dict[str, HostResult] = {}
        self._remarks: dict[str, None] = {}
        self._differing: dict[str, None] = {}
        self._cost = Cost()
        self._wanted_ids: dict[str, None] = {}

    @property
    def verdict(self) -> Verdict:
        """Return the last result of every instance that this run has checked so far, by instance id."""
        with self._lock:
            return self._so_far()

    def images(self, instance_ids: Sequence[str]) -> dict[str, str]:
        """Return the AMI that each instance was launched from; an instance that AWS does not know is left out."""
        return {
            one: instance.image_id for one, instance in describe_instances(self._world.machines, instance_ids).items()
        }

    def check(self, instance_ids: Sequence[str], on_line: OnLine) -> Verdict:
        """Check instances and return what was found, in their order; `on_line` gets an instance's or image's id and a line.

        An instance that cannot be reached or whose checks cannot be run is part of the verdict. `on_line` is called
        from several threads.
        Raises StoppedError on a stop and AwsError when AWS fails: the reports then hold what was found before.
        """
        ids = tuple(dict.fromkeys(instance_ids))
        seen = describe_instances(self._world.machines, ids)
        wanted = self._world.wanted.read(sorted({one.image_id for one in seen.values()}))
        instances = {one: seen.get(one, Instance(one, state="")) for one in ids}
        checking = _Checking(instances, wanted, on_line, monotonic())
        with self._lock:
            self._wanted_ids.update(dict.fromkeys(ids))
        with ThreadPoolExecutor(MOST_CONSOLES, "console") as consoles:
            found = checking.gather({one: consoles.submit(self._look, instances[one]) for one in ids})
            late = [one for one, way in found.items() if way is None]
            if self._way.fails_fast:  # whether they are waited for at all rests on the others
                self._check_found(checking, found)
            is_enough = self._is_enough()
            waiting = {} if is_enough else {one: consoles.submit(self._wait, instances[one], on_line) for one in late}
            if is_enough:
                self._keep(checking, dict.fromkeys(late, ServerChecks(not_run=ENDED_FAST)))
            if not self._way.fails_fast:
                self._check_found(checking, found)
            self._check_found(checking, checking.gather(waiting))
        for error in checking.errors:
            raise error
        with self._lock:
            return replace(self._so_far(), hosts=tuple(self._results[one] for one in ids))

    def _look(self, instance: Instance) -> Way:
        self._stop.check()
        return self._world.reach.look(instance)

    def _wait(self, instance: Instance, on_line: OnLine) -> Way:
        on_line(instance.instance_id, "waiting for host keys")
        return self._world.reach.wait(instance)

    def _check_found(self, checking: "_Checking", found: Mapping[str, Way]) -> None:
        """Check those instances that can be reached, and keep what there is to say of the others."""
        reached: dict[str, dict[str, Host]] = {}
        for instance_id, way in found.items():
            if way is not None and not isinstance(way, Unreachable):
                reached.setdefault(checking.instances[instance_id].image_id, {})[instance_id] = way
        why = {one: way.why for one, way in found.items() if isinstance(way, Unreachable)}
        self._keep(checking, {one: ServerChecks(trouble=said) for one, said in why.items()})
        with ThreadPoolExecutor(MOST_JOBS, "job") as pool:
            checking.gather({one: pool.submit(self._do, checking, one, some) for one, some in reached.items()})

    def _do(self, checking: "_Checking", image_id: str, hosts: Mapping[str, Host]) -> None:
        """Check instances of one image, by one job."""
        self._stop.check()
        if self._is_enough():
            self._keep(checking, dict.fromkeys(hosts, ServerChecks(not_run=ENDED_FAST)))
            return
        wanted = checking.wanted[image_id]
        marker = marker_for(self._specs.marker, is_golden=wanted.is_golden)
        specs = replace(self._specs, variables=wanted.variables, marker=marker, image_id=image_id)
        job = replace(self._way, servers=hosts)
        found = self._world.jobs.run(job, specs, lambda line: checking.on_line(image_id, line))
        if found.spent is not None:
            checking.on_line(image_id, describe_spent(found.spent))
        with self._lock:
            self._remarks.update(dict.fromkeys(found.remarks))
            self._differing.update(dict.fromkeys(found.differing))
            self._cost += found.spent.cost if found.spent is not None else Cost()
        servers = checks_of(found, hosts, is_proven=self._way.is_proven)
        try:
            servers |= self._gone(found.servers)
        finally:  # whatever AWS says, what was found counts
            self._keep(checking, servers)
        self._stop.check()

    def _is_enough(self) -> bool:
        """Tell whether the run ends since a server is not good."""
        return self._way.fails_fast and not self.verdict.is_good_so_far

    def _gone(self, found: Mapping[str, ServerChecks]) -> dict[str, ServerChecks]:
        """Return the servers that did not answer and whose instances are not there any more, and say so of each."""
        lost = [one for one, checks in found.items() if checks.trouble]
        seen = describe_instances(self._world.machines, lost)
        states = {one: seen[one].state if one in seen else "not known to AWS any more" for one in lost}
        return {
            one: replace(found[one], trouble=f"gone during the checks: the instance is {state} ({found[one].trouble})")
            for one, state in states.items()
            if state != RUNNING
        }

    def _keep(self, checking: "_Checking", found: Mapping[str, ServerChecks]) -> None:
        if not found:
            return
        results = [checking.result(instance_id, checks) for instance_id, checks in found.items()]
        for result in results:
            checking.on_line(result.instance_id, describe(result))
        with self._lock:
            self._results.update({result.instance_id: result for result in results})
            write_reports(self._so_far(), self._reporting.folder)

    def _so_far(self) -> Verdict:
        hosts = tuple(self._results[one] for one in sorted(self._results))
        about = self._reporting
        return Verdict(
            hosts,
            str(about.folder),
            tuple(self._remarks),
            tuple(self._differing),
            self._cost,
            about.subject,
            about.is_whole,
            tuple(one for one in self._wanted_ids if one not in self._results),
        )


@dataclass
class _Checking:
    """One call of FleetChecks.check, and the errors that ended parts of it."""

    instances: Mapping[str, Instance]
    wanted: Mapping[str, Wanted]
    on_line: OnLine
    began: float
    errors: list[BaseException] = field(default_factory=list)

    def gather(self, futures: Mapping[str, Future[T]]) -> dict[str, T]:
        """Return what came of futures, as soon as all are over; keep the errors of the others."""
        wait(futures.values())
        failed = {key: error for key, future in futures.items() if (error := future.exception()) is not None}
        self.errors.extend(failed.values())
        return {key: future.result() for key, future in futures.items() if key not in failed}

    def result(self, instance_id: str, found: ServerChecks) -> HostResult:
        """Return what was found out about an instance."""
        instance = self.instances[instance_id]
        return HostResult(
            instance.address,
            found.checks,
            unreachable=found.trouble,
            instance_id=instance_id,
            image_id=instance.image_id,
            not_run=found.not_run,
            note=self.wanted[instance.image_id].note if instance.image_id in self.wanted else "",
            seconds=monotonic() - self.began,
        )


def describe_spent(spent: Spent) -> str:
    """Return what a job took, as one line."""
    return (
        f"{spent.commands} commands in {spent.rounds} rounds: {spent.cost}; "
        f"connected in {spent.connected_seconds:.1f} s, asked in {spent.asked_seconds:.1f} s, "
        f"{spent.evaluated} tests judged in {spent.judged_seconds:.1f} s"
    )


def describe(result: HostResult) -> str:
    """Return a host's verdict as one line."""
    if why := (result.unreachable or result.not_run):
        return f"{result.verdict}: {why.splitlines()[0]}"
    if result.bad:
        return f"{result.verdict}: {len(result.bad)} of {len(result.checks)} checks"
    return f"{result.verdict}: {len(result.checks)} checks in {result.seconds:.1f} s"
