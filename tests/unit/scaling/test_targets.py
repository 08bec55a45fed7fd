"""Members are targets while in service, and drain before they go."""

from goldfleet.scaling import hooks, membership, processes, sizes, targets
from goldfleet.scaling.model import Hook, Transition
from tests.unit.scaling.world import Cloud, activities, ids, in_service, states


def test_member_is_registered_before_it_is_in_service_and_not_earlier() -> None:
    cloud = Cloud()
    group = cloud.create(desired=1, target_group_arns=("tg",))
    assert cloud.balancer.health("tg") == {}
    cloud.pass_time(4)
    assert list(cloud.balancer.health("tg")) == ids(group)
    assert states(group) == {"InService": 1}


def test_waiting_member_is_no_target() -> None:
    cloud = Cloud()
    group = cloud.create(desired=0, target_group_arns=("tg",))
    hooks.put_hook(group, Hook("warm", Transition.LAUNCHING))
    sizes.set_desired_capacity(group, 1)
    cloud.pass_time(10)
    assert cloud.balancer.health("tg") == {}


def test_member_drains_before_its_hook_and_its_end() -> None:
    cloud = Cloud()
    group = cloud.running(desired=1, target_group_arns=("tg", "tg-2"))
    hooks.put_hook(group, Hook("last", Transition.TERMINATING, 30))
    sizes.set_desired_capacity(group, 0)
    cloud.pass_time(3)
    assert set(cloud.balancer.health("tg").values()) == {"draining"}
    assert states(group) == {"Terminating": 1}
    assert next(activities(group, "Terminating")).status_code == "WaitingForELBConnectionDraining"
    cloud.pass_time(3)
    assert states(group) == {"Terminating:Wait": 1}
    assert cloud.machines.terminated == []
    cloud.pass_time(40)
    assert states(group) == {}


def test_standby_drains_and_comes_back_as_a_target() -> None:
    cloud = Cloud()
    group = cloud.running(desired=2, target_group_arns=("tg",))
    aside = ids(group)[0]
    membership.enter_standby(group, [aside], decrements=True)
    assert states(group) == {"EnteringStandby": 1, "InService": 1}
    cloud.pass_time(10)
    assert aside not in cloud.balancer.health("tg")
    membership.exit_standby(group, [aside])
    cloud.pass_time(10)
    assert cloud.balancer.health("tg")[aside] == "healthy"


def test_member_terminated_while_it_enters_standby_is_gone() -> None:
    cloud = Cloud()
    group = cloud.running(desired=2, target_group_arns=("tg",))
    aside = ids(group)[0]
    membership.enter_standby(group, [aside], decrements=True)
    membership.terminate_instance(*cloud.scaling.member(aside), decrements=True)
    cloud.pass_time(30)
    assert states(group) == {"InService": 1}
    assert group.spec.desired_capacity == 1


def test_attached_target_group_gets_the_members_in_service() -> None:
    cloud = Cloud()
    group = cloud.running(desired=2)
    targets.attach_target_groups(group, ["tg", "tg"])
    assert targets.target_group_states(group) == {"tg": "Added"}
    cloud.pass_time(10)
    assert targets.target_group_states(group) == {"tg": "InService"}
    assert group.spec.target_group_arns == ("tg",)


def test_detached_target_group_drains_and_members_stay() -> None:
    cloud = Cloud()
    group = cloud.running(desired=2, target_group_arns=("tg", "tg-2"))
    targets.detach_target_groups(group, ["tg"])
    assert targets.target_group_states(group) == {"tg": "Removing", "tg-2": "InService"}
    cloud.pass_time(10)
    assert targets.target_group_states(group) == {"tg-2": "InService"}
    assert len(in_service(group)) == 2


def test_members_launched_without_addtoloadbalancer_are_not_added_later() -> None:
    cloud = Cloud()
    group = cloud.create(desired=0, target_group_arns=("tg",))
    processes.suspend(group, ["AddToLoadBalancer"])
    sizes.set_desired_capacity(group, 1)
    cloud.pass_time(10)
    processes.resume(group, ["AddToLoadBalancer"])
    sizes.set_desired_capacity(group, 2)
    cloud.pass_time(10)
    assert list(cloud.balancer.health("tg")) == ids(group)[1:]
    assert targets.target_group_states(group) == {"tg": "InService"}
