"""Which instances of an Auto Scaling group are checked: those that should be serving. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from goldfleet.aws.model import AutoScalingGroup, GroupInstance
from goldfleet.errors import RefusedError

SERVING = "InService"
"""The one lifecycle state in which an instance serves; in all others it comes, goes or was taken out on purpose.

Source: Amazon EC2 Auto Scaling user guide, "Instance lifecycle".
"""


@dataclass(frozen=True)
class Members:
    """The ids of the instances to check, and the instances that are not checked."""

    checked: tuple[str, ...]
    others: tuple[GroupInstance, ...] = ()


def choose_members(name: str, group: AutoScalingGroup | None, known: Sequence[str]) -> Members:
    """Return which instances of a group are checked; `known` names the groups that exist.

    Raises RefusedError when there is no such group, or it has no instance in service: then nothing can be verified.
    """
    if group is None:
        names = ", ".join(known) or "none"
        raise RefusedError(
            f"There is no Auto Scaling group {name}: nothing was verified. The groups here: {names}.",
            "Name one of these, or check the region.",
        )
    checked = tuple(one.instance_id for one in group.instances if one.lifecycle_state == SERVING)
    others = tuple(one for one in group.instances if one.lifecycle_state != SERVING)
    if not checked:
        raise RefusedError(
            f"Auto Scaling group {name} has no instance in service (desired capacity {group.desired_capacity}): "
            "nothing was verified.",
            "See why with `aws autoscaling describe-scaling-activities --auto-scaling-group-name`, or raise the desired "
            "capacity.",
            tuple(f"{one.instance_id} {not_checked(one)}" for one in others),
        )
    return Members(checked, others)


def not_checked(instance: GroupInstance) -> str:
    """Return, in words, that an instance is not checked, and why."""
    return f"not checked: {instance.lifecycle_state}"
