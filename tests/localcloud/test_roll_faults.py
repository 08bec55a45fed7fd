"""`goldfleet roll` through a proxy that throttles, resets, delays and leaves unanswered a share of its AWS calls."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.localcloud.fault_proxy import SERVICES, running_fault_proxy
from tests.localcloud.fleets import SERVERS, Fleet, fleet

__all__ = ["fleet"]

SEEDS = (20261125, 7)
KINDS = {"error", "reset", "response", "latency"}


@pytest.mark.long
@pytest.mark.parametrize("seed", SEEDS)
def test_roll_through_throttling_resets_and_latency_finishes(fleet: Fleet, tmp_path: Path, seed: int) -> None:
    image, sizes, before = fleet.copy_image(f"through-faults-{seed}"), fleet.sizes(), set(fleet.members())
    started = time.time()
    with running_fault_proxy(fleet.cloud, tmp_path, seed) as proxy:
        done = replace(fleet, cloud=proxy.cloud).roll("start", "--image-id", image, seconds=600)
        fired = proxy.fired()
    print(f"\nseed {seed}: {time.time() - started:.0f} s, faults: {dict(fired)}")  # noqa: T201 - for the note
    assert done.returncode == 0, done.stderr
    assert {service for service, _ in fired} == set(SERVICES)
    assert {kind for _, kind in fired} == KINDS
    fleet.wait_healthy()
    assert set(fleet.images().values()) == {image}
    assert before.isdisjoint(fleet.members())
    assert fleet.sizes() == sizes
    assert fleet.roll_tags() == {}
    assert fleet.lowest_healthy(started, time.time()) >= SERVERS
