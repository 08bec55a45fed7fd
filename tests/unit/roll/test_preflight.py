"""Every obstacle is found, all at once, with what, seen, wanted and what to do."""

from dataclasses import replace

import pytest

from goldfleet.aws.model import Image
from goldfleet.roll.classify import take_census
from goldfleet.roll.model import Fit, Policy, Progress, Snapshot
from goldfleet.roll.preflight import NEEDED_PROCESSES, Wish, find_notes, find_obstacles, is_finished, plan_roll
from tests.unit.roll.fleets import NEW, OLD, instance, news, olds, roll, snapshot


def image(image_id: str, state: str = "available", architecture: str = "x86_64") -> Image:
    return Image(image_id, image_id, state, architecture, "2026-11-23")


def wish(**changes: object) -> Wish:
    made = Wish("ami-2", image("ami-2"), OLD, image("ami-1"), Policy(1))
    for name, value in changes.items():
        object.__setattr__(made, name, value)
    return made


def seen(**changes: object) -> Snapshot:
    found = snapshot(olds(3), 3, launch=OLD)
    for name, value in changes.items():
        object.__setattr__(found.group, name, value)
    return found


def test_healthy_group_and_good_image_meet_no_obstacle() -> None:
    assert find_obstacles(seen(), wish(), None) == ()


@pytest.mark.parametrize(
    ("found", "asked", "told"),
    [
        (seen(target_group_arns=()), wish(), "web has no target group"),
        (seen(has_mixed_instances_policy=True), wish(), "web has a mixed instances policy"),
        (seen(status="Delete in progress"), wish(), "web is being deleted (status 'Delete in progress')"),
        (seen(desired_capacity=0), wish(), "web has a desired capacity of 0"),
        (seen(), wish(target_image=None), "AMI ami-2 does not exist in this region"),
        (seen(), wish(target_image=image("ami-2", "pending")), "AMI ami-2 is not available: seen state pending"),
        (
            seen(),
            wish(target_image=image("ami-2", architecture="arm64")),
            "AMI ami-2 has architecture arm64, but the group's instances run x86_64 (ami-1)",
        ),
        (seen(), wish(current_image=None), "would be no way back"),
        (
            seen(max_size=3),
            wish(),
            "web: max_size is 3, needs at least 4 (desired 3 + surge 1). Raise it, let the roll do so for its time "
            "(--raise-max), or take a smaller --surge.",
        ),
        (seen(max_size=5), wish(policy=Policy(9)), "needs at least 6 (desired 3 + surge 3)"),
        (seen(), wish(current=Fit(replace(OLD.launch, launch_template_id="lt-" + "a" * 250), "ami-1")), "too long"),
    ],
    ids=[
        "no target group",
        "mixed instances",
        "being deleted",
        "nothing desired",
        "no image",
        "pending image",
        "architecture",
        "no way back",
        "no room",
        "no room for many",
        "long name",
    ],
)
def test_obstacle_is_told(found: Snapshot, asked: Wish, told: str) -> None:
    assert told in " ".join(find_obstacles(found, asked, None))


@pytest.mark.parametrize("process", NEEDED_PROCESSES)
def test_suspended_process_is_told_with_its_reason(process: str) -> None:
    [told] = find_obstacles(seen(suspended={process: "User suspended at 2026"}), wish(), None)
    assert f"its process {process} suspended (User suspended at 2026)" in told
    assert f"--scaling-processes {process}" in told


@pytest.mark.parametrize("process", ["AlarmNotification", "ScheduledActions", "AZRebalance", "InstanceRefresh"])
def test_process_that_a_roll_can_do_without_is_none(process: str) -> None:
    assert find_obstacles(seen(suspended={process: ""}), wish(), None) == ()


def test_unhealthy_group_is_told_by_instance() -> None:
    found = snapshot([*olds(2), instance("x", OLD, state="Pending")], 3, launch=OLD, unhealthy=["i-old1"])
    [told] = find_obstacles(found, wish(), None)
    assert "1 of 3 instances are in service and healthy in every target group" in told
    assert "i-old1 (InService; unhealthy Target.FailedHealthChecks), i-x (Pending; not registered)" in told


def test_roll_in_progress_is_told_with_the_three_ways_on() -> None:
    [told] = find_obstacles(seen(), wish(), roll())
    assert "20261123-141530-a1b2c3, rolling, to ami-2" in told
    assert all(way in told for way in ("resume", "abort", "rollback"))


def test_all_obstacles_come_at_once() -> None:
    found = seen(target_group_arns=("tg-1", "tg-2"), suspended={"Launch": "", "Terminate": ""}, max_size=3)
    assert len(find_obstacles(found, wish(target_image=None, current_image=None), roll())) == 7


@pytest.mark.parametrize(
    ("maximum", "may_raise", "raised"), [(3, True, 4), (4, True, None), (3, False, None), (20, True, None)]
)
def test_maximum_is_raised_only_when_allowed_and_needed(maximum: int, may_raise: bool, raised: int | None) -> None:
    asked = wish(may_raise_max=may_raise)
    assert plan_roll("run", seen(max_size=maximum), NEW, asked).raised_max == raised
    assert not may_raise or find_obstacles(seen(max_size=maximum), asked, None) == ()


def test_skipped_instances_are_noted() -> None:
    found = snapshot([instance("p", OLD, is_protected=True), instance("s", OLD, state="Standby"), *news(1)], 2)
    assert find_notes(take_census(found, roll(0), Progress())) == (
        "Protected from scale-in, so skipped: i-p.",
        "In Standby, so skipped: i-s.",
    )


def test_group_is_finished_when_only_skipped_instances_are_old() -> None:
    found = snapshot([instance("p", OLD, is_protected=True), *news(2)], 3)
    assert is_finished(found, roll(0))
    assert not is_finished(snapshot([*olds(1), *news(2)], 3), roll(0))
    assert not is_finished(snapshot(news(2), 3), roll(0))


def test_snapshot_of_the_current_ami_in_the_launch_is_an_obstacle() -> None:
    wish = Wish("ami-2", image("ami-2"), OLD, image("ami-1"), Policy(1), pinned_snapshots=("snap-1",))
    found = find_obstacles(snapshot(olds(3), 3), wish, None)
    assert any("names the snapshot snap-1 of its AMI ami-1" in one for one in found)
