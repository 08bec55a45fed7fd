"""What speaks against a roll, all of it at once, before anything is changed; pure.

Each finding says what, seen, wanted and what to do. What is only worth knowing is a note, not a finding.
"""

from dataclasses import dataclass

from goldfleet.aws.model import Image
from goldfleet.roll.classify import COUNTED_STATES, STANDBY_STATES, Census, is_serving, take_census
from goldfleet.roll.model import Fit, Policy, Progress, Roll, Sizes, Snapshot
from goldfleet.roll.policy import surge_limit
from goldfleet.roll.record import LONGEST_VALUE, encode_fit

NEEDED_PROCESSES = ("Launch", "Terminate", "AddToLoadBalancer", "HealthCheck", "ReplaceUnhealthy")
"""Without these a roll waits for ever, or new instances never get traffic.

Source: Auto Scaling user guide, "Suspend and resume Amazon EC2 Auto Scaling processes": instances launched while
AddToLoadBalancer is suspended are not added later.
"""


@dataclass(frozen=True)
class Wish:
    """What is asked for. `target_image` and `current_image` are what AWS knows of the AMIs, None when nothing.

    `pinned_snapshots` are those of the current AMI that the current launch names for its volumes. Source: EC2 API reference,
    EbsBlockDevice, SnapshotId: the root volume's is the AMI's and cannot be changed.
    """

    target_image_id: str
    target_image: Image | None
    current: Fit
    current_image: Image | None
    policy: Policy
    may_raise_max: bool = False
    pinned_snapshots: tuple[str, ...] = ()


def find_obstacles(snapshot: Snapshot, wish: Wish, in_progress: Roll | None) -> tuple[str, ...]:
    """Return every reason why a roll must not start now."""
    return (
        *_of_roll_in_progress(snapshot, in_progress),
        *find_standing_obstacles(snapshot),
        *_of_images(wish),
        *_of_sizes(snapshot, wish),
        *_of_health(snapshot),
    )


def find_standing_obstacles(snapshot: Snapshot) -> tuple[str, ...]:
    """Return the reasons for which a roll can neither start nor go on."""
    group = snapshot.group
    found = []
    if group.status:
        found.append(f"{group.name} is being deleted (status {group.status!r}); there is nothing to roll.")
    if not group.target_group_arns:
        found.append(
            f"{group.name} has no target group, so nobody can tell whether an instance serves; wanted one or more. "
            "Attach one: aws autoscaling attach-load-balancer-target-groups."
        )
    if group.has_mixed_instances_policy:
        found.append(
            f"{group.name} has a mixed instances policy, which goldfleet cannot roll yet; wanted a launch template or "
            "a launch configuration."
        )
    if group.classic_load_balancers:
        found.append(
            f"{group.name} is behind classic load balancers ({', '.join(group.classic_load_balancers)}), whose health "
            "goldfleet does not look at; wanted target groups only."
        )
    for process in NEEDED_PROCESSES:
        if process in group.suspended:
            reason = group.suspended[process] or "no reason given"
            found.append(
                f"{group.name} has its process {process} suspended ({reason}). Find out who did it and why, then: "
                f"aws autoscaling resume-processes --scaling-processes {process}."
            )
    return tuple(found)


def find_notes(census: Census) -> tuple[str, ...]:
    """Return what a roll leaves as it is, for people to know."""
    protected = ", ".join(one.instance_id for one in census.kept)
    notes = []
    if protected:
        notes.append(f"Protected from scale-in, so skipped: {protected}.")
    if census.standby:
        notes.append(f"In Standby, so skipped: {', '.join(census.standby)}.")
    return tuple(notes)


def room_needed(snapshot: Snapshot, policy: Policy) -> int:
    """Return the maximum size that the first raise of the desired capacity needs."""
    group = snapshot.group
    counted = sum(one.lifecycle_state in COUNTED_STATES for one in group.instances)
    return group.desired_capacity + min(surge_limit(policy, group.desired_capacity), max(1, counted))


def plan_roll(roll_id: str, snapshot: Snapshot, target: Fit, wish: Wish) -> Roll:
    """Return the roll that starts now; the maximum size is raised only when that was allowed and is needed."""
    group = snapshot.group
    needed = room_needed(snapshot, wish.policy)
    return Roll(
        roll_id=roll_id,
        target=target,
        previous=wish.current,
        sizes=Sizes(group.min_size, group.max_size, group.desired_capacity),
        policy=wish.policy,
        raised_max=needed if wish.may_raise_max and needed > group.max_size else None,
    )


def is_finished(snapshot: Snapshot, roll: Roll) -> bool:
    """Tell whether every instance that a roll would replace is of its target already."""
    census = take_census(snapshot, roll, Progress())
    return not census.old and not census.owed


def _of_roll_in_progress(snapshot: Snapshot, roll: Roll | None) -> tuple[str, ...]:
    if roll is None:
        return ()
    name = snapshot.group.name
    return (
        f"{name} has a roll already ({roll.roll_id}, {roll.state.value}, to {roll.target.image_id}). Go on with it "
        f"(goldfleet roll resume {name}), end it where it is (abort), or go back (rollback).",
    )


def _of_images(wish: Wish) -> tuple[str, ...]:
    wanted, image, current = wish.target_image_id, wish.target_image, wish.current_image
    found = []
    if image is None:
        found.append(f"AMI {wanted} does not exist in this region, or may not be used by this account.")
    elif image.state != "available":
        found.append(f"AMI {wanted} is not available: seen state {image.state}. Wait until it is, or name another.")
    if current is None:
        found.append(
            f"AMI {wish.current.image_id}, which {wish.current.launch} launches now, does not exist any more, so there "
            "would be no way back. Have the group launch one that exists first."
        )
    if wish.pinned_snapshots and image and wanted != wish.current.image_id:
        found.append(
            f"{wish.current.launch} names the snapshot {', '.join(wish.pinned_snapshots)} of its AMI "
            f"{wish.current.image_id} for a volume; EC2 launches no other AMI so. Have the group launch a copy without it."
        )
    if image and current and image.architecture != current.architecture:
        found.append(
            f"AMI {wanted} has architecture {image.architecture}, but the group's instances run {current.architecture} "
            f"({current.image_id}). Name an AMI of that architecture."
        )
    if len(encode_fit(wish.current)) > LONGEST_VALUE:
        found.append(f"The name of {wish.current.launch} is too long to be kept in a tag; copy it under a shorter one.")
    return tuple(found)


def _of_sizes(snapshot: Snapshot, wish: Wish) -> tuple[str, ...]:
    group = snapshot.group
    if group.desired_capacity < 1:
        return (f"{group.name} has a desired capacity of 0: no instance could prove the image. Wanted 1 or more.",)
    needed = room_needed(snapshot, wish.policy)
    if needed <= group.max_size or wish.may_raise_max:
        return ()
    surge = needed - group.desired_capacity
    return (
        f"{group.name}: max_size is {group.max_size}, needs at least {needed} (desired {group.desired_capacity} + surge "
        f"{surge}). Raise it, let the roll do so for its time (--raise-max), or take a smaller --surge.",
    )


def _of_health(snapshot: Snapshot) -> tuple[str, ...]:
    group = snapshot.group
    here = [one for one in group.instances if one.lifecycle_state not in STANDBY_STATES]
    serving = sum(is_serving(snapshot, one) for one in here)
    if serving >= group.desired_capacity:
        return ()
    states = [f"{one.instance_id} {_state(snapshot, one.instance_id)}" for one in here if not is_serving(snapshot, one)]
    return (
        f"{group.name} is not healthy now: {serving} of {group.desired_capacity} instances are in service and healthy in "
        f"every target group ({', '.join(states) or 'the rest is not launched'}). Wait, or mend the fleet first.",
    )


def _state(snapshot: Snapshot, instance_id: str) -> str:
    lifecycle = next(one.lifecycle_state for one in snapshot.group.instances if one.instance_id == instance_id)
    seen = [targets[instance_id] for targets in snapshot.health.values() if instance_id in targets]
    bad = [f"{one.state} {one.reason}".strip() for one in seen if one.state != "healthy"]
    missing = "" if len(seen) == len(snapshot.group.target_group_arns) else "not registered"
    return f"({'; '.join([lifecycle, *bad, *([missing] if missing else [])])})"
