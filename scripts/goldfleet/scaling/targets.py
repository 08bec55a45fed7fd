"""Targets: registered as a member comes into service, drained before it leaves.

Source: EC2 Auto Scaling user guide, "Use Elastic Load Balancing to distribute incoming application traffic".
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from goldfleet.scaling.group import Group
from goldfleet.scaling.lifecycle import LifecycleState
from goldfleet.scaling.model import Member, TargetState

STILL_THERE = frozenset({TargetState.INITIAL, TargetState.HEALTHY, TargetState.UNHEALTHY, TargetState.DRAINING})

Health = Mapping[str, Mapping[str, TargetState]]


def register(group: Group, member: Member, target_group_arns: Sequence[str]) -> None:
    """Add a member to target groups that it is not in; not while AddToLoadBalancer is suspended, and not later either.

    Source: user guide, "AddToLoadBalancer is suspended".
    """
    if not group.is_active("AddToLoadBalancer"):
        return
    for arn in target_group_arns:
        group.world.balancer.register(arn, member.instance_id)
        member.targets.add(arn)


def deregister(group: Group, member: Member) -> None:
    """Take a member out of all its target groups and let it drain."""
    for arn in sorted(member.targets):
        group.world.balancer.deregister(arn, member.instance_id)
    member.draining |= member.targets
    member.targets.clear()


def has_drained(member: Member, health: Health) -> bool:
    """Say whether no target group still drains a member, by what the target groups say now."""
    if member.draining:
        member.draining = {arn for arn in member.draining if is_there(health, arn, member.instance_id)}
    return not member.draining


def is_there(health: Health, target_group_arn: str, instance_id: str) -> bool:
    """Say whether an instance is still a target."""
    return health.get(target_group_arn, {}).get(instance_id) in STILL_THERE


def attach_target_groups(group: Group, target_group_arns: Sequence[str]) -> None:
    """Attach target groups and register the members in service (AttachLoadBalancerTargetGroups)."""
    new = [arn for arn in dict.fromkeys(target_group_arns) if arn not in group.spec.target_group_arns]
    group.spec = replace(group.spec, target_group_arns=(*group.spec.target_group_arns, *new))
    for arn in new:
        group.removing_targets.pop(arn, None)
    for member in group.roster.within(LifecycleState.IN_SERVICE):
        register(group, member, new)


def detach_target_groups(group: Group, target_group_arns: Sequence[str]) -> None:
    """Detach target groups and deregister the members; the instances go on running (DetachLoadBalancerTargetGroups)."""
    gone = set(target_group_arns)
    kept = tuple(arn for arn in group.spec.target_group_arns if arn not in gone)
    group.spec = replace(group.spec, target_group_arns=kept)
    for member in group.roster:
        for arn in sorted(member.targets & gone):
            group.world.balancer.deregister(arn, member.instance_id)
            member.targets.discard(arn)
            group.removing_targets.setdefault(arn, set()).add(member.instance_id)


def forget_removed_target_groups(group: Group, health: Health) -> None:
    """Forget detached target groups that have drained."""
    for arn, instance_ids in list(group.removing_targets.items()):
        left = {instance_id for instance_id in instance_ids if is_there(health, arn, instance_id)}
        group.removing_targets[arn] = left
        if not left:
            del group.removing_targets[arn]


def target_group_states(group: Group) -> dict[str, str]:
    """Return what DescribeLoadBalancerTargetGroups says: Adding, Added, InService or Removing, by ARN.

    InService: at least one member is registered and healthy. Source: LoadBalancerTargetGroupState, State.
    """
    states = dict.fromkeys(group.removing_targets, "Removing")
    members = group.roster.within(LifecycleState.IN_SERVICE)
    for arn in group.spec.target_group_arns:
        health = group.world.balancer.health(arn)
        registered = [member for member in members if arn in member.targets]
        if any(health.get(member.instance_id) is TargetState.HEALTHY for member in registered):
            states[arn] = "InService"
        else:
            states[arn] = "Added" if len(registered) == len(members) else "Adding"
    return states
