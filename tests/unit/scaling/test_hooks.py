"""Lifecycle hooks hold members until they are completed, abandoned or time out."""

import pytest

from goldfleet.scaling import hooks, sizes
from goldfleet.scaling.group import Group
from goldfleet.scaling.model import ActionResult, Hook, Transition
from goldfleet.scaling.refusals import CallRefusedError
from tests.unit.scaling.world import Cloud, activities, ids, in_service, states

CONTINUE, ABANDON = ActionResult.CONTINUE, ActionResult.ABANDON
LAUNCH = Hook("warm", Transition.LAUNCHING, 60)
TERMINATE = Hook("drain", Transition.TERMINATING, 60)


def waiting_launch(cloud: Cloud, *more: Hook, hook: Hook = LAUNCH) -> Group:
    group = cloud.create(desired=0)
    for each in (hook, *more):
        hooks.put_hook(group, each)
    sizes.set_desired_capacity(group, 1)
    cloud.pass_time(5)
    return group


def waiting_termination(cloud: Cloud, *more: Hook, hook: Hook = TERMINATE) -> Group:
    group = cloud.running(desired=1)
    for each in (hook, *more):
        hooks.put_hook(group, each)
    sizes.set_desired_capacity(group, 0)
    cloud.pass_time(5)
    return group


def test_launch_hook_holds_the_member() -> None:
    group = waiting_launch(Cloud())
    assert states(group) == {"Pending:Wait": 1}
    assert next(activities(group)).status_code == "MidLifecycleAction"


def test_completed_launch_hook_puts_the_member_into_service() -> None:
    cloud = Cloud()
    group = waiting_launch(cloud)
    hooks.complete_action(group, "warm", CONTINUE, instance_id=ids(group)[0])
    assert states(group) == {"InService": 1}
    assert next(activities(group)).status_code == "Successful"


def test_action_is_found_by_its_token() -> None:
    group = waiting_launch(Cloud())
    [member] = group.roster
    hooks.complete_action(group, "warm", CONTINUE, token=member.actions["warm"].token)
    assert states(group) == {"InService": 1}


def test_abandoned_launch_hook_replaces_the_member() -> None:
    cloud = Cloud()
    group = waiting_launch(cloud)
    [failed] = ids(group)
    hooks.complete_action(group, "warm", ABANDON, instance_id=failed)
    cloud.pass_time(5)
    assert cloud.machines.terminated == [failed]
    assert states(group) == {"Pending:Wait": 1}
    launch = next(seen for seen in activities(group, "Launching") if failed in seen.description)
    assert launch.status_code == "Cancelled"
    assert launch.status_message.endswith("was abandoned: Lifecycle Action Completed with ABANDON Result")
    assert launch.description.endswith(f"Status Reason: {launch.status_message}")
    [termination] = activities(group, "Terminating")
    assert termination.cause.endswith("an instance was taken out of service in response to a launch failure.")


@pytest.mark.parametrize(
    ("default", "after"),
    [(CONTINUE, {"InService": 1}), (ABANDON, {"Terminating": 1, "Pending": 1})],
    ids=["CONTINUE", "ABANDON"],
)
def test_launch_hook_that_times_out_gets_its_default_result(default: ActionResult, after: dict[str, int]) -> None:
    cloud = Cloud()
    group = waiting_launch(cloud, hook=Hook("warm", Transition.LAUNCHING, 60, default))
    cloud.pass_time(58)
    assert states(group) == after


def test_timed_out_hook_says_heartbeat_timeout() -> None:
    cloud = Cloud()
    group = waiting_launch(cloud)
    cloud.pass_time(60)
    assert any(
        seen.status_message.endswith("was abandoned: Heartbeat Timeout") for seen in activities(group, "Launching")
    )


def test_heartbeat_prolongs_the_wait() -> None:
    cloud = Cloud()
    group = waiting_launch(cloud)
    cloud.pass_time(50)
    hooks.record_heartbeat(group, "warm", instance_id=ids(group)[0])
    cloud.pass_time(50)
    assert states(group) == {"Pending:Wait": 1}


def test_heartbeats_do_not_prolong_past_the_global_timeout() -> None:
    cloud = Cloud()
    group = waiting_launch(cloud, hook=Hook("warm", Transition.LAUNCHING, 30, CONTINUE))
    for _ in range(149):
        hooks.record_heartbeat(group, "warm", instance_id=ids(group)[0])
        cloud.pass_time(20)
    hooks.record_heartbeat(group, "warm", instance_id=ids(group)[0])
    assert states(group) == {"Pending:Wait": 1}
    cloud.pass_time(20)
    assert states(group) == {"InService": 1}


def test_global_timeout_is_at_most_48_hours() -> None:
    assert Hook("slow", Transition.LAUNCHING, 7200).global_timeout_seconds == 48 * 3600
    assert LAUNCH.global_timeout_seconds == 6000


def test_one_of_two_completed_hooks_still_holds() -> None:
    group = waiting_launch(Cloud(), Hook("second", Transition.LAUNCHING, 60))
    hooks.complete_action(group, "warm", CONTINUE, instance_id=ids(group)[0])
    assert states(group) == {"Pending:Wait": 1}
    hooks.complete_action(group, "second", CONTINUE, instance_id=ids(group)[0])
    assert states(group) == {"InService": 1}


def test_abandon_ends_the_other_hooks_too() -> None:
    group = waiting_launch(Cloud(), Hook("second", Transition.LAUNCHING, 60))
    [member] = group.roster
    hooks.complete_action(group, "warm", ABANDON, instance_id=member.instance_id)
    assert member.state == "Terminating"
    assert member.actions == {}


def test_termination_hook_holds_the_member_and_its_machine() -> None:
    cloud = Cloud()
    group = waiting_termination(cloud)
    assert states(group) == {"Terminating:Wait": 1}
    assert cloud.machines.terminated == []


@pytest.mark.parametrize("result", [CONTINUE, ABANDON], ids=lambda result: result.value)
def test_ended_termination_hook_terminates_either_way(result: ActionResult) -> None:
    cloud = Cloud()
    group = waiting_termination(cloud, Hook("second", Transition.TERMINATING, 60))
    [member] = group.roster
    hooks.complete_action(group, "drain", result, instance_id=member.instance_id)
    assert (member.state == "Terminating:Proceed") is (result is ABANDON)
    cloud.pass_time(60)
    assert states(group) == {}
    assert next(activities(group, "Terminating")).status_code == "Successful"


def test_waiting_termination_does_not_hold_up_the_replacement() -> None:
    cloud = Cloud()
    group = waiting_termination(cloud)
    sizes.set_desired_capacity(group, 1)
    cloud.pass_time(10)
    assert states(group) == {"Terminating:Wait": 1, "InService": 1}


@pytest.mark.parametrize(
    ("wait", "after"),
    [(waiting_launch, {"Terminating": 1}), (waiting_termination, {"Terminating:Proceed": 1})],
    ids=["launch is abandoned", "termination goes on"],
)
def test_deleted_hook_ends_its_actions(wait: object, after: dict[str, int]) -> None:
    group = wait(Cloud())  # type: ignore[operator]
    hooks.delete_hook(group, next(iter(group.hooks)))
    assert states(group) == after
    assert group.hooks == {}


def test_machine_that_dies_while_it_waits_is_replaced() -> None:
    cloud = Cloud()
    group = waiting_launch(cloud)
    [lost] = ids(group)
    cloud.machines.terminate(lost)
    cloud.pass_time(15)
    assert lost not in ids(group)
    assert states(group) == {"Pending:Wait": 1}
    launch = next(seen for seen in activities(group, "Launching") if lost in seen.description)
    assert "Instance became unhealthy while waiting for instance to be in InService state" in launch.status_message


def test_put_again_changes_a_hook_but_not_who_waits_already() -> None:
    cloud = Cloud()
    group = waiting_launch(cloud)
    hooks.put_hook(group, Hook("warm", Transition.LAUNCHING, 7200))
    cloud.pass_time(60)
    assert any(seen.status_code == "Cancelled" for seen in activities(group))


def test_member_back_from_nowhere_has_no_action() -> None:
    cloud = Cloud()
    group = cloud.running(desired=1)
    hooks.put_hook(group, LAUNCH)
    with pytest.raises(CallRefusedError, match=f"No active Lifecycle Action found with instance ID {ids(group)[0]}"):
        hooks.complete_action(group, "warm", CONTINUE, instance_id=ids(group)[0])
    with pytest.raises(CallRefusedError, match="No active Lifecycle Action found with token t"):
        hooks.record_heartbeat(group, "warm", token="t")
    assert len(in_service(group)) == 1


def test_unknown_hook_is_refused() -> None:
    group = Cloud().create()
    with pytest.raises(CallRefusedError, match="No Lifecycle Hook found with name: gone"):
        hooks.delete_hook(group, "gone")
    with pytest.raises(CallRefusedError, match="No Lifecycle Hook found with name: gone"):
        hooks.complete_action(group, "gone", CONTINUE, instance_id="i")


@pytest.mark.parametrize("seconds", [29, 7201])
def test_timeout_out_of_range_is_refused(seconds: int) -> None:
    with pytest.raises(CallRefusedError, match="HeartbeatTimeout must be between 30 and 7200 seconds"):
        hooks.put_hook(Cloud().create(), Hook("h", Transition.LAUNCHING, seconds))


def test_fifty_first_hook_is_refused() -> None:
    group = Cloud().create()
    for number in range(50):
        hooks.put_hook(group, Hook(str(number), Transition.LAUNCHING))
    with pytest.raises(CallRefusedError) as refused:
        hooks.put_hook(group, Hook("one more", Transition.LAUNCHING))
    assert refused.value.code == "LimitExceeded"
    hooks.put_hook(group, Hook("0", Transition.TERMINATING))
    assert len(group.hooks) == 50
