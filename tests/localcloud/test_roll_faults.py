"""`goldfleet roll` through a proxy that throttles, resets, delays and leaves unanswered a share of its AWS calls."""

import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.localcloud.fault_proxy import SERVICES, running_fault_proxy
from tests.localcloud.fleets import SERVERS, Fleet, fleet

__all__ = ["fleet"]

SEEDS = (20261125, 7)
KINDS = {"error", "reset", "response", "latency"}
MOST_STARTS = 6
NOT_BEGUN = "Whether the roll's tags were written is not known"


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
def test_roll_through_throttling_resets_and_latency_finishes(fleet: Fleet, tmp_path: Path, seed: int) -> None:
    image, sizes, before = fleet.copy_image(f"through-faults-{seed}"), fleet.sizes(), set(fleet.members())
    started = time.time()
    with running_fault_proxy(fleet.cloud, tmp_path, seed) as proxy:
        starts = start_until_begun(fleet, replace(fleet, cloud=proxy.cloud), image)
        fired = proxy.fired()
    print(f"\nseed {seed}: {time.time() - started:.0f} s, starts: {starts}, faults: {dict(fired)}")  # noqa: T201 - for the note
    assert {service for service, _ in fired} == set(SERVICES)
    assert {kind for _, kind in fired} == KINDS
    fleet.wait_healthy()
    assert set(fleet.images().values()) == {image}
    assert before.isdisjoint(fleet.members())
    assert fleet.sizes() == sizes
    assert fleet.roll_tags() == {}
    assert fleet.lowest_healthy(started, time.time()) >= SERVERS


def start_until_begun(fleet: Fleet, through_faults: Fleet, image: str) -> int:
    """Start a roll, again while it could not begin; return how often. Once it has begun it must finish by itself.

    A call that fails three times in a row before a roll has begun ends the command with exit 4, and nothing is changed:
    docs/runbooks/exit_4.md says to run it again. `fleet` looks past the proxy.
    """
    before, sizes = set(fleet.members()), fleet.sizes()
    for number in range(1, MOST_STARTS + 1):
        command = ("resume",) if fleet.roll_tags() else ("start", "--image-id", image)
        done = through_faults.roll(*command, seconds=600)
        if done.returncode == 0:
            return number
        assert could_not_begin(done), done.stderr
        assert (set(fleet.members()), fleet.sizes()) == (before, sizes)
    pytest.fail(f"The roll could not begin in {MOST_STARTS} starts: {done.stderr}")


def could_not_begin(done: subprocess.CompletedProcess[str]) -> bool:
    """Tell whether a roll ended before its first step."""
    return done.returncode == 4 or (done.returncode == 5 and NOT_BEGUN in done.stderr)
