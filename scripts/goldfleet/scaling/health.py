"""Which members are unhealthy, by EC2, by the load balancer, by the user; and their replacement.

Source: EC2 Auto Scaling user guide, "Health checks for instances in an Auto Scaling group", "Set the health check grace
period", "How suspended processes affect other processes".
"""

from goldfleet.scaling import terminating
from goldfleet.scaling.group import Group
from goldfleet.scaling.lifecycle import LEAVING_STATES, LifecycleState
from goldfleet.scaling.model import HealthReason, MachineState, Member, TargetState
from goldfleet.scaling.refusals import validation_error
from goldfleet.scaling.targets import Health


def check_members(group: Group, health: Health) -> None:
    """Check every member in service. Members in Standby are not checked, nor is anyone while HealthCheck is suspended."""
    if not group.is_active("HealthCheck"):
        return
    for member in group.roster.within(LifecycleState.IN_SERVICE):
        reason = find_fault(group, member, health)
        if reason and member.health_status == "Healthy":
            mark_unhealthy(group, member, reason)


def find_fault(group: Group, member: Member, health: Health) -> HealthReason | None:
    """Return what is wrong with a member in service, None if nothing counts.

    A machine that does not run counts at once; status checks and the load balancer count after the grace period.
    """
    state = group.world.machines.state(member.instance_id)
    if state not in (MachineState.RUNNING, MachineState.IMPAIRED, MachineState.PENDING):
        return HealthReason.NOT_RUNNING
    if is_in_grace(group, member):
        return None
    if state is MachineState.IMPAIRED:
        return HealthReason.STATUS_CHECK
    if "ELB" in group.spec.health_check_types and any(
        health.get(arn, {}).get(member.instance_id) is TargetState.UNHEALTHY for arn in member.targets
    ):
        return HealthReason.LOAD_BALANCER
    return None


def is_in_grace(group: Group, member: Member) -> bool:
    """Say whether a member came into service less than the grace period ago."""
    return group.now < member.in_service_at + group.spec.health_check_grace_seconds


def mark_unhealthy(group: Group, member: Member, reason: HealthReason) -> None:
    """Mark a member for replacement; only the user can take that back."""
    member.health_status, member.unhealthy_reason = "Unhealthy", reason
    group.unhealthy[member.instance_id] = member
    group.is_settled = False


def replace_unhealthy(group: Group) -> None:
    """Start to terminate unhealthy members in service, unless ReplaceUnhealthy or Terminate is suspended.

    The replacement is launched at the same time, not after: the group may be under its minimum until it is in service.
    """
    if not (group.is_active("ReplaceUnhealthy") and group.is_active("Terminate")):
        return
    for member in list(group.unhealthy.values()):
        if member.state is LifecycleState.IN_SERVICE:
            text = f"an instance was taken out of service in response to {member.unhealthy_reason}"
            terminating.begin_termination(group, member, group.say(text))
            group.replacements_due += 1
        if member.state in LEAVING_STATES or group.roster.get(member.instance_id) is None:
            del group.unhealthy[member.instance_id]


def set_instance_health(group: Group, member: Member, status: str, *, respects_grace: bool = True) -> None:
    """Set a member's health (SetInstanceHealth).

    Unhealthy within the grace period is ignored, unless respects_grace is False.
    """
    if status not in ("Healthy", "Unhealthy"):
        raise validation_error(f"{status} is not a valid health status. Use Healthy or Unhealthy.")
    if status == "Healthy":
        member.health_status, member.unhealthy_reason = "Healthy", None
        group.unhealthy.pop(member.instance_id, None)
    elif not (respects_grace and is_in_grace(group, member)):
        mark_unhealthy(group, member, HealthReason.USER)
