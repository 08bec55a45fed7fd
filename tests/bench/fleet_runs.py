"""Rolls an image through the bench's fleet with one of the contenders, under load, and measures it from outside.

Nothing here looks at the cloud while a contender works, so that every call in the record is the contender's own.
Neighbours: fleet_site, which builds the fleet; fleet, which compares.
"""

import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from goldfleet.demo.logs import read_requests
from goldfleet.localcloud.state import StateFolder
from tests.bench.fleet_site import SURGE, balancer_url, resize
from tests.localcloud.conftest import BIN
from tests.localcloud.fleets import GROUP, SERVERS, Fleet

RATE = 60
WARM_UP_SECONDS = 5
BODY = r"Image version: ([^<\s]+)"
LEAD_SECONDS = 2.0
LONGEST_SECONDS = 900.0
PLAYBOOK = Path(__file__).with_name("replace_all_instances.yml")
READS = ("Describe", "Get", "List")
CHECKED = re.compile(r": (\d+) checks in ")
"""How goldfleet says on stderr that a server has passed. Source: goldfleet.verify.fleet.describe."""


@dataclass(frozen=True)
class Contender:
    """A way to replace every server: its name, the group's min_size while it works, and its command."""

    name: str
    min_size: int
    command: Callable[[Fleet, str], tuple[str, ...]]


@dataclass(frozen=True)
class Run:
    """What one replacement of all servers came to. Healthy targets and requests are counted until the fleet is at rest."""

    seconds: float
    lowest_healthy: int
    sent: int
    failed: int
    checks: int
    actions: Counter[str]

    @property
    def calls(self) -> int:
        """Return how many API calls the contender made, those that were retried each time."""
        return self.actions.total()

    @property
    def reads(self) -> int:
        """Return how many of its calls changed nothing."""
        return sum(count for action, count in self.actions.items() if action.startswith(READS))


def roll_command(fleet: Fleet, image_id: str) -> tuple[str, ...]:
    """Return goldfleet's command."""
    return (
        str(BIN / "goldfleet"), "roll", "start", GROUP, "--image-id", image_id, "--surge", str(SURGE),
        "--warm-up", str(WARM_UP_SECONDS), "--project", str(fleet.project),
    )  # fmt: skip


def playbook_command(fleet: Fleet, image_id: str) -> tuple[str, ...]:
    """Return the command that has Ansible's module do it, with the sizes that the group has now."""
    min_size, desired_capacity, max_size = fleet.sizes()
    group = fleet.group()
    wanted = {
        "group": GROUP,
        "image_id": image_id,
        "batch_size": SURGE,
        "min_size": min_size,
        "desired_capacity": desired_capacity,
        "max_size": max_size,
        "grace_seconds": group["HealthCheckGracePeriod"],
    }
    return str(BIN / "ansible-playbook"), str(PLAYBOOK), "--extra-vars", json.dumps(wanted)


def measure(fleet: Fleet, contender: Contender, image_id: str) -> Run:
    """Have a contender replace all servers of a fleet at rest, under load.

    Raises RuntimeError when the servers are not of the image afterwards.
    """
    resize(fleet, MinSize=contender.min_size)
    command = contender.command(fleet, image_id)
    log = fleet.cloud.folder / f"requests-{image_id}.jsonl"
    with load(balancer_url(fleet), log):
        started = time.time()
        said = fleet.cloud.run(*command, timeout=LONGEST_SECONDS).stderr
        ended = time.time()
        fleet.wait_healthy(seconds=LONGEST_SECONDS)
        settled = time.time()
    seen = set(fleet.images().values())
    if seen != {image_id}:
        raise RuntimeError(f"{contender.name} ended with exit 0, but the servers run {sorted(seen)}, not {image_id}.")
    resize(fleet, MinSize=SERVERS)
    requests = read_requests(log)
    lowest = fleet.lowest_healthy(started, settled)
    checks = sum(map(int, CHECKED.findall(said)))
    return Run(ended - started, lowest, requests.sent, requests.failed, checks, actions(fleet, started, ended))


@contextmanager
def load(url: str, log: Path) -> Iterator[None]:
    """Send requests all the while."""
    process = subprocess.Popen(
        [sys.executable, "-m", "goldfleet.demo.load", "--url", url, "--rate", str(RATE), "--expect-body-regex", BODY,
         "--out", str(log)],
        stdout=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        time.sleep(LEAD_SECONDS)
        yield
    finally:
        process.terminate()
        process.wait(timeout=30)


def actions(fleet: Fleet, start: float, end: float) -> Counter[str]:
    """Return how often the operator's key called each action between two moments; servers call with keys of their own."""
    lines = StateFolder(fleet.cloud.state).calls.read_text().splitlines()
    calls = [json.loads(line) for line in lines if line.endswith("}")]
    own = fleet.cloud.env["AWS_ACCESS_KEY_ID"]
    return Counter(call["action"] for call in calls if call["caller"] == own and start <= call["time"] <= end)
