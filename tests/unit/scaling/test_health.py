"""Unhealthy members are found, by whoever looks, and replaced."""

import pytest

from goldfleet.scaling import health, processes
from goldfleet.scaling.model import MachineState
from goldfleet.scaling.refusals import CallRefusedError
from tests.unit.scaling.world import Cloud, activities, ids, in_service, states

BOTH_TYPES = frozenset({"EC2", "ELB"})


@pytest.mark.parametrize("state", [MachineState.STOPPED, MachineState.STOPPING, MachineState.TERMINATED])
def test_machine_that_stopped_by_itself_is_replaced_at_once(state: MachineState) -> None:
    cloud = Cloud()
    group = cloud.running(desired=3, health_check_grace_seconds=3600)
    lost = ids(group)[0]
    cloud.machines.all[lost].fault = state
    cloud.pass_time(30)
    assert lost not in ids(group)
    assert len(in_service(group)) == 3
    termination = next(activities(group, f"Terminating EC2 instance: {lost}"))
    assert termination.cause.endswith(
        "an instance was taken out of service in response to an EC2 health check indicating it has been terminated or stopped."
    )
    launch = next(activities(group, "Launching"))
    assert launch.cause.endswith(
        "an instance was launched in response to an unhealthy instance needing to be replaced."
    )


def test_failed_status_check_counts_after_the_grace_period() -> None:
    cloud = Cloud()
    group = cloud.running(desired=1, health_check_grace_seconds=60)
    [sick] = ids(group)
    cloud.machines.all[sick].fault = MachineState.IMPAIRED
    cloud.pass_time(20)
    assert ids(group) == [sick]
    cloud.pass_time(30)
    assert sick not in ids(group)
    assert "EC2 instance status checks failure" in next(activities(group, "Terminating")).cause


def test_unhealthy_target_counts_after_the_grace_period() -> None:
    cloud = Cloud()
    group = cloud.running(
        desired=1, health_check_grace_seconds=60, target_group_arns=("tg",), health_check_types=BOTH_TYPES
    )
    [sick] = ids(group)
    cloud.balancer.unhealthy.add(sick)
    cloud.pass_time(20)
    assert in_service(group)[0].health_status == "Healthy"
    cloud.pass_time(60)
    assert sick not in ids(group)
    assert "an ELB system health check failure." in next(activities(group, "Terminating")).cause


def test_unhealthy_target_does_not_count_for_the_ec2_type() -> None:
    cloud = Cloud()
    group = cloud.running(desired=1, target_group_arns=("tg",))
    cloud.balancer.unhealthy.update(ids(group))
    before = ids(group)
    cloud.pass_time(60)
    assert ids(group) == before


def test_member_called_unhealthy_is_replaced() -> None:
    cloud = Cloud()
    group = cloud.running(desired=2)
    sick = ids(group)[0]
    health.set_instance_health(*cloud.scaling.member(sick), "Unhealthy")
    cloud.scaling.tick()
    assert states(group) == {"Terminating": 1, "InService": 1, "Pending": 1}
    assert "in response to a user health-check." in next(activities(group, "Terminating")).cause


def test_member_called_unhealthy_within_the_grace_period_stays() -> None:
    cloud = Cloud()
    group = cloud.running(desired=1, health_check_grace_seconds=3600)
    found = cloud.scaling.member(ids(group)[0])
    health.set_instance_health(*found, "Unhealthy")
    assert found[1].health_status == "Healthy"
    health.set_instance_health(*found, "Unhealthy", respects_grace=False)
    assert found[1].health_status == "Unhealthy"


def test_member_called_healthy_again_in_time_stays() -> None:
    cloud = Cloud()
    group = cloud.running(desired=1)
    processes.suspend(group, ["ReplaceUnhealthy"])
    [found] = [cloud.scaling.member(instance_id) for instance_id in ids(group)]
    health.set_instance_health(*found, "Unhealthy")
    cloud.pass_time(30)
    health.set_instance_health(*found, "Healthy")
    processes.resume(group)
    cloud.pass_time(30)
    assert ids(group) == [found[1].instance_id]


def test_unknown_health_status_is_refused() -> None:
    cloud = Cloud()
    group = cloud.running(desired=1)
    with pytest.raises(CallRefusedError, match="Sick is not a valid health status"):
        health.set_instance_health(*cloud.scaling.member(ids(group)[0]), "Sick")


def test_whole_group_that_dies_comes_back() -> None:
    cloud = Cloud()
    group = cloud.running(3, 3, 3)
    for instance_id in ids(group):
        cloud.machines.terminate(instance_id)
    cloud.pass_time(30)
    assert states(group) == {"InService": 3}
