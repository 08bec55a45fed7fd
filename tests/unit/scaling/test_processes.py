"""Each suspended process stops what AWS says it stops, and nothing else."""

import pytest

from goldfleet.scaling import health, membership, processes, schedule, sizes
from goldfleet.scaling.model import GroupUpdate, MachineState, ScheduledAction
from goldfleet.scaling.refusals import CallRefusedError
from tests.unit.scaling.world import START, ZONES, Cloud, ids, in_service, states


def test_suspended_launch_holds_a_scale_out_until_it_is_resumed() -> None:
    cloud = Cloud()
    group = cloud.running(desired=1)
    processes.suspend(group, ["Launch"])
    sizes.set_desired_capacity(group, 3)
    cloud.pass_time(60)
    assert states(group) == {"InService": 1}
    processes.resume(group, ["Launch"])
    cloud.pass_time(30)
    assert states(group) == {"InService": 3}


def test_suspended_launch_still_terminates_the_unhealthy_and_replaces_them_later() -> None:
    cloud = Cloud()
    group = cloud.running(desired=2)
    processes.suspend(group, ["Launch"])
    cloud.machines.all[ids(group)[0]].fault = MachineState.STOPPED
    cloud.pass_time(30)
    assert states(group) == {"InService": 1}
    processes.resume(group)
    cloud.pass_time(30)
    assert states(group) == {"InService": 2}


def test_suspended_terminate_holds_a_scale_in_and_replacements() -> None:
    cloud = Cloud()
    group = cloud.running(desired=3)
    processes.suspend(group, ["Terminate"])
    sick = ids(group)[0]
    health.set_instance_health(*cloud.scaling.member(sick), "Unhealthy")
    sizes.set_desired_capacity(group, 2)
    cloud.pass_time(60)
    assert states(group) == {"InService": 3}
    processes.resume(group, ["Terminate"])
    cloud.pass_time(60)
    assert states(group) == {"InService": 2}
    assert sick not in ids(group)


def test_suspended_terminate_does_not_hold_a_forced_deletion() -> None:
    cloud = Cloud()
    group = cloud.running(desired=2)
    processes.suspend(group, ["Terminate"])
    cloud.scaling.delete_group("web", is_forced=True)
    cloud.pass_time(30)
    assert cloud.scaling.groups == {}


def test_suspended_healthcheck_leaves_stopped_members_but_not_those_the_user_names() -> None:
    cloud = Cloud()
    group = cloud.running(desired=2)
    processes.suspend(group, ["HealthCheck"])
    stopped, named = ids(group)
    cloud.machines.all[stopped].fault = MachineState.STOPPED
    health.set_instance_health(*cloud.scaling.member(named), "Unhealthy")
    cloud.pass_time(60)
    assert stopped in ids(group)
    assert named not in ids(group)


def test_suspended_replaceunhealthy_marks_and_keeps() -> None:
    cloud = Cloud()
    group = cloud.running(desired=1)
    processes.suspend(group, ["ReplaceUnhealthy"])
    [sick] = ids(group)
    cloud.machines.all[sick].fault = MachineState.STOPPED
    cloud.pass_time(60)
    assert [member.health_status for member in in_service(group)] == ["Unhealthy"]
    processes.resume(group, ["ReplaceUnhealthy"])
    cloud.pass_time(60)
    assert sick not in ids(group)


def test_suspended_azrebalance_leaves_zones_uneven_until_it_is_resumed() -> None:
    cloud = Cloud()
    group = cloud.running(desired=3, zones=ZONES[:1])
    processes.suspend(group, ["AZRebalance"])
    sizes.update_group(group, GroupUpdate(zones=ZONES))
    cloud.pass_time(60)
    assert len(cloud.machines.all) == 3
    processes.resume(group)
    cloud.pass_time(120)
    assert sorted(member.zone for member in in_service(group)) == [zone.name for zone in ZONES]


def test_suspended_alarmnotification_ignores_alarms() -> None:
    group = Cloud().running(desired=1)
    processes.suspend(group, ["AlarmNotification"])
    sizes.scale_by_alarm(group, "busy", "more", 3)
    assert group.spec.desired_capacity == 1


def test_suspended_scheduledactions_skips_them_for_good() -> None:
    cloud = Cloud()
    group = cloud.running(desired=1)
    processes.suspend(group, ["ScheduledActions"])
    schedule.put_scheduled_action(group, ScheduledAction("later", desired_capacity=3, starts_at=START + 100))
    cloud.pass_time(200)
    processes.resume(group)
    cloud.pass_time(200)
    assert group.spec.desired_capacity == 1


def test_suspensions_say_since_when() -> None:
    group = Cloud().create()
    processes.suspend(group, ["InstanceRefresh"])
    assert group.suspended == {"InstanceRefresh": "User suspended at 2026-11-23T14:15:30Z"}


def test_no_name_means_all_processes() -> None:
    group = Cloud().create()
    processes.suspend(group)
    assert len(group.suspended) == 9
    processes.resume(group)
    assert group.suspended == {}


def test_unknown_process_is_refused() -> None:
    with pytest.raises(CallRefusedError, match="Relaunch is not a valid process"):
        processes.suspend(Cloud().create(), ["Relaunch"])


def test_suspended_terminate_still_obeys_a_call_that_names_the_instance() -> None:
    cloud = Cloud()
    group = cloud.running(desired=1)
    processes.suspend(group, ["Terminate"])
    membership.terminate_instance(*cloud.scaling.member(ids(group)[0]), decrements=True)
    cloud.pass_time(30)
    assert states(group) == {}
