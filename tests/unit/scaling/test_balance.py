"""Zones are kept even, failed launches are tried again, and the excess this takes stays within what AWS allows."""

import itertools
from collections import Counter

import pytest

from goldfleet.scaling import hooks, placement, processes, sizes
from goldfleet.scaling.lifecycle import IllegalTransitionError, LifecycleState
from goldfleet.scaling.model import ActionResult, GroupUpdate, Hook, LaunchSource, Settings, Transition
from tests.unit.scaling.world import ZONES, Cloud, activities, ids, in_service, states, zones


@pytest.mark.parametrize(("desired", "letters"), [(3, "abc"), (4, "aabc"), (6, "aabbcc")])
def test_launches_spread_over_the_zones(desired: int, letters: str) -> None:
    assert zones(Cloud().running(desired=desired)) == list(letters)


def test_scale_in_takes_from_the_fullest_zone() -> None:
    cloud = Cloud()
    group = cloud.running(desired=5)
    sizes.set_desired_capacity(group, 3)
    cloud.pass_time(30)
    assert zones(group) == ["a", "b", "c"]


def test_new_zone_is_filled_launching_first() -> None:
    cloud = Cloud()
    group = cloud.running(4, 4, 4, zones=ZONES[:1])
    sizes.update_group(group, GroupUpdate(zones=ZONES[:2]))
    fewest, most = 9, 0
    for _ in range(60):
        cloud.pass_time(1)
        fewest, most = min(fewest, len(in_service(group))), max(most, group.capacity)
    assert zones(group) == ["a", "a", "b", "b"]
    assert (fewest, most) == (4, 5)
    launch = next(activities(group, "Launching"))
    assert launch.cause.endswith("an instance was launched to aid in balancing the group's zones.")


def test_member_launched_for_balance_is_not_scaled_in_while_it_waits_for_a_hook() -> None:
    cloud = Cloud()
    group = cloud.running(4, 4, 4, zones=ZONES[:1])
    hooks.put_hook(group, Hook("warm", Transition.LAUNCHING, 60, ActionResult.CONTINUE))
    sizes.update_group(group, GroupUpdate(zones=ZONES[:2]))
    cloud.pass_time(30)
    assert states(group) == {"InService": 4, "Pending:Wait": 1}
    cloud.pass_time(600)
    assert zones(group) == ["a", "a", "b", "b"]
    assert len(cloud.machines.all) == 6


def test_uneven_protected_members_are_left_alone() -> None:
    cloud = Cloud()
    group = cloud.running(desired=4, zones=ZONES[:1], new_instances_protected_from_scale_in=True)
    sizes.update_group(group, GroupUpdate(zones=ZONES[:2]))
    cloud.pass_time(300)
    assert len(cloud.machines.all) == 4


def test_rebalancing_without_terminate_stops_ten_percent_above_the_maximum() -> None:
    cloud = Cloud()
    group = cloud.running(0, 20, 20, zones=ZONES[:1])
    processes.suspend(group, ["Terminate"])
    sizes.update_group(group, GroupUpdate(zones=ZONES[:2]))
    cloud.pass_time(600)
    assert states(group) == {"InService": 22}
    processes.resume(group)
    cloud.pass_time(600)
    assert zones(group) == ["a"] * 10 + ["b"] * 10


@pytest.mark.parametrize(("maximum", "limit"), [(1, 2), (10, 11), (25, 27)])
def test_rebalancing_limit_is_ten_percent_or_one(maximum: int, limit: int) -> None:
    assert placement.rebalancing_limit(maximum) == limit


@pytest.mark.parametrize(
    ("counts", "overfull"),
    [
        ({"us-east-1a": 2, "us-east-1b": 1, "us-east-1c": 1}, set()),
        ({"us-east-1a": 2, "us-east-1b": 1, "us-east-1c": 0}, {"us-east-1a"}),
        ({"us-east-1a": 1, "us-east-1b": 1, "us-east-1c": 1, "us-east-1d": 1}, {"us-east-1d"}),
        ({"us-east-1a": 0, "us-east-1b": 0, "us-east-1c": 0, "us-east-1d": 0}, set()),
    ],
    ids=["one above", "two above", "zone the group has left", "empty"],
)
def test_zones_are_overfull_from_two_above(counts: dict[str, int], overfull: set[str]) -> None:
    assert placement.overfull_zones(Counter(counts), ZONES) == overfull


def test_zone_without_capacity_is_passed_over_and_reported() -> None:
    cloud = Cloud()
    cloud.machines.full_zones = {"us-east-1b"}
    group = cloud.running(desired=3)
    assert len(in_service(group)) == 3
    assert "b" not in zones(group)
    failed = [seen for seen in activities(group) if seen.status_code == "Failed"]
    assert failed[0].status_message == "There is no capacity in us-east-1b. Launching EC2 instance failed."


def test_zone_that_has_capacity_again_is_filled() -> None:
    cloud = Cloud()
    cloud.machines.full_zones = {"us-east-1b"}
    group = cloud.running(desired=4)
    cloud.machines.full_zones = set()
    cloud.pass_time(600)
    assert zones(group) in (["a", "a", "b", "c"], ["a", "b", "c", "c"])


def test_launches_that_fail_everywhere_are_tried_again_ever_later() -> None:
    cloud = Cloud()
    cloud.machines.full_zones = {zone.name for zone in ZONES}
    group = cloud.create(desired=1)
    cloud.pass_time(3600)
    tries = sorted({seen.started_at for seen in activities(group)})
    gaps = [round(later - sooner) for sooner, later in itertools.pairwise(tries)]
    assert gaps[:7] == [5, 10, 20, 40, 80, 160, 300]
    cloud.machines.full_zones = set()
    cloud.pass_time(330)
    assert states(group) == {"InService": 1}
    assert group.failed_launches == 0


def test_launches_that_fail_for_a_day_are_suspended() -> None:
    cloud = Cloud(Settings(longest_launch_pause_seconds=3600))
    cloud.machines.full_zones = {zone.name for zone in ZONES}
    group = cloud.create(desired=1)
    cloud.pass_time(23 * 3600)
    assert group.suspended == {}
    cloud.pass_time(3 * 3600)
    assert group.suspended["Launch"].startswith("Administratively suspended at 2026-11-24")
    cloud.machines.full_zones = set()
    cloud.pass_time(3600)
    assert states(group) == {}
    processes.resume(group)
    cloud.pass_time(30)
    assert states(group) == {"InService": 1}


def test_template_version_that_is_gone_fails_the_launch() -> None:
    cloud = Cloud()
    group = cloud.create(desired=0)
    source = LaunchSource(launch_template_name="web", launch_template_version="7")
    sizes.update_group(group, GroupUpdate(source=source, desired_capacity=1))
    cloud.scaling.tick()
    assert next(activities(group)).status_message.startswith("Launch template version 7 does not exist")


def test_undocumented_transition_is_an_error_of_the_model() -> None:
    group = Cloud().running(desired=1)
    with pytest.raises(IllegalTransitionError, match="cannot go from InService to Pending"):
        group.move(in_service(group)[0], LifecycleState.PENDING)


def test_activities_are_kept_for_six_weeks() -> None:
    cloud = Cloud(Settings(health_check_seconds=86_400))
    group = cloud.running(desired=1)
    cloud.pass_time(43 * 86_400)
    sizes.set_desired_capacity(group, 2)
    cloud.pass_time(30)
    assert [seen.description[-1] for seen in activities(group)] == [ids(group)[1][-1]]


def test_idle_world_asks_for_no_tick() -> None:
    cloud = Cloud()
    cloud.create(desired=0)
    assert cloud.scaling.tick() is None
