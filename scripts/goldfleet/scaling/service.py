"""Auto Scaling of one account and region: its groups, and the tick that makes them act.

The only module that looks at more than one group. Source: EC2 Auto Scaling API reference, CreateAutoScalingGroup,
DeleteAutoScalingGroup.
"""

from collections.abc import Sequence

from goldfleet.scaling import balance, health, launching, membership, targets, terminating
from goldfleet.scaling.group import Group, World
from goldfleet.scaling.lifecycle import LEAVING_STATES, LifecycleState
from goldfleet.scaling.model import Activity, GroupSpec, Member
from goldfleet.scaling.refusals import (
    LaunchFailedError,
    activities_in_progress,
    already_exists,
    group_not_found,
    in_use,
    validation_error,
)
from goldfleet.scaling.validation import check_spec

S = LifecycleState

BOOTING = (S.PENDING, S.PENDING_PROCEED)
ENDING = (S.TERMINATING, S.TERMINATING_PROCEED)
STEPPING_ASIDE = (S.ENTERING_STANDBY, S.DETACHING)
IN_TRANSIT = (*BOOTING, *ENDING, *STEPPING_ASIDE)  # who waits for a hook needs no look


class AutoScaling:
    """All groups, by name. One caller at a time: wrap calls and ticks in one lock."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.groups: dict[str, Group] = {}

    def create_group(self, spec: GroupSpec) -> Group:
        """Make a group (CreateAutoScalingGroup); its instances are launched by the next tick."""
        if spec.name in self.groups:
            raise already_exists(spec.name)
        check_spec(spec)
        try:
            self.world.launches.resolve(spec.source)
        except LaunchFailedError as failure:
            raise validation_error(str(failure)) from failure
        group = Group(spec, self.world)
        self.groups[spec.name] = group
        if spec.desired_capacity:
            text = "a user request created an AutoScalingGroup changing the desired capacity"
            group.note(f"{text} from 0 to {spec.desired_capacity}")
        return group

    def group(self, name: str) -> Group:
        """Return a group that can be changed; CallRefusedError if there is none, or if it is being deleted."""
        group = self.groups.get(name)
        if group is None:
            raise group_not_found(name)
        if group.is_deleting:
            raise validation_error(f"AutoScalingGroup {name} is pending delete and cannot be changed.")
        return group

    def member(self, instance_id: str) -> tuple[Group, Member]:
        """Return an instance's group and record, for the calls that name only the instance."""
        for group in self.groups.values():
            member = group.roster.get(instance_id)
            if member:
                return group, member
        raise validation_error(f"Instance Id not found - No managed instance found for instance ID: {instance_id}")

    def attach(self, name: str, instance_ids: Sequence[str]) -> list[Activity]:
        """Take running instances into a group (AttachInstances), unless another group has one of them."""
        for other in self.groups.values():
            for instance_id in instance_ids:
                if other.roster.get(instance_id):
                    raise validation_error(
                        f"Instance {instance_id} is already part of AutoScalingGroup:{other.spec.name}."
                    )
        return membership.attach(self.group(name), instance_ids)

    def delete_group(self, name: str, *, is_forced: bool = False) -> None:
        """Delete a group (DeleteAutoScalingGroup).

        With instances it is refused, unless forced: then outstanding lifecycle actions are dropped, all instances
        terminate without a drain, and the group is gone with the last of them.
        """
        group = self.group(name)
        leaving = group.roster.count(*LEAVING_STATES)
        if len(group.roster) > leaving and not is_forced:
            raise in_use()
        if leaving and not is_forced:
            raise activities_in_progress()
        group.is_deleting = True
        for member in list(group.roster):
            force_out(group, member)
        self._forget_if_empty(group)

    def launch_configurations_in_use(self) -> set[str]:
        """Return the names of launch configurations that a group names; they cannot be deleted (ResourceInUse)."""
        return {group.spec.source.launch_configuration_name for group in self.groups.values()} - {""}

    def tick(self) -> float | None:
        """Do everything that is due now, in every group, and return when to call again; None if nothing is under way.

        Call it also after each call that changes something.
        """
        wakes = []
        for group in list(self.groups.values()):
            for action in group.due_actions():
                action()
            look(group)
            balance.settle(group)
            self._forget_if_empty(group)
            wakes.append(next_wake(group))
        return min((wake for wake in wakes if wake is not None), default=None)

    def _forget_if_empty(self, group: Group) -> None:
        if group.is_deleting and not len(group.roster):
            self.groups.pop(group.spec.name, None)


def force_out(group: Group, member: Member) -> None:
    """Terminate a member now, whatever it is doing."""
    if member.state is S.DETACHING:
        group.move(member, S.DETACHED)
        terminating.leave(group, member)
        return
    if member.state not in LEAVING_STATES:
        text = "an instance was taken out of service in response to a user request to force delete the AutoScalingGroup"
        terminating.begin_termination(group, member, group.say(text))
    member.actions.clear()
    member.draining.clear()
    if member.state is S.TERMINATING_WAIT:
        terminating.proceed(group, member)
    elif not member.is_terminate_sent:
        terminating.end_machine(group, member)


def look(group: Group) -> None:
    """Look at members on their way in or out, and at the health of those in service, each when it is time."""
    settings, now = group.world.settings, group.now
    is_look_due = now >= group.next_look_at and is_in_transit(group)
    is_check_due = now >= group.next_health_check_at
    if not (is_look_due or is_check_due):
        return
    health_seen = read_targets(group)
    if is_look_due:
        group.next_look_at = now + settings.look_seconds
        look_at_transit(group, health_seen)
    if is_check_due:
        group.next_health_check_at = now + settings.health_check_seconds
        for member in group.roster.within(S.PENDING_WAIT):
            launching.look_at_joining(group, member)
        health.check_members(group, health_seen)


def is_in_transit(group: Group) -> bool:
    """Say whether a member, or a detached target group, is on its way."""
    return bool(group.removing_targets) or group.roster.count(*IN_TRANSIT) > 0


def read_targets(group: Group) -> targets.Health:
    """Return the health of every target group that matters now, read once each."""
    arns = {*group.spec.target_group_arns, *group.removing_targets}
    for member in group.roster.within(S.TERMINATING, *STEPPING_ASIDE):
        arns |= member.draining
    return {arn: group.world.balancer.health(arn) for arn in sorted(arns)}


def look_at_transit(group: Group, health_seen: targets.Health) -> None:
    """Take every member on its way in or out one step on."""
    for member in group.roster.within(*BOOTING):
        launching.look_at_joining(group, member)
    for member in group.roster.within(*ENDING):
        terminating.look_at_leaving(group, member, health_seen)
    for member in group.roster.within(*STEPPING_ASIDE):
        terminating.look_at_stepping_aside(group, member, health_seen)
    targets.forget_removed_target_groups(group, health_seen)


def next_wake(group: Group) -> float | None:
    """Return when a group wants the next tick."""
    settings, now = group.world.settings, group.now
    wakes = [group.next_timer()]
    if is_in_transit(group):
        group.next_look_at = group.next_look_at if group.next_look_at > now else now + settings.look_seconds
        wakes.append(group.next_look_at)
    if group.roster.count(S.IN_SERVICE, S.PENDING_WAIT):
        wakes.append(group.next_health_check_at)
    return min((wake for wake in wakes if wake is not None), default=None)
