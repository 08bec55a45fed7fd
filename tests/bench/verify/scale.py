"""How long verdicts about thousands of servers take, once they have answered, with reports; and how much memory.

Answers are worked out, so this is the cost of judging alone. The peer is pytest with an item for each server and test, as
testinfra has it: 126 s for 1,000 servers with 100 checks (1.26 ms an item, measured apart). A part of tests.bench.verify.
"""

import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import astuple, dataclass
from pathlib import Path

from goldfleet.transport.model import SshHost
from goldfleet.verify.job import Job, encode_job, read_results
from goldfleet.verify.model import HostResult, Verdict
from goldfleet.verify.reports import write_reports
from tests.bench.verify.bench import SLOW_SECONDS, Bench, Figure

SIZES = ((1000, 100, 0, 1), (1000, 100, 5, 3), (1000, 100, 5, 512), (10_000, 100, 5, 3), (10_000, 100, 5, 512))
"""Servers, checks, per cent of all answers that differ, in how many ways those to one question do."""

GOALS = {SIZES[0]: (2.0, 200.0), SIZES[3]: (20.0, 500.0), SIZES[4]: (20.0, 500.0)}
"""Seconds and MB, by size."""

SPEC = """
import pytest

@pytest.mark.parametrize("number", range({checks}))
def test_mode(host, number):
    assert host.file(f"/etc/file{{number}}").mode == 0o644
"""


@dataclass(frozen=True)
class Took:
    """What one run took: to the verdicts, to the reports, and the most memory of the two processes, in MB."""

    judged_seconds: float
    reported_seconds: float
    judging_mb: float
    reporting_mb: float
    evaluated: float


def judge(servers: int, checks: int, differing: float, kinds: int, folder: Path) -> Took:
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
    return Took(judged - began, reported - began, used.ru_maxrss / 1000, memory, found.spent.evaluated)


def measure(bench: Bench) -> list[Figure]:
    """Print a line for each size, and return the figures of those that have a goal."""
    headings = ("verdicts s", "+ reports s", "judging MB", "reports MB", "tests run")
    print(f"{'servers x checks, differing':36} {'rounds':>6}", *(f"{heading:>11}" for heading in headings))
    figures = []
    for size in SIZES:
        rounds: list[Took] = []
        for number in range(bench.options.rounds):
            if any(one.reported_seconds > SLOW_SECONDS for one in rounds):
                break
            rounds.append(_in_a_process(size))
            bench.say(f"round {number + 1}, {_name(size)}: {rounds[-1].reported_seconds:.2f} s")
        middle = Took(*(statistics.median(column) for column in zip(*map(astuple, rounds), strict=True)))
        print(f"{_name(size):36} {len(rounds):6}", *(f"{number:11.2f}" for number in astuple(middle)), flush=True)
        seconds, mb = GOALS.get(size, (None, None))
        figures += [
            Figure(f"verdicts and reports: {_name(size)}", middle.reported_seconds, "s", seconds),
            Figure(f"memory: {_name(size)}", max(middle.judging_mb, middle.reporting_mb), "MB", mb),
        ]
    return figures


def _name(size: tuple[int, int, int, int]) -> str:
    servers, checks, differing, kinds = size
    return f"{servers:,} x {checks}, {differing} % in {kinds} ways"


def _in_a_process(size: tuple[int, int, int, int]) -> Took:
    """Measure a size in a process whose memory counts for nothing else."""
    words = [sys.executable, "-m", "tests.bench.verify.scale", *map(str, size)]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    return Took(*map(float, said.split()))


def main() -> None:
    """Measure one size, and print what it took."""
    servers, checks, differing, kinds = map(int, sys.argv[1:])
    with tempfile.TemporaryDirectory() as folder:
        print(*astuple(judge(servers, checks, differing, kinds, Path(folder))))


if __name__ == "__main__":
    main()
