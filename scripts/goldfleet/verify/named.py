"""Checks servers that somebody has named, in whatever way they are reached: those of which the same is wanted by one job."""

import json
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from time import monotonic

from goldfleet.transport.model import Cost
from goldfleet.verify.job import Job, JobResults, ServerChecks, checks_of
from goldfleet.verify.job_process import Specs
from goldfleet.verify.model import HostResult, Verdict
from goldfleet.verify.ports import Jobs
from goldfleet.verify.reports import Reporting, write_reports
from goldfleet.verify.servers import NamedServer

MOST_JOBS = 4


def check_named(
    servers: Sequence[NamedServer], specs: Specs, way: Job, jobs: Jobs, reporting: Reporting,
    on_line: Callable[[str, str], None],
) -> Verdict:  # fmt: skip
    """Check servers and return what was found, in their order; reports are written after each job.

    `specs` and `way` are those of every server: a job without servers, specs without variables. `on_line` gets a server's
    name, or how many servers a job has, and a line; it is called from several threads.
    """
    alike: dict[str, list[NamedServer]] = {}
    for server in servers:
        alike.setdefault(json.dumps(dict(server.variables), sort_keys=True), []).append(server)
    checked = _Checked(servers, reporting, is_proven=way.is_proven)

    def do(some: Sequence[NamedServer]) -> None:
        job = replace(way, servers={one.name: one.host for one in some})
        who = some[0].name if len(some) == 1 else f"{len(some)} servers"
        found = jobs.run(job, replace(specs, variables=some[0].variables), lambda line: on_line(who, line))
        checked.keep(some, found)

    with ThreadPoolExecutor(MOST_JOBS, "job") as pool:
        list(pool.map(do, alike.values()))
    return checked.verdict()


class _Checked:
    """What was found so far."""

    def __init__(self, servers: Sequence[NamedServer], reporting: Reporting, *, is_proven: bool) -> None:
        self._is_proven = is_proven
        self._servers = servers
        self._reporting = reporting
        self._lock = threading.Lock()
        self._began = monotonic()
        self._results: dict[str, HostResult] = {}
        self._found: list[JobResults] = []

    def keep(self, servers: Sequence[NamedServer], found: JobResults) -> None:
        """Keep what a job found, and write it down."""
        checks = checks_of(found, [one.name for one in servers], is_proven=self._is_proven)
        with self._lock:
            self._results |= {name: self._result(name, one) for name, one in checks.items()}
            self._found.append(found)
            write_reports(self.verdict(), self._reporting.folder)

    def verdict(self) -> Verdict:
        """Return what all jobs so far have found."""
        costs = [found.spent.cost for found in self._found if found.spent is not None]
        return Verdict(
            tuple(self._results[one.name] for one in self._servers if one.name in self._results),
            str(self._reporting.folder),
            tuple(dict.fromkeys(remark for found in self._found for remark in found.remarks)),
            tuple(dict.fromkeys(line for found in self._found for line in found.differing)),
            sum(costs, Cost()),
            self._reporting.subject,
            self._reporting.is_whole,
            tuple(one.name for one in self._servers if one.name not in self._results),
        )

    def _result(self, name: str, found: ServerChecks) -> HostResult:
        seconds = monotonic() - self._began
        return HostResult(name, found.checks, unreachable=found.trouble, not_run=found.not_run, seconds=seconds)
