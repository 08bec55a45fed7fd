"""How a member leaves: drain, hooks, the end of the machine; Standby and detaching share the drain.

Source: EC2 Auto Scaling user guide, "Amazon EC2 Auto Scaling instance lifecycle" (scale in) and "How lifecycle hooks
work", step 4: with a load balancer, deregistration and draining come before the hooks.
"""

from goldfleet.scaling import targets, waiting
from goldfleet.scaling.group import Group
from goldfleet.scaling.lifecycle import LifecycleState
from goldfleet.scaling.model import Activity, MachineState, Member, Transition

S = LifecycleState


def begin_termination(group: Group, member: Member, cause: str, launch_failure: str = "") -> Activity:
    """Start to take a member out and return the activity.

    launch_failure says why a member on its way in did not come into service; its launch activity ends Cancelled.
    """
    now = group.now
    if member.activity:
        message = launch_failure or "Instance was terminated while the activity was in progress"
        group.journal.close(member.activity, now, "Cancelled", message)
    member.actions.clear()
    member.is_rebalancing = False
    description = f"Terminating EC2 instance: {member.instance_id}"
    member.activity = group.journal.open(now, description, cause, group.zone_of(member))
    group.move(member, S.TERMINATING)
    targets.deregister(group, member)
    if member.draining:
        member.activity.status_code = "WaitingForELBConnectionDraining"
    return member.activity


def drained(group: Group, member: Member) -> None:
    """Go on after the last connection: to the hooks, or straight to the end. Do nothing for one that is past this."""
    if member.is_terminate_sent or member.state is not S.TERMINATING or not member.activity:
        return
    has_hooks = not group.is_deleting and bool(group.hooks_for(Transition.TERMINATING))
    if has_hooks:
        member.activity.status_code, member.activity.progress = "MidLifecycleAction", 60
        group.move(member, S.TERMINATING_WAIT)
        waiting.start_actions(group, member, Transition.TERMINATING, AFTER_WAIT)
    else:
        end_machine(group, member)


def proceed(group: Group, member: Member) -> None:
    """Go on after the last termination hook."""
    group.move(member, S.TERMINATING_PROCEED)
    end_machine(group, member)


def abandon(group: Group, member: Member, _why: str) -> None:
    """Terminate all the same: ABANDON of a termination only ends the other hooks. Source: user guide, as above."""
    proceed(group, member)


AFTER_WAIT = waiting.Wait(proceed, abandon)


def end_machine(group: Group, member: Member) -> None:
    """Ask EC2 to terminate a member's machine."""
    if member.activity:
        member.activity.status_code, member.activity.progress = "InProgress", 80
    group.world.machines.terminate(member.instance_id)
    member.is_terminate_sent = True


def look_at_leaving(group: Group, member: Member, health: targets.Health) -> None:
    """Take a leaving member one step on: past its drain, or out of the group once its machine is gone."""
    if not member.is_terminate_sent and targets.has_drained(member, health):
        drained(group, member)
    if member.is_terminate_sent and group.world.machines.state(member.instance_id) is MachineState.TERMINATED:
        group.move(member, S.TERMINATED)
        leave(group, member)


def look_at_stepping_aside(group: Group, member: Member, health: targets.Health) -> None:
    """Take a member that enters Standby or detaches one step on, once it has drained."""
    if not targets.has_drained(member, health):
        return
    if member.state is S.ENTERING_STANDBY:
        group.move(member, S.STANDBY)
        close_activity(group, member)
    else:
        group.move(member, S.DETACHED)
        leave(group, member)


def leave(group: Group, member: Member) -> None:
    """Close a member's activity and forget it."""
    close_activity(group, member)
    group.roster.remove(member)


def close_activity(group: Group, member: Member) -> None:
    """End a member's activity well."""
    if member.activity:
        group.journal.close(member.activity, group.now)
        member.activity = None
