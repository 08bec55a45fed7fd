"""Calls that name instances: standby, attach, detach, terminate, protect.

Each is refused as a whole or done as a whole. Lifecycle hooks do not run for instances that are attached or come back
from Standby. Source: EC2 Auto Scaling user guide, "Temporarily remove instances", "Detach or attach instances", "Use
instance scale-in protection"; API reference, EnterStandby, ExitStandby, AttachInstances, DetachInstances,
TerminateInstanceInAutoScalingGroup.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

from goldfleet.scaling import targets, terminating
from goldfleet.scaling.group import Group
from goldfleet.scaling.lifecycle import LEAVING_STATES, PENDING_STATES, LifecycleState
from goldfleet.scaling.model import Activity, MachineState, Member
from goldfleet.scaling.refusals import validation_error
from goldfleet.scaling.validation import PROTECTION_PER_CALL, check_batch, check_room

S = LifecycleState


def find_members(group: Group, instance_ids: Sequence[str], states: Collection[LifecycleState]) -> list[Member]:
    """Return the members named; CallRefusedError if one is not the group's, or is in none of the states."""
    found = []
    for instance_id in instance_ids:
        member = group.roster.get(instance_id)
        if member is None:
            raise validation_error(f"The instance {instance_id} is not part of Auto Scaling group {group.spec.name}.")
        if member.state not in states:
            raise validation_error(f"The instance {instance_id} is not in {' or '.join(states)}.")
        found.append(member)
    return found


def enter_standby(group: Group, instance_ids: Sequence[str], *, decrements: bool) -> list[Activity]:
    """Take members out of service but keep them in the group (EnterStandby).

    They are replaced unless the desired capacity is decremented.
    """
    check_batch(instance_ids)
    members = find_members(group, instance_ids, (S.IN_SERVICE,))
    before = lower_desired(group, len(members), "place into standby") if decrements else None
    return [step_aside(group, member, S.ENTERING_STANDBY, before) for member in members]


def detach(group: Group, instance_ids: Sequence[str], *, decrements: bool) -> list[Activity]:
    """Take members out of the group; they go on running (DetachInstances).

    A member in Standby does not count toward the desired capacity, so that is not decremented for it.
    """
    check_batch(instance_ids)
    members = find_members(group, instance_ids, (S.IN_SERVICE, S.STANDBY))
    counted = sum(member.state is S.IN_SERVICE for member in members)
    before = lower_desired(group, counted, "detach") if decrements and counted else None
    return [step_aside(group, member, S.DETACHING, before) for member in members]


def lower_desired(group: Group, count: int, verb: str) -> int:
    """Lower the desired capacity, if the minimum allows, and return what it was."""
    check_room(group.spec, -count, verb)
    before = group.spec.desired_capacity
    group.spec = replace(group.spec, desired_capacity=before - count)
    return before


def step_aside(group: Group, member: Member, state: LifecycleState, before: int | None) -> Activity:
    """Begin to drain a member toward Standby or out of the group; before is the desired capacity before a decrement."""
    is_standby = state is S.ENTERING_STANDBY
    what = "moved to standby" if is_standby else "detached"
    change = "" if before is None else f", shrinking the capacity from {before} to {group.spec.desired_capacity}"
    cause = group.say(f"instance {member.instance_id} was {what} in response to a user request{change}")
    prefix = "Moving EC2 instance to Standby" if is_standby else "Detaching EC2 instance"
    member.activity = group.journal.open(group.now, f"{prefix}: {member.instance_id}", cause, group.zone_of(member))
    member.activity.progress = 50
    group.move(member, state)
    targets.deregister(group, member)
    return member.activity


def exit_standby(group: Group, instance_ids: Sequence[str]) -> list[Activity]:
    """Put members back into service; the desired capacity rises by as many (ExitStandby)."""
    check_batch(instance_ids)
    members = find_members(group, instance_ids, (S.STANDBY,))
    before, after = raise_desired(group, len(members), "exit from standby")
    activities = []
    for member in members:
        member.is_returning = True
        group.move(member, S.PENDING)
        text = f"instance {member.instance_id} was moved out of standby in response to a user request"
        activities.append(
            begin_return(group, member, "Moving EC2 instance out of Standby", f"{text}, increasing the capacity from "
                         f"{before} to {after}")
        )  # fmt: skip
    return activities


def attach(group: Group, instance_ids: Sequence[str]) -> list[Activity]:
    """Take running instances into the group; the desired capacity rises by as many (AttachInstances).

    That no other group has them is the caller's to check.
    """
    check_batch(instance_ids)
    members = [outsider(group, instance_id) for instance_id in instance_ids]
    before, after = raise_desired(group, len(members), "attach")
    activities = []
    for member in members:
        group.roster.add(member)
        text = f"instance {member.instance_id} was attached in response to a user request, increasing the capacity "
        activities.append(
            begin_return(group, member, "Attaching an existing EC2 instance", f"{text}from {before} to {after}")
        )
    group.is_settled = False
    return activities


def outsider(group: Group, instance_id: str) -> Member:
    """Return a member made of a running instance in one of the group's zones; CallRefusedError if it is not."""
    if group.roster.get(instance_id):
        raise validation_error(f"Instance {instance_id} is already part of AutoScalingGroup:{group.spec.name}.")
    if group.world.machines.state(instance_id) is not MachineState.RUNNING:
        raise validation_error(
            f"Instance {instance_id} is not in correct state. Instance(s) must be in 'running' state."
        )
    zone = group.world.machines.zone(instance_id)
    if zone not in {known.name for known in group.spec.zones}:
        raise validation_error(
            f"The availability zone of instance {instance_id}, {zone}, is not one of AutoScalingGroup {group.spec.name}."
        )
    is_protected = group.spec.new_instances_protected_from_scale_in
    return Member(instance_id, zone, None, group.now, is_protected, is_returning=True)


def raise_desired(group: Group, count: int, verb: str) -> tuple[int, int]:
    """Raise the desired capacity, if the maximum allows, and return what it was and is."""
    check_room(group.spec, count, verb)
    before = group.spec.desired_capacity
    group.spec = replace(group.spec, desired_capacity=before + count)
    return before, before + count


def begin_return(group: Group, member: Member, description: str, text: str) -> Activity:
    """Open the activity of a member that comes in from outside or from Standby."""
    member.activity = group.journal.open(
        group.now, f"{description}: {member.instance_id}", group.say(text), group.zone_of(member), "PreInService"
    )
    member.activity.progress = 30
    return member.activity


def terminate_instance(group: Group, member: Member, *, decrements: bool) -> Activity:
    """Terminate one member, protected or not (TerminateInstanceInAutoScalingGroup); replaced unless decremented.

    A member that is leaving already is left to it. As in `detach`, nothing is decremented for one in Standby.
    """
    if member.state in LEAVING_STATES and member.activity:
        return member.activity
    find_members(group, [member.instance_id], (*PENDING_STATES, S.IN_SERVICE, S.ENTERING_STANDBY, S.STANDBY))
    change = ""
    if decrements and member.state in (*PENDING_STATES, S.IN_SERVICE):
        before = group.spec.desired_capacity
        if before - 1 < group.spec.min_size:
            raise validation_error(
                f"Currently, desiredSize equals minSize ({group.spec.min_size}). Terminating instance without replacement "
                "will violate group's min size constraint. Either set shouldDecrementDesiredCapacity flag to false or "
                "lower group's min size."
            )
        group.spec = replace(group.spec, desired_capacity=before - 1)
        change = f", shrinking the capacity from {before} to {before - 1}"
    text = f"instance {member.instance_id} was taken out of service in response to a user request{change}"
    return terminating.begin_termination(group, member, group.say(text))


def set_protection(group: Group, instance_ids: Sequence[str], *, is_protected: bool) -> None:
    """Protect members from scale-in, or no longer (SetInstanceProtection)."""
    check_batch(instance_ids, PROTECTION_PER_CALL)
    for member in find_members(group, instance_ids, (*PENDING_STATES, S.IN_SERVICE, S.ENTERING_STANDBY, S.STANDBY)):
        member.is_protected = is_protected
    group.is_settled = False
