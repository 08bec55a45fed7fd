"""Has the job of `goldfleet verify` done once, in a process whose memory counts for nothing else, and prints what it took.

What is left out of `goldfleet verify` is AWS: which instances there are, and their host keys. report.json and junit.xml are
written. Run by the other modules, with an Order as JSON: python -m tests.bench.verify.one_job ORDER
"""

import json
import os
import resource
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from goldfleet.stop import StopFlag, catch_signals
from goldfleet.transport.model import Limits, SshHost
from goldfleet.verify.job import Job, JobResults
from goldfleet.verify.job_process import JobProcess, Specs
from goldfleet.verify.model import CheckOutcome, HostResult, Verdict
from goldfleet.verify.reports import write_reports
from tests.bench.verify.found import Found
from tests.bench.verify.site import USER


@dataclass(frozen=True)
class Order:
    """Which addresses, with their lines of known_hosts(5), are to be asked what; `folder` has the key and gets the reports.

    What was asked is kept there for the next order with the same `image_id`, unless that is "".
    """

    known_hosts: dict[str, str]
    port: int
    folder: str
    spec: str
    connect_seconds: float
    image_id: str


@dataclass(frozen=True)
class Took:
    """What the job's process took, and found.

    `asked_seconds` is how long it asked and learnt what to ask, with `rounds` of asking; `judged_seconds` how long it judged.
    """

    cpu_seconds: float
    memory_mb: float
    rounds: int
    asked_seconds: float
    judged_seconds: float
    found: Found


def words(order: Order) -> list[str]:
    """Return the command that has the job of an order done."""
    file = Path(order.folder) / "order.json"
    file.write_text(json.dumps(asdict(order)))
    return [sys.executable, "-m", "tests.bench.verify.one_job", str(file)]


def read(output: str) -> Took:
    """Return what the command said last."""
    said = json.loads(output.splitlines()[-1])
    failed = frozenset((address, check) for address, check in said["failed"])
    found = Found(said["checks"], failed, frozenset(said["unreachable"]))
    return Took(found=found, **said["took"])


def main() -> None:
    """Do the job of an order, and print what it took as one line of JSON."""
    order = Order(**json.loads(Path(sys.argv[1]).read_text()))
    folder, stop = Path(order.folder), StopFlag()
    key = str(folder / "user_key")
    servers = {
        address: SshHost(address, USER, line, order.port, private_key=key)
        for address, line in order.known_hosts.items()
    }
    job = Job(servers, limits=Limits(connect_seconds=order.connect_seconds))
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # Linux counts a child's memory from its parent's on
    with catch_signals(stop):
        results = JobProcess(os.environ, stop).run(
            job, Specs(Path(order.spec), folder, image_id=order.image_id), lambda _line: None
        )
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    if results.spent is None:
        raise SystemExit(results.failure or f"ended by {stop.signal_name}")
    if used.ru_maxrss <= own:
        raise SystemExit("the job took less memory than the process that measures it: its figure would say nothing")
    write_reports(_verdict(results), folder)
    print(
        json.dumps(
            {
                "took": {
                    "cpu_seconds": used.ru_utime + used.ru_stime,
                    "memory_mb": used.ru_maxrss / 1000,
                    "rounds": results.spent.rounds,
                    "asked_seconds": results.spent.asked_seconds,
                    "judged_seconds": results.spent.judged_seconds,
                },
                "checks": {address: len(server.checks) for address, server in results.servers.items()},
                "failed": list(_failed(results)),
                "unreachable": [address for address, server in results.servers.items() if server.trouble],
            }
        )
    )


def _failed(results: JobResults) -> list[tuple[str, str]]:
    return [
        (address, check.name.rpartition("::")[2])
        for address, server in results.servers.items()
        for check in server.checks
        if check.outcome is not CheckOutcome.PASSED
    ]


def _verdict(results: JobResults) -> Verdict:
    return Verdict(
        tuple(
            HostResult(address, server.checks, unreachable=server.trouble)
            for address, server in results.servers.items()
        )
    )


if __name__ == "__main__":
    main()
