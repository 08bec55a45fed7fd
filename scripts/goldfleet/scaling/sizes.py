"""Calls that change what a group is asked to be: update, desired capacity, an alarm's policy.

They change the wish only; the next tick acts on it. Source: EC2 Auto Scaling API reference, UpdateAutoScalingGroup,
SetDesiredCapacity; for the sentences: knowledge center, "Why did my Auto Scaling group scale down?".
"""

from dataclasses import fields, replace

from goldfleet.scaling.group import Group
from goldfleet.scaling.lifecycle import LifecycleState
from goldfleet.scaling.model import GroupSpec, GroupUpdate
from goldfleet.scaling.refusals import cooldown_blocks
from goldfleet.scaling.validation import check_desired, check_spec


def update_group(group: Group, update: GroupUpdate) -> None:
    """Change a group (UpdateAutoScalingGroup). Members keep what they were launched with.

    Without a desired capacity, the current one is moved to the new minimum or maximum if it lies outside.
    """
    changes = {field.name: getattr(update, field.name) for field in fields(update)}
    spec = replace(group.spec, **{name: value for name, value in changes.items() if value is not None})
    if update.desired_capacity is None:
        spec = with_desired_inside(spec)
    check_spec(spec)
    group.is_settled = False
    use_spec(group, spec, "a user request update")


def with_desired_inside(spec: GroupSpec) -> GroupSpec:
    """Return the spec with its desired capacity moved into min..max."""
    return replace(spec, desired_capacity=max(spec.min_size, min(spec.max_size, spec.desired_capacity)))


def use_spec(group: Group, spec: GroupSpec, who: str) -> None:
    """Put a checked spec in force; a changed desired capacity is noted for the activities that follow."""
    before, group.spec = group.spec.desired_capacity, spec
    if spec.desired_capacity != before:
        group.note(
            f"{who} of AutoScalingGroup constraints to min: {spec.min_size}, max: {spec.max_size}, desired: "
            f"{spec.desired_capacity} changing the desired capacity from {before} to {spec.desired_capacity}"
        )


def set_desired_capacity(group: Group, desired_capacity: int, *, honors_cooldown: bool = False) -> None:
    """Set the desired capacity (SetDesiredCapacity); refused outside min..max, and in a cooldown if that is honoured."""
    check_desired(group.spec, desired_capacity)
    if honors_cooldown:
        check_cooldown(group)
    change_desired(group, desired_capacity, "a user request explicitly set group desired capacity")


def check_cooldown(group: Group) -> None:
    """Refuse while an activity runs, or ended less than the cooldown ago. Source: user guide, "Scaling cooldowns"."""
    last = group.journal.last_ended
    for member in group.roster:
        if member.activity and member.state is not LifecycleState.STANDBY:
            raise cooldown_blocks(member.activity.activity_id)
    if last and last.ended_at is not None and group.now < last.ended_at + group.spec.default_cooldown_seconds:
        raise cooldown_blocks(last.activity_id)


def change_desired(group: Group, desired_capacity: int, who: str) -> None:
    """Put a desired capacity in force and note it, if it is another."""
    before = group.spec.desired_capacity
    if desired_capacity != before:
        group.spec = replace(group.spec, desired_capacity=desired_capacity)
        group.note(f"{who} changing the desired capacity from {before} to {desired_capacity}")


def scale_by_alarm(group: Group, alarm: str, policy: str, desired_capacity: int) -> None:
    """Do what a scaling policy makes of its alarm, within min and max; nothing while AlarmNotification is suspended."""
    if group.is_active("AlarmNotification"):
        inside = max(group.spec.min_size, min(group.spec.max_size, desired_capacity))
        change_desired(group, inside, f"a monitor alarm {alarm} in state ALARM triggered policy {policy}")
