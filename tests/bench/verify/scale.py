"""How long verdicts about thousands of servers take, once they have answered, with reports; and how much memory.

Answers are worked out, so this is the cost of judging alone. The peer is pytest with an item for each server and test, as
testinfra has it: 126 s for 1,000 servers with 100 checks (1.26 ms an item).
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from goldfleet.transport.model import SshHost
from goldfleet.verify.job import Job, encode_job, read_results
from goldfleet.verify.model import HostResult, Verdict
from goldfleet.verify.reports import write_reports

ROUNDS = 3
SIZES = ((1000, 100, 0, 1), (1000, 100, 5, 3), (1000, 100, 5, 512), (10_000, 100, 5, 3), (10_000, 100, 5, 512))
"""Servers, checks, per cent of all answers that differ, in how many ways those to one question do."""

SPEC = """
import pytest

@pytest.mark.parametrize("number", range({checks}))
def test_mode(host, number):
    assert host.file(f"/etc/file{{number}}").mode == 0o644
"""


@dataclass(frozen=True)
class Figure:
    """What one run took: to the verdicts, to the reports, and the most memory of the two processes, in MB."""

    judged_seconds: float
    reported_seconds: float
    judging_mb: float
    reporting_mb: float
    evaluated: int


def measure(servers: int, checks: int, differing: float, kinds: int, folder: Path) -> Figure:
    """Judge and report once, in fresh processes."""
    (folder / "test_it.py").write_text(SPEC.format(checks=checks))
    results = folder / "results"
    hosts = {
        f"i-{number:017x}": SshHost(f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
        for number in range(servers)
    }
    (folder / "job.json").write_text(encode_job(Job(hosts, str(results))))
    words = [
        sys.executable, "-m", "pytest", str(folder / "test_it.py"), "-c", "/dev/null", f"--rootdir={folder}", "-q",
        "--capture=sys", "-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "tests.bench.verify.recorded", "--hosts=goldfleet://fleet",
        f"--goldfleet-job={folder / 'job.json'}",
    ]  # fmt: skip
    began = time.monotonic()
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    own = {"GOLDFLEET_BENCH_DIFFERING": str(differing), "GOLDFLEET_BENCH_KINDS": str(kinds)}
    process = subprocess.Popen(words, env={**inherited, **own}, stdout=subprocess.DEVNULL)
    _, _, used = os.wait4(process.pid, 0)
    judged = time.monotonic()
    found = read_results(results.read_text())
    write_reports(
        Verdict(tuple(HostResult(one, some.checks, instance_id=one) for one, some in found.servers.items())), folder
    )
    reported = time.monotonic()
    assert found.spent is not None
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000
    return Figure(judged - began, reported - began, used.ru_maxrss / 1000, memory, found.spent.evaluated)


def main() -> None:
    """Print the table, one line a size; or measure one size, in a process whose memory counts for nothing else."""
    if len(sys.argv) > 1:
        with tempfile.TemporaryDirectory() as folder:
            figure = measure(int(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3]), int(sys.argv[4]), Path(folder))
        print(*vars(figure).values())
        return
    headings = ("verdicts s", "+ reports s", "judging MB", "reports MB", "tests run")
    print(f"{'servers x checks, differing':36}", *(f"{heading:>11}" for heading in headings))
    for servers, checks, differing, kinds in SIZES:
        rows = []
        for _ in range(ROUNDS):
            words = [
                sys.executable,
                "-m",
                "tests.bench.verify.scale",
                str(servers),
                str(checks),
                str(differing),
                str(kinds),
            ]
            rows.append(
                [
                    float(word)
                    for word in subprocess.run(words, capture_output=True, text=True, check=True).stdout.split()
                ]
            )
        middle = [statistics.median(column) for column in zip(*rows, strict=True)]
        name = f"{servers:,} x {checks}, {differing} % in {kinds} ways"
        print(f"{name:36}", *(f"{number:11.2f}" for number in middle), flush=True)


if __name__ == "__main__":
    main()
