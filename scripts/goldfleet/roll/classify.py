"""What was observed, sorted by what it means for a roll; pure.

Sources: Auto Scaling user guide, "Amazon EC2 Auto Scaling instance lifecycle" (which states count toward the desired
capacity); ELBv2 API reference, TargetHealth.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from goldfleet.aws.model import AutoScalingGroup, GroupInstance, LaunchSpec
from goldfleet.roll.model import Count, Fit, Progress, Roll, Snapshot

COUNTED_STATES = frozenset({"Pending", "Pending:Wait", "Pending:Proceed", "InService"})
"""Lifecycle states that count toward the desired capacity."""

STANDBY_STATES = frozenset({"EnteringStandby", "Standby"})


@dataclass(frozen=True)
class Census:
    """A group's instances by what they mean for a roll; those that are leaving are in none of the lists.

    `old` may be replaced; `kept` are old ones that scale-in protection keeps; `new` were launched from the target.
    `serving` are in service and healthy in every target group. `base` is the live desired capacity without own surge,
    `surge` the own surge that is really in it: never so much that the base falls below the minimum size, or to zero.
    """

    old: tuple[GroupInstance, ...]
    kept: tuple[GroupInstance, ...]
    new: tuple[GroupInstance, ...]
    standby: tuple[str, ...]
    serving: frozenset[str]
    base: int
    surge: int
    desired_capacity: int

    @property
    def counted(self) -> int:
        """Return how many instances count toward the desired capacity."""
        return len(self.old) + len(self.kept) + len(self.new)

    @property
    def owed(self) -> int:
        """Return how many instances the group has still to launch."""
        return max(0, self.desired_capacity - self.counted)

    @property
    def excess(self) -> int:
        """Return how many instances the group may end by itself."""
        return max(0, self.counted - self.desired_capacity)

    @property
    def successors_needed(self) -> int:
        """Return how many instances of the target have still to be asked for; those owed will be of the target."""
        return self.base - len(self.kept) - len(self.new) - self.owed


def is_same_launch(one: LaunchSpec, other: LaunchSpec) -> bool:
    """Tell whether two are the same launch configuration or template version; a template's name says nothing."""
    return (one.launch_configuration_name, one.launch_template_id, one.version) == (
        other.launch_configuration_name,
        other.launch_template_id,
        other.version,
    )


def is_serving(snapshot: Snapshot, instance: GroupInstance) -> bool:
    """Tell whether an instance is in service and healthy in every target group of its group."""
    if instance.lifecycle_state != "InService" or instance.health_status != "Healthy":
        return False
    for arn in snapshot.group.target_group_arns:
        target = snapshot.health.get(arn, {}).get(instance.instance_id)
        if target is None or target.state != "healthy":
            return False
    return True


def own_surge(group: AutoScalingGroup, surge: int) -> int:
    """Return how much of the desired capacity is own surge: the rest is at least the minimum size, and at least 1."""
    return max(0, min(surge, group.desired_capacity - max(group.min_size, 1)))


def is_unannounced(snapshot: Snapshot, roll: Roll) -> bool:
    """Tell whether the desired capacity in which own surge was last known is another one now, and the roll asked for none."""
    is_known = roll.intent is None and roll.surge > 0 and roll.settled is not None
    return is_known and snapshot.group.desired_capacity != roll.settled


def take_census(snapshot: Snapshot, roll: Roll, progress: Progress) -> Census:
    """Sort the instances of a group for a roll."""
    group, target = snapshot.group, roll.target.launch
    old: list[GroupInstance] = []
    kept: list[GroupInstance] = []
    new: list[GroupInstance] = []
    standby: list[str] = []
    for one in group.instances:
        if one.lifecycle_state in STANDBY_STATES:
            standby.append(one.instance_id)
        elif one.lifecycle_state not in COUNTED_STATES or one.instance_id in progress.asked:
            continue
        elif is_same_launch(one.launch, target):
            new.append(one)
        else:
            (kept if one.is_protected else old).append(one)
    surge = own_surge(group, roll.surge)
    return Census(
        old=tuple(old),
        kept=tuple(kept),
        new=tuple(new),
        standby=tuple(standby),
        serving=frozenset(one.instance_id for one in (*old, *kept, *new) if is_serving(snapshot, one)),
        base=group.desired_capacity - surge,
        surge=surge,
        desired_capacity=group.desired_capacity,
    )


def proven_serving(census: Census, progress: Progress) -> int:
    """Return how many instances can be relied on: old ones that serve, new ones that are ready."""
    relied_on = sum(one.instance_id in census.serving for one in (*census.old, *census.kept))
    return relied_on + sum(one.instance_id in progress.ready for one in census.new)


def unready(census: Census, progress: Progress) -> tuple[GroupInstance, ...]:
    """Return the new instances that are not ready."""
    return tuple(one for one in census.new if one.instance_id not in progress.ready)


def choose_victim(
    census: Census, instances: tuple[GroupInstance, ...], launched_at: Mapping[str, float], *, is_replaced: bool
) -> str:
    """Return which of the instances goes next, so that the zones are balanced at the end.

    One that does not serve goes first. A group launches in the zone with the fewest instances, so one that is replaced
    goes from a zone with the fewest new ones, and one that is not from the fullest zone; then the oldest.
    Source: Auto Scaling user guide, "Auto Scaling benefits", distributing instances across Availability Zones.
    """
    in_zone = Counter(one.availability_zone for one in (*census.old, *census.kept, *census.new))
    new_in_zone = Counter(one.availability_zone for one in census.new)

    def rank(one: GroupInstance) -> tuple[bool, int, int, float, str]:
        zone, is_useful = one.availability_zone, one.instance_id in census.serving
        new = new_in_zone[zone] if is_replaced else 0
        return (is_useful, new, -in_zone[zone], launched_at.get(one.instance_id, 0.0), one.instance_id)

    return min(instances, key=rank).instance_id


def count_by_launch(group: AutoScalingGroup, target: Fit, previous: Fit) -> Count:
    """Return how many counted or standing-by instances are of the target, of what was before, and of neither."""
    here = [one.launch for one in group.instances if one.lifecycle_state in COUNTED_STATES | STANDBY_STATES]
    of_target = sum(is_same_launch(one, target.launch) for one in here)
    rest = [one for one in here if not is_same_launch(one, target.launch)]
    of_previous = sum(is_same_launch(one, previous.launch) for one in rest)
    return Count(of_target, of_previous, len(rest) - of_previous)


def describe_health(snapshot: Snapshot, instance_id: str) -> str:
    """Return an instance's lifecycle state, and what each target group says of it where that is not healthy."""
    states = {one.instance_id: one.lifecycle_state for one in snapshot.group.instances}
    said = [states.get(instance_id, "not in the group")]
    for health in snapshot.health.values():
        target = health.get(instance_id)
        if target is None:
            said.append("not registered")
        elif target.state != "healthy":
            said.append(" ".join(part for part in (target.state, target.reason, target.description) if part))
    return ", ".join(said)


def failing(census: Census, snapshot: Snapshot, progress: Progress, now: float) -> tuple[str, ...]:
    """Return the new instances that a health check has found to fail: the group's, or the load balancer's.

    A target is unhealthy while an ordinary boot takes longer than its health check allows, so the load balancer counts from
    the middle of the group's grace period on, and the group ends an instance only after it.
    """
    grace = snapshot.group.health_check_grace_seconds / 2
    unhealthy = {
        instance_id
        for health in snapshot.health.values()
        for instance_id, one in health.items()
        if one.state == "unhealthy"
    }

    def is_failing(instance_id: str, health_status: str) -> bool:
        is_late = now - progress.first_seen.get(instance_id, now) >= grace
        return health_status == "Unhealthy" or (instance_id in unhealthy and is_late)

    return tuple(one.instance_id for one in census.new if is_failing(one.instance_id, one.health_status))
