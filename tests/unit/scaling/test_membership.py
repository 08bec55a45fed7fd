"""Standby, attach, detach, terminate and protect do what they say, or refuse as a whole."""

from collections.abc import Callable, Sequence

import pytest

from goldfleet.scaling import hooks, membership, sizes
from goldfleet.scaling.group import Group
from goldfleet.scaling.model import Hook, MachineState, Transition
from goldfleet.scaling.refusals import CallRefusedError
from tests.unit.scaling.world import Cloud, activities, ids, in_service, states


def test_decremented_standby_is_not_replaced() -> None:
    cloud = Cloud()
    group = cloud.running(desired=3)
    [activity] = membership.enter_standby(group, ids(group)[:1], decrements=True)
    assert (activity.status_code, activity.progress) == ("InProgress", 50)
    cloud.pass_time(30)
    assert states(group) == {"Standby": 1, "InService": 2}
    assert activity.description == f"Moving EC2 instance to Standby: {ids(group)[0]}"
    assert activity.cause.endswith(
        "was moved to standby in response to a user request, shrinking the capacity from 3 to 2."
    )
    assert activity.status_code == "Successful"


def test_standby_without_decrement_is_replaced() -> None:
    cloud = Cloud()
    group = cloud.running(desired=3)
    membership.enter_standby(group, ids(group)[:1], decrements=False)
    cloud.pass_time(30)
    assert states(group) == {"Standby": 1, "InService": 3}


def test_standby_is_never_scaled_in_nor_checked() -> None:
    cloud = Cloud()
    group = cloud.running(desired=3)
    aside = ids(group)[0]
    membership.enter_standby(group, [aside], decrements=True)
    cloud.pass_time(10)
    cloud.machines.all[aside].fault = MachineState.STOPPED
    sizes.set_desired_capacity(group, 0)
    cloud.pass_time(60)
    assert ids(group) == [aside]


def test_end_of_standby_raises_desired_and_runs_no_hooks() -> None:
    cloud = Cloud()
    group = cloud.running(desired=2)
    hooks.put_hook(group, Hook("warm", Transition.LAUNCHING))
    membership.enter_standby(group, ids(group)[:1], decrements=True)
    cloud.pass_time(10)
    [activity] = membership.exit_standby(group, ids(group)[:1])
    assert (activity.status_code, activity.progress) == ("PreInService", 30)
    assert activity.cause.endswith(
        "was moved out of standby in response to a user request, increasing the capacity from 1 to 2."
    )
    cloud.pass_time(10)
    assert states(group) == {"InService": 2}
    assert group.spec.desired_capacity == 2


def test_stopped_machine_does_not_come_back_from_standby() -> None:
    cloud = Cloud()
    group = cloud.running(desired=2)
    lost = ids(group)[0]
    membership.enter_standby(group, [lost], decrements=True)
    cloud.pass_time(10)
    cloud.machines.terminate(lost)
    membership.exit_standby(group, [lost])
    cloud.pass_time(30)
    assert lost not in ids(group)
    assert states(group) == {"InService": 2}


def test_decremented_detach_leaves_the_machine_running() -> None:
    cloud = Cloud()
    group = cloud.running(desired=3)
    gone = ids(group)[0]
    [activity] = membership.detach(group, [gone], decrements=True)
    assert states(group) == {"Detaching": 1, "InService": 2}
    cloud.pass_time(30)
    assert gone not in ids(group)
    assert states(group) == {"InService": 2}
    assert cloud.machines.terminated == []
    assert activity.description == f"Detaching EC2 instance: {gone}"
    assert activity.status_code == "Successful"


def test_detach_without_decrement_is_replaced() -> None:
    cloud = Cloud()
    group = cloud.running(desired=3)
    membership.detach(group, ids(group)[:2], decrements=False)
    cloud.pass_time(30)
    assert states(group) == {"InService": 3}
    assert len(cloud.machines.all) == 5


def test_detach_from_standby_leaves_desired_alone() -> None:
    cloud = Cloud()
    group = cloud.running(desired=2)
    membership.enter_standby(group, ids(group)[:1], decrements=False)
    cloud.pass_time(30)
    membership.detach(group, ids(group)[:1], decrements=True)
    cloud.pass_time(30)
    assert states(group) == {"InService": 2}
    assert group.spec.desired_capacity == 2


def test_attached_machine_counts_and_has_no_launch() -> None:
    cloud = Cloud()
    group = cloud.running(desired=1)
    outside = cloud.machines.add("us-east-1b")
    [activity] = cloud.scaling.attach("web", [outside])
    cloud.pass_time(10)
    assert states(group) == {"InService": 2}
    assert group.spec.desired_capacity == 2
    assert activity.description == f"Attaching an existing EC2 instance: {outside}"
    assert group.roster.get(outside).launch is None  # type: ignore[union-attr]


def test_member_of_another_group_is_not_attached() -> None:
    cloud = Cloud()
    group = cloud.running(desired=1)
    with pytest.raises(CallRefusedError, match="is already part of AutoScalingGroup:web"):
        cloud.scaling.attach("web", ids(group))


@pytest.mark.parametrize(
    ("zone", "runs_at", "message"),
    [
        ("us-east-1a", 1e12, "Instance\\(s\\) must be in 'running' state"),
        ("us-west-2a", 0.0, "us-west-2a, is not one of"),
    ],
    ids=["not running", "other zone"],
)
def test_machine_that_cannot_join_is_not_attached(zone: str, runs_at: float, message: str) -> None:
    cloud = Cloud()
    group = cloud.running(desired=1)
    with pytest.raises(CallRefusedError, match=message):
        cloud.scaling.attach("web", [cloud.machines.add(zone, runs_at=runs_at)])
    assert len(group.roster) == 1


def enter(group: Group, instance_ids: Sequence[str]) -> object:
    return membership.enter_standby(group, instance_ids, decrements=True)


def detach(group: Group, instance_ids: Sequence[str]) -> object:
    return membership.detach(group, instance_ids, decrements=True)


@pytest.mark.parametrize(
    ("call", "verb"), [(enter, "place into standby"), (detach, "detach")], ids=["enter standby", "detach"]
)
def test_decrement_below_the_minimum_is_refused(call: Callable[[Group, Sequence[str]], object], verb: str) -> None:
    group = Cloud().running(3, 4, 3)
    message = (
        f"AutoScalingGroup web has min-size=3, max-size=4, and desired-size=3. To {verb} 1 instance, please update the "
        "AutoScalingGroup sizes appropriately."
    )
    with pytest.raises(CallRefusedError, match=message):
        call(group, ids(group)[:1])
    assert states(group) == {"InService": 3}


def test_attach_above_the_maximum_is_refused() -> None:
    cloud = Cloud()
    cloud.running(0, 1, 1)
    outside = [cloud.machines.add("us-east-1a"), cloud.machines.add("us-east-1b")]
    with pytest.raises(CallRefusedError, match="To attach 2 instances, please update the AutoScalingGroup sizes"):
        cloud.scaling.attach("web", outside)


def test_end_of_standby_above_the_maximum_is_refused() -> None:
    cloud = Cloud()
    group = cloud.running(0, 2, 2)
    membership.enter_standby(group, ids(group)[:1], decrements=False)
    cloud.pass_time(30)
    with pytest.raises(CallRefusedError, match="To exit from standby 1 instance"):
        membership.exit_standby(group, ids(group)[:1])


def test_one_wrong_instance_refuses_the_whole_call() -> None:
    cloud = Cloud()
    group = cloud.running(desired=3)
    with pytest.raises(CallRefusedError, match="The instance i-gone is not part of Auto Scaling group web"):
        membership.enter_standby(group, [*ids(group), "i-gone"], decrements=True)
    with pytest.raises(CallRefusedError, match=f"The instance {ids(group)[0]} is not in Standby"):
        membership.exit_standby(group, ids(group))
    assert states(group) == {"InService": 3}


@pytest.mark.parametrize(
    ("batch", "message"),
    [([], "Between 1 and 20"), ([f"i-{n}" for n in range(21)], "not 21"), (["i-1", "i-1"], "given twice")],
    ids=["none", "too many", "twice"],
)
def test_wrong_batch_is_refused(batch: list[str], message: str) -> None:
    with pytest.raises(CallRefusedError, match=message):
        membership.enter_standby(Cloud().running(), batch, decrements=True)


def test_terminated_member_is_replaced() -> None:
    cloud = Cloud()
    group = cloud.running(desired=2)
    lost = ids(group)[0]
    activity = membership.terminate_instance(*cloud.scaling.member(lost), decrements=False)
    assert (activity.description, activity.progress) == (f"Terminating EC2 instance: {lost}", 0)
    assert activity.cause.endswith(f"instance {lost} was taken out of service in response to a user request.")
    cloud.pass_time(30)
    assert lost not in ids(group)
    assert states(group) == {"InService": 2}


def test_terminated_member_with_decrement_is_not_replaced() -> None:
    cloud = Cloud()
    group = cloud.running(desired=2)
    activity = membership.terminate_instance(*cloud.scaling.member(ids(group)[0]), decrements=True)
    cloud.pass_time(30)
    assert states(group) == {"InService": 1}
    assert activity.cause.endswith("shrinking the capacity from 2 to 1.")
    assert activity.status_code == "Successful"


def test_second_termination_answers_with_the_first() -> None:
    cloud = Cloud()
    group = cloud.running(desired=2)
    found = cloud.scaling.member(ids(group)[0])
    first = membership.terminate_instance(*found, decrements=True)
    assert membership.terminate_instance(*found, decrements=True) is first
    assert group.spec.desired_capacity == 1


def test_termination_below_the_minimum_is_refused() -> None:
    cloud = Cloud()
    group = cloud.running(2, 4, 2)
    with pytest.raises(
        CallRefusedError, match=r"Currently, desiredSize equals minSize \(2\)\. Terminating instance without"
    ):
        membership.terminate_instance(*cloud.scaling.member(ids(group)[0]), decrements=True)
    assert states(group) == {"InService": 2}


def test_unknown_instance_is_refused() -> None:
    with pytest.raises(CallRefusedError, match="No managed instance found for instance ID: i-gone"):
        Cloud().scaling.member("i-gone")


def test_protected_members_are_not_scaled_in() -> None:
    cloud = Cloud()
    group = cloud.running(desired=4)
    kept = ids(group)[:2]
    membership.set_protection(group, kept, is_protected=True)
    sizes.set_desired_capacity(group, 1)
    cloud.pass_time(60)
    assert ids(group) == kept
    blocked = list(activities(group, "Could not scale to desired capacity"))
    assert len(blocked) == 1
    assert blocked[0].status_code == "Cancelled"


def test_lifted_protection_lets_the_scale_in_go_on() -> None:
    cloud = Cloud()
    group = cloud.running(desired=2, new_instances_protected_from_scale_in=True)
    sizes.set_desired_capacity(group, 1)
    cloud.pass_time(60)
    assert len(in_service(group)) == 2
    membership.set_protection(group, ids(group), is_protected=False)
    cloud.pass_time(60)
    assert len(in_service(group)) == 1


def test_protected_member_is_terminated_when_named() -> None:
    cloud = Cloud()
    group = cloud.running(desired=1, new_instances_protected_from_scale_in=True)
    membership.terminate_instance(*cloud.scaling.member(ids(group)[0]), decrements=True)
    cloud.pass_time(30)
    assert states(group) == {}
