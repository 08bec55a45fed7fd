"""Groups reach what they are asked to be, and refuse what cannot be."""

from collections.abc import Callable

import pytest

from goldfleet.scaling import sizes
from goldfleet.scaling.group import Group
from goldfleet.scaling.model import GroupUpdate, LaunchSource, Zone
from goldfleet.scaling.refusals import CallRefusedError
from tests.unit.scaling.world import CONFIGURATION, TEMPLATE, ZONES, Cloud, activities, ids, in_service, states


def test_new_group_launches_its_desired_capacity() -> None:
    group = Cloud().create(desired=3)
    assert states(group) == {"Pending": 3}


def test_new_group_reaches_service_and_stays() -> None:
    cloud = Cloud()
    group = cloud.running(desired=3)
    before = ids(group)
    cloud.pass_time(3600)
    assert states(group) == {"InService": 3}
    assert ids(group) == before
    assert len(cloud.machines.all) == 3


def test_new_group_tells_why_it_launched() -> None:
    group = Cloud().running(desired=2)
    [first, _] = activities(group)
    assert first.description == f"Launching a new EC2 instance: {ids(group)[1]}"
    assert first.cause == (
        "At 2026-11-23T14:15:30Z a user request created an AutoScalingGroup changing the desired capacity from 0 to 2.  "
        "At 2026-11-23T14:15:30Z an instance was started in response to a difference between desired and actual capacity, "
        "increasing the capacity from 0 to 2."
    )
    assert (first.status_code, first.progress) == ("Successful", 100)
    assert first.details == '{"Subnet ID": "subnet-b", "Availability Zone": "us-east-1b"}'


def test_raised_desired_capacity_launches_the_difference() -> None:
    cloud = Cloud()
    group = cloud.running(desired=2)
    sizes.set_desired_capacity(group, 4)
    cloud.pass_time(30)
    assert len(in_service(group)) == 4
    assert "a user request explicitly set group desired capacity changing the desired capacity from 2 to 4" in (
        next(activities(group)).cause
    )


def test_lowered_desired_capacity_terminates_the_difference() -> None:
    cloud = Cloud()
    group = cloud.running(desired=4)
    sizes.set_desired_capacity(group, 2)
    cloud.pass_time(30)
    assert len(in_service(group)) == 2
    cause = next(activities(group, "Terminating EC2 instance: ")).cause
    assert "shrinking the capacity from 4 to 2.  At" in cause
    assert cause.count("was selected for termination.") == 2


def test_lowered_desired_capacity_takes_pending_instances_first() -> None:
    cloud = Cloud()
    group = cloud.running(desired=3)
    served = ids(group)
    sizes.set_desired_capacity(group, 5)
    cloud.scaling.tick()
    sizes.set_desired_capacity(group, 3)
    cloud.pass_time(30)
    assert ids(group) == served


@pytest.mark.parametrize(
    ("desired", "message"),
    [
        (6, "New SetDesiredCapacity value 6 is above max value 5 for the AutoScalingGroup."),
        (1, "New SetDesiredCapacity value 1 is below min value 2 for the AutoScalingGroup."),
    ],
    ids=["above max", "below min"],
)
def test_desired_capacity_outside_the_bounds_is_refused(desired: int, message: str) -> None:
    group = Cloud().create(2, 5, 3)
    with pytest.raises(CallRefusedError, match=message) as refused:
        sizes.set_desired_capacity(group, desired)
    assert refused.value.code == "ValidationError"
    assert group.spec.desired_capacity == 3


def test_running_activity_refuses_a_call_that_honours_the_cooldown() -> None:
    group = Cloud().create(desired=1)
    with pytest.raises(CallRefusedError, match="Scaling activity activity-1 is in progress") as refused:
        sizes.set_desired_capacity(group, 2, honors_cooldown=True)
    assert refused.value.code == "ScalingActivityInProgress"


def test_cooldown_refuses_until_it_is_over() -> None:
    cloud = Cloud()
    group = cloud.running(desired=1)
    with pytest.raises(CallRefusedError, match="blocks this action"):
        sizes.set_desired_capacity(group, 2, honors_cooldown=True)
    cloud.pass_time(300)
    sizes.set_desired_capacity(group, 2, honors_cooldown=True)
    assert group.spec.desired_capacity == 2


@pytest.mark.parametrize(
    ("update", "sizes_after"),
    [
        (GroupUpdate(min_size=4), (4, 10, 4)),
        (GroupUpdate(max_size=2), (0, 2, 2)),
        (GroupUpdate(min_size=1, max_size=4, desired_capacity=4), (1, 4, 4)),
    ],
    ids=["raised minimum lifts desired", "lowered maximum lowers desired", "all three given"],
)
def test_updated_sizes_keep_desired_inside(update: GroupUpdate, sizes_after: tuple[int, int, int]) -> None:
    cloud = Cloud()
    group = cloud.running(desired=3)
    sizes.update_group(group, update)
    cloud.pass_time(60)
    assert (group.spec.min_size, group.spec.max_size, group.spec.desired_capacity) == sizes_after
    assert len(in_service(group)) == sizes_after[2]


@pytest.mark.parametrize(
    ("update", "message"),
    [
        (GroupUpdate(min_size=5, max_size=4), "Max bound, 4, must be greater than or equal to min bound, 5"),
        (
            GroupUpdate(desired_capacity=11),
            "Desired capacity:11 must be between the specified min size:0 and max size:10",
        ),
        (GroupUpdate(zones=()), "At least one Availability Zone or VPC Subnet is required"),
        (GroupUpdate(source=LaunchSource()), "Valid requests must contain either LaunchTemplate"),
        (GroupUpdate(health_check_types=frozenset({"VPC"})), "Invalid HealthCheckType: VPC"),
        (GroupUpdate(health_check_grace_seconds=-1), "must not be negative"),
        (GroupUpdate(termination_policies=("AllocationStrategy",)), "AllocationStrategy is not supported here"),
        (GroupUpdate(termination_policies=("arn:aws:lambda:x",)), "arn:aws:lambda:x is not supported here"),
        (GroupUpdate(termination_policies=("Oldest",)), "The termination policy Oldest is not valid"),
    ],
    ids=["bounds", "desired", "zones", "source", "health", "grace", "allocation", "lambda", "policy"],
)
def test_wrong_update_is_refused_and_changes_nothing(update: GroupUpdate, message: str) -> None:
    group = Cloud().create(desired=3)
    before = group.spec
    with pytest.raises(CallRefusedError, match=message):
        sizes.update_group(group, update)
    assert group.spec is before


def test_alarm_scales_within_the_bounds() -> None:
    cloud = Cloud()
    group = cloud.running(1, 4, 2)
    sizes.scale_by_alarm(group, "busy", "more", 9)
    cloud.pass_time(30)
    assert len(in_service(group)) == 4
    cause = next(activities(group)).cause
    assert (
        "a monitor alarm busy in state ALARM triggered policy more changing the desired capacity from 2 to 4" in cause
    )


def test_second_group_of_a_name_is_refused() -> None:
    cloud = Cloud()
    cloud.create()
    with pytest.raises(CallRefusedError, match="A group with the name web already exists") as refused:
        cloud.create()
    assert refused.value.code == "AlreadyExists"


def test_group_of_an_unknown_launch_configuration_is_refused() -> None:
    with pytest.raises(CallRefusedError, match="Launch configuration name not found - gone"):
        Cloud().create(source=LaunchSource(launch_configuration_name="gone"))


def test_unknown_group_is_refused() -> None:
    with pytest.raises(CallRefusedError, match="AutoScalingGroup name not found - AutoScalingGroup 'web' not found"):
        Cloud().scaling.group("web")


def test_group_with_instances_is_not_deleted() -> None:
    cloud = Cloud()
    cloud.running()
    with pytest.raises(CallRefusedError) as refused:
        cloud.scaling.delete_group("web")
    assert refused.value.code == "ResourceInUse"


def test_group_whose_instances_are_leaving_is_not_deleted() -> None:
    cloud = Cloud()
    group = cloud.running()
    sizes.set_desired_capacity(group, 0)
    cloud.scaling.tick()
    with pytest.raises(CallRefusedError) as refused:
        cloud.scaling.delete_group("web")
    assert refused.value.code == "ScalingActivityInProgress"


def test_empty_group_is_deleted_at_once() -> None:
    cloud = Cloud()
    cloud.create(desired=0)
    cloud.scaling.delete_group("web")
    assert cloud.scaling.groups == {}


@pytest.mark.parametrize("seconds", [0, 1, 3, 6, 30], ids=lambda seconds: f"{seconds} s after its creation")
def test_forced_deletion_ends_every_instance_then_the_group(seconds: int) -> None:
    cloud = Cloud()
    cloud.create(desired=3, target_group_arns=("tg",))
    cloud.pass_time(seconds)
    cloud.scaling.delete_group("web", is_forced=True)
    with pytest.raises(CallRefusedError, match="pending delete"):
        cloud.scaling.group("web")
    cloud.pass_time(5)
    assert cloud.scaling.groups == {}
    assert sorted(cloud.machines.terminated) == sorted(cloud.machines.all)


def change_template(group: Group, cloud: Cloud) -> None:
    cloud.launches.latest = 2


def change_configuration(group: Group, cloud: Cloud) -> None:
    sizes.update_group(group, GroupUpdate(source=LaunchSource(launch_configuration_name="web-2")))


@pytest.mark.parametrize(
    ("source", "change", "before", "after"),
    [(TEMPLATE, change_template, (1, ""), (2, "")), (CONFIGURATION, change_configuration, (0, "web-1"), (0, "web-2"))],
    ids=["$Latest of a template", "launch configuration"],
)
def test_members_keep_what_they_were_launched_with(
    source: LaunchSource,
    change: Callable[[Group, Cloud], None],
    before: tuple[int, str],
    after: tuple[int, str],
) -> None:
    cloud = Cloud()
    group = cloud.running(desired=1, source=source)
    change(group, cloud)
    sizes.set_desired_capacity(group, 2)
    cloud.pass_time(30)
    launches = [member.launch for member in in_service(group)]
    assert [(seen.launch_template_version, seen.launch_configuration_name) for seen in launches if seen] == [
        before,
        after,
    ]


def test_used_launch_configurations_are_named() -> None:
    cloud = Cloud()
    cloud.create(source=CONFIGURATION)
    assert cloud.scaling.launch_configurations_in_use() == {"web-1"}


def test_group_that_left_a_zone_moves_its_members() -> None:
    cloud = Cloud()
    group = cloud.running(desired=3)
    sizes.update_group(group, GroupUpdate(zones=ZONES[:2]))
    cloud.pass_time(60)
    assert {member.zone for member in in_service(group)} == {"us-east-1a", "us-east-1b"}
    assert len(in_service(group)) == 3


def test_group_in_one_zone_stays_there() -> None:
    group = Cloud().running(desired=3, zones=(Zone("us-east-1a"),))
    assert {member.zone for member in in_service(group)} == {"us-east-1a"}
