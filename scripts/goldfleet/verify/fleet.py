"""Checks many instances at once, a bounded number of them, and keeps the reports of a run up to date.

What was found is written after each instance, so that nothing is lost when the run is stopped.
"""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from goldfleet.aws.model import Instance
from goldfleet.aws.ssm import MOST_NAMES_A_CALL
from goldfleet.stop import StopFlag
from goldfleet.verify.model import HostResult, Verdict
from goldfleet.verify.ports import HostCheck, Machines, Parameters
from goldfleet.verify.reports import host_junit, write_fleet_reports
from goldfleet.verify.wanted import Wanted, choose_wanted, parameter_names

MOST_AT_ONCE = 8
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


class FleetChecks:
    """Checks instances of one fleet in one run; may be used from several threads at once."""

    def __init__(
        self, machines: Machines, wanted: WantedSource, hosts: HostCheck, report_folder: Path, stop: StopFlag
    ) -> None:
        self._machines = machines
        self._wanted = wanted
        self._hosts = hosts
        self._report_folder = report_folder
        self._stop = stop
        self._lock = threading.Lock()
        self._results: dict[str, HostResult] = {}

    @property
    def verdict(self) -> Verdict:
        """Return the last result of every instance that this run has checked so far, by instance id."""
        with self._lock:
            return self._so_far()

    def check(self, instance_ids: Sequence[str], on_line: Callable[[str, str], None]) -> Verdict:
        """Check instances and return what was found, in their order; `on_line` gets an instance's id and a line.

        An instance that cannot be reached or whose checks cannot be run is part of the verdict. `on_line` is called
        from several threads.
        Raises StoppedError on a stop and AwsError when AWS fails: the reports then hold what was found before.
        """
        wanted_ids = list(dict.fromkeys(instance_ids))
        seen = self._describe(wanted_ids)
        wanted = self._wanted.read(sorted({one.image_id for one in seen.values()}))

        def check_one(instance_id: str) -> HostResult:
            instance = seen.get(instance_id, Instance(instance_id, state=""))
            result = self._check_one(instance, wanted, lambda line: on_line(instance_id, line))
            on_line(instance_id, describe(result))
            return result

        with ThreadPoolExecutor(MOST_AT_ONCE) as pool:
            futures: list[Future[HostResult]] = [pool.submit(check_one, one) for one in wanted_ids]
        return Verdict(tuple(future.result() for future in futures), str(self._report_folder))

    def _describe(self, instance_ids: Sequence[str]) -> dict[str, Instance]:
        """Return those of the instances that AWS knows, by id."""
        starts = range(0, len(instance_ids), MOST_IDS_A_CALL)
        found = (
            self._machines.instances({"instance-id": instance_ids[start : start + MOST_IDS_A_CALL]}) for start in starts
        )
        return {one.instance_id: one for some in found for one in some}

    def _check_one(
        self, instance: Instance, wanted: Mapping[str, Wanted], on_line: Callable[[str], None]
    ) -> HostResult:
        self._stop.check()
        junit = host_junit(self._report_folder, instance.instance_id)
        result = self._hosts.check(instance, wanted.get(instance.image_id, Wanted({}, False)), junit, on_line)
        with self._lock:
            self._results[instance.instance_id] = result
            write_fleet_reports(self._so_far(), self._report_folder)
        return result

    def _so_far(self) -> Verdict:
        return Verdict(tuple(self._results[one] for one in sorted(self._results)), str(self._report_folder))


def describe(result: HostResult) -> str:
    """Return a host's verdict as one line."""
    if why := (result.unreachable or result.not_run):
        return f"{result.verdict}: {why.splitlines()[0]}"
    if result.bad:
        return f"{result.verdict}: {len(result.bad)} of {len(result.checks)} checks"
    return f"{result.verdict}: {len(result.checks)} checks in {result.seconds:.1f} s"
