"""A thousand managed nodes by Run Command: how long until their verdicts, and how many API calls, under a cap on calls.

The service is the local cloud's own; what a command says is what it says on this machine, run once. A share of the nodes has
another answer to one question. Learning, on one node, is a run of its own and shown apart: the second run has a plan.
"""

import json
import os
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from goldfleet.localcloud.ssm.throttle import Rate
from goldfleet.stop import StopFlag
from goldfleet.transport.model import SsmHost
from goldfleet.verify.job import Job, JobResults
from goldfleet.verify.job_process import JobProcess, Specs
from goldfleet.verify.model import CheckOutcome
from tests.bench.verify.scale import SPEC
from tests.doubles.run_command import EmulatedFleet, run_command

NODES, CHECKS, PER_CENT = 1000, 100, 5
CAP = Rate(per_second=5, burst=5)
"""For each of the calls that read; how many AWS bears, it does not tell."""


@dataclass(frozen=True)
class Figure:
    """What one run took, and what it found."""

    seconds: float
    calls: Counter[str]
    throttled: int
    failed: int
    found: JobResults


class Nodes:
    """Runs each distinct script twice: for those that are as they should be, and for the others."""

    def __init__(self, folder: Path, is_other: Callable[[str], bool]) -> None:
        self._folder = folder
        self._is_other = is_other
        self._lock = threading.Lock()
        self._known: dict[tuple[str, bool], tuple[int, bytes, bytes]] = {}

    def __call__(self, instance_id: str, script: str) -> tuple[int, bytes, bytes]:
        key = (script, self._is_other(instance_id))
        with self._lock:
            if key not in self._known:
                place = self._folder / ("other" if key[1] else "good")
                done = subprocess.run(["/bin/sh", "-c", script], cwd=place, capture_output=True, check=False)
                self._known[key] = (done.returncode, done.stdout, done.stderr)
            return self._known[key]


def files(folder: Path) -> None:
    """Make what the checks look at: for the others, one file has another mode."""
    for name in ("good", "other"):
        for number in range(CHECKS):
            file = folder / name / "etc" / f"file{number}"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text("")
            file.chmod(0o600 if name == "other" and number == 7 else 0o644)


def run(fleet: EmulatedFleet, folder: Path) -> Figure:
    """Verify all nodes once."""
    hosts = {one: SsmHost(one, group=fleet.group, region="us-east-1") for one in fleet.instance_ids}
    environment = {
        **os.environ, "AWS_ENDPOINT_URL": fleet.url, "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench",
        "AWS_EC2_METADATA_DISABLED": "true",
    }  # fmt: skip
    specs = Specs(folder / "specs", folder, image_id="ami-bench")
    before, throttled, began = Counter(fleet.calls), fleet.throttled.total(), time.monotonic()
    found = JobProcess(environment, StopFlag()).run(Job(hosts), specs, lambda _: None)
    seconds = time.monotonic() - began
    failed = sum(
        any(check.outcome is not CheckOutcome.PASSED for check in one.checks) for one in found.servers.values()
    )
    troubled = {one.trouble for one in found.servers.values() if one.trouble}
    if found.failure or troubled or len(found.servers) != NODES:
        raise SystemExit(f"{len(found.servers)} nodes answered: {found.failure} {troubled}")
    return Figure(seconds, Counter(fleet.calls) - before, fleet.throttled.total() - throttled, failed, found)


def main() -> None:
    """Print a line for the run that learns and one for the next."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files(folder)
        (folder / "specs").mkdir()
        (folder / "specs" / "test_it.py").write_text(SPEC.format(checks=CHECKS).replace("/etc/", "etc/"))
        share = NODES * PER_CENT // 100
        rates = dict.fromkeys(("ListCommands", "ListCommandInvocations", "GetCommandInvocation"), CAP)
        nodes = Nodes(folder, lambda one: int(one[2:], 16) <= share)
        with run_command(nodes, count=NODES, rates=rates) as fleet:
            for what in ("learning included", "with a plan"):
                figure = run(fleet, folder)
                calls = json.dumps(dict(figure.calls))
                print(f"{NODES:,} nodes x {CHECKS} checks, {PER_CENT} % differing, {what}: {figure.seconds:.1f} s, {calls}, "
                      f"{figure.throttled} throttled, {figure.failed} failed", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
