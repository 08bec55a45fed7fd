"""Rolls against the working model of Auto Scaling: the fleet that is left, the tags that are left, what people are told."""

import pytest

from goldfleet import tags
from goldfleet.errors import StoppedError
from goldfleet.roll import operations
from tests.doubles.rolling import NEW, OLD, RollingWorld


@pytest.mark.parametrize(
    ("desired", "surge", "launched"), [(3, 1, 3), (10, 3, 10), (10, "25%", 10), (1, 1, 1), (4, 9, 4)]
)
def test_healthy_image_replaces_every_instance(desired: int, surge: int | str, launched: int) -> None:
    here = RollingWorld(desired)
    outcome = operations.start(here.request(surge), here.world)
    assert (outcome.action, outcome.replaced) == ("rolled", desired)
    assert here.images_here() == {NEW: desired}
    assert len(here.cloud.machines.all) == desired + launched
    assert (here.group.spec.min_size, here.group.spec.max_size, here.group.spec.desired_capacity) == (1, 30, desired)
    assert here.roll_tags() == {}
    assert here.fleet.tags[tags.PREVIOUS] == f"{OLD} lt:lt-0abc:1"
    assert here.lowest_margin >= 0


def test_second_start_has_nothing_to_do() -> None:
    here = RollingWorld(3)
    operations.start(here.request(), here.world)
    before = len(here.fleet.mutations)
    assert operations.start(here.request(), here.world).action == "nothing to do"
    assert len(here.fleet.mutations) == before


def test_broken_image_halts_with_old_instances_untouched() -> None:
    here = RollingWorld(3)
    before = [one.instance_id for one in here.group.roster]
    here.gate.broken = {NEW}
    with pytest.raises(StoppedError, match="failed its checks: test_web_stack::test_nginx_is_running"):
        operations.start(here.request(), here.world)
    here.clock.sleep(60)
    assert [one.instance_id for one in here.group.roster] == before
    assert here.group.spec.source.launch_template_version == "1"
    assert here.group.spec.desired_capacity == 3
    assert here.fleet.tags[tags.ROLL_STATE] == "halted"
    assert (len(here.witness.kept), here.witness.were_here) == (1, [True])
    assert here.lowest_margin >= 0


def test_desired_capacity_changed_in_the_middle_is_kept() -> None:
    here = RollingWorld(3)
    here.clock.later.append((20, lambda: here.scale(2)))
    operations.start(here.request(), here.world)
    assert here.group.spec.desired_capacity == here.wanted == 6
    assert here.images_here() == {NEW: 6}
