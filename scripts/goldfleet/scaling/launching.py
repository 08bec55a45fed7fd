"""How a member joins: launch, hooks, target groups, InService; and what follows a launch that fails.

Source: EC2 Auto Scaling user guide, "Amazon EC2 Auto Scaling instance lifecycle" (scale out); "Troubleshoot", failed launches.
"""

from collections.abc import Sequence

from goldfleet.scaling import targets, terminating, waiting
from goldfleet.scaling.group import Group
from goldfleet.scaling.journal import timestamp
from goldfleet.scaling.lifecycle import LifecycleState
from goldfleet.scaling.model import HealthReason, Launch, MachineState, Member, Transition, Zone
from goldfleet.scaling.refusals import LaunchFailedError

S = LifecycleState


def launch_members(
    group: Group, count: int, cause: str, zones: Sequence[Zone], *, is_rebalancing: bool = False
) -> int:  # fmt: skip
    """Launch up to `count` instances, each in the emptiest of the zones that has capacity; return how many.

    A zone that refuses is left out for the rest of this round; when all refuse, the group pauses.
    """
    try:
        launch = group.world.launches.resolve(group.spec.source)
    except LaunchFailedError as failure:
        record_failed_launch(group, zones[0], cause, failure)
        pause_launches(group)
        return 0
    counts = group.roster.count_by_zone()
    willing = list(zones)
    launched = 0
    while launched < count and willing:
        zone = min(willing, key=lambda zone: counts[zone.name])
        if launch_one(group, launch, zone, cause, is_rebalancing=is_rebalancing):
            counts[zone.name] += 1
            launched += 1
        else:
            willing.remove(zone)
    if not willing:
        pause_launches(group)
    return launched


def launch_one(group: Group, launch: Launch, zone: Zone, cause: str, *, is_rebalancing: bool) -> bool:
    """Launch one instance in a zone; False, and a Failed activity, if EC2 refuses."""
    try:
        instance_id = group.world.machines.launch(launch, zone, group.spec.name)
    except LaunchFailedError as failure:
        record_failed_launch(group, zone, cause, failure)
        return False
    now = group.now
    member = Member(
        instance_id, zone.name, launch, now, group.spec.new_instances_protected_from_scale_in,
        is_rebalancing=is_rebalancing,
    )  # fmt: skip
    description = f"Launching a new EC2 instance: {instance_id}"
    member.activity = group.journal.open(now, description, cause, zone, "PreInService")
    member.activity.progress = 30
    group.roster.add(member)
    group.failed_launches, group.failing_since = 0, None
    return True


def record_failed_launch(group: Group, zone: Zone, cause: str, failure: LaunchFailedError) -> None:
    """Write a Failed activity with EC2's own words."""
    activity = group.journal.open(group.now, "Launching a new EC2 instance", cause, zone)
    group.journal.close(activity, group.now, "Failed", f"{failure}. Launching EC2 instance failed.")


def pause_launches(group: Group) -> None:
    """Wait before the next try, longer each time; give up for good after a day without one success.

    Source: user guide, "Suspend and resume processes", administrative suspension after 24 hours. The pauses are ours.
    """
    settings, now = group.world.settings, group.now
    group.failing_since = now if group.failing_since is None else group.failing_since
    pause = settings.first_launch_pause_seconds * 2 ** min(group.failed_launches, 30)
    group.failed_launches += 1
    group.next_launch_at = now + min(pause, settings.longest_launch_pause_seconds)
    group.wake_at(group.next_launch_at, lambda: look_again(group))
    if now - group.failing_since > settings.give_up_launching_seconds:
        group.suspended["Launch"] = f"Administratively suspended at {timestamp(now)}"


def look_again(group: Group) -> None:
    """Have the sizes looked at in this tick."""
    group.is_settled = False


def look_at_joining(group: Group, member: Member) -> None:
    """Take a member on its way in one step on, by what its machine does."""
    state = group.world.machines.state(member.instance_id)
    if state in (MachineState.RUNNING, MachineState.IMPAIRED):
        if member.state is S.PENDING:
            booted(group, member)
    elif state is not MachineState.PENDING:
        why = f"Instance became unhealthy while waiting for instance to be in InService state. Its state is {state}"
        text = f"an instance was taken out of service in response to {HealthReason.NOT_RUNNING}"
        fail(group, member, why, text)


def booted(group: Group, member: Member) -> None:
    """Go on once the machine runs: to the hooks, or straight into service."""
    has_hooks = not member.is_returning and bool(group.hooks_for(Transition.LAUNCHING))
    if not has_hooks:
        enter_service(group, member)
        return
    if member.activity:
        member.activity.status_code, member.activity.progress = "MidLifecycleAction", 50
    group.move(member, S.PENDING_WAIT)
    waiting.start_actions(group, member, Transition.LAUNCHING, AFTER_WAIT)


def proceed(group: Group, member: Member) -> None:
    """Go on after the last launch hook."""
    group.move(member, S.PENDING_PROCEED)
    enter_service(group, member)


def abandon(group: Group, member: Member, why: str) -> None:
    """Terminate a member whose launch hook was abandoned; the group launches another."""
    fail(group, member, why, "an instance was taken out of service in response to a launch failure")


AFTER_WAIT = waiting.Wait(proceed, abandon)


def fail(group: Group, member: Member, why: str, text: str) -> None:
    """Take out a member that did not come into service."""
    terminating.begin_termination(group, member, group.say(text), why)


def enter_service(group: Group, member: Member) -> None:
    """Register a member with the target groups and put it into service."""
    targets.register(group, member, group.spec.target_group_arns)
    member.in_service_at = group.now
    member.is_rebalancing = member.is_returning = False
    group.move(member, S.IN_SERVICE)
    terminating.close_activity(group, member)
