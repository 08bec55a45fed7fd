"""Which instances of an Auto Scaling group are checked: those that should be serving, or some of them. Pure."""

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field

from goldfleet.aws.model import AutoScalingGroup
from goldfleet.errors import RefusedError, UsageError

SERVING = "InService"
"""The one lifecycle state in which an instance serves; in all others it comes, goes or was taken out on purpose.

Source: Amazon EC2 Auto Scaling user guide, "Instance lifecycle".
"""

OTHER_IMAGE, NOT_IN_SAMPLE, APPEARED = "of another image", "not in the sample", "appeared during the checks"

Pick = Callable[[Sequence[str], int], Sequence[str]]
"""Returns so many of some ids, by chance."""


@dataclass(frozen=True)
class NotChecked:
    """An instance that is not checked, with its lifecycle state, and why."""

    instance_id: str
    lifecycle_state: str
    why: str


@dataclass(frozen=True)
class Members:
    """The ids of the instances to check, and the instances that are not checked."""

    checked: tuple[str, ...]
    others: tuple[NotChecked, ...] = ()

    def only(self, chosen: Collection[str], why: str) -> "Members":
        """Return the same, with only these checked; `why` is said of those that are left out."""
        left = tuple(NotChecked(one, SERVING, why) for one in self.checked if one not in chosen)
        return Members(tuple(one for one in self.checked if one in chosen), (*self.others, *left))


@dataclass(frozen=True)
class Sample:
    """How many of a group's instances are checked: a number, or per cent of them."""

    number: int
    is_percent: bool = False

    def of(self, size: int) -> int:
        """Return how many of so many instances that is: rounded up, at least one."""
        wanted = -(-size * self.number // 100) if self.is_percent else self.number
        return min(size, max(1, wanted))


@dataclass(frozen=True)
class Choice:
    """Which of the instances in service are checked: of one image, "" for any; a sample of them, None for all."""

    image_id: str = ""
    sample: Sample | None = None
    pick: Pick = field(default=lambda ids, number: ids[:number])


ALL = Choice()


def parse_sample(text: str) -> Sample:
    """Return the sample that a text asks for: "20" or "10%".

    Raises UsageError for anything else.
    """
    found = re.fullmatch(r"([0-9]+)(%?)", text.strip())
    if found is None or int(found[1]) == 0 or (found[2] and int(found[1]) > 100):
        raise UsageError(
            f"--sample: seen {text!r}, which is neither a number above 0 nor per cent up to 100%.",
            "Such as 20, or 10%.",
        )
    return Sample(int(found[1]), is_percent=bool(found[2]))


def choose_members(name: str, group: AutoScalingGroup | None, known: Sequence[str]) -> Members:
    """Return which instances of a group can be checked; `known` names the groups that exist.

    Raises RefusedError when there is no such group, or it has no instance in service: then nothing can be verified.
    """
    if group is None:
        names = ", ".join(known) or "none"
        raise RefusedError(
            f"There is no Auto Scaling group {name}: nothing was verified. The groups here: {names}.",
            "Name one of these, or check the region.",
        )
    checked = tuple(one.instance_id for one in group.instances if one.lifecycle_state == SERVING)
    others = tuple(
        NotChecked(one.instance_id, one.lifecycle_state, one.lifecycle_state)
        for one in group.instances
        if one.lifecycle_state != SERVING
    )
    if not checked:
        raise RefusedError(
            f"Auto Scaling group {name} has no instance in service (desired capacity {group.desired_capacity}): "
            "nothing was verified.",
            "See why with `aws autoscaling describe-scaling-activities --auto-scaling-group-name`, or raise the desired "
            "capacity.",
            tuple(f"{one.instance_id} {not_checked(one)}" for one in others),
        )
    return Members(checked, others)


def choose_some(name: str, members: Members, choice: Choice, images: Mapping[str, str]) -> Members:
    """Return the members that a choice names; `images` has the AMI of each instance.

    Raises RefusedError when none is left: then nothing can be verified.
    """
    if choice.image_id:
        wanted = {one for one in members.checked if images.get(one) == choice.image_id}
        if not wanted:
            seen = ", ".join(sorted({images[one] for one in members.checked if one in images})) or "none"
            raise RefusedError(
                f"No instance in service of {name} was launched from {choice.image_id}: nothing was verified. The images "
                f"there: {seen}."
            )
        members = members.only(wanted, OTHER_IMAGE)
    if choice.sample is not None:
        number = choice.sample.of(len(members.checked))
        members = members.only(frozenset(choice.pick(members.checked, number)), NOT_IN_SAMPLE)
    return members


def appeared(before: Members, group: AutoScalingGroup | None) -> tuple[NotChecked, ...]:
    """Return the instances that a group has now and had not then."""
    known = {*before.checked, *(one.instance_id for one in before.others)}
    now = group.instances if group is not None else ()
    return tuple(
        NotChecked(one.instance_id, one.lifecycle_state, APPEARED) for one in now if one.instance_id not in known
    )


def not_checked(instance: NotChecked) -> str:
    """Return, in words, that an instance is not checked, and why."""
    return f"not checked: {instance.why}"
