"""What a roll would do if all went well: the same next_step on an optimistic pure model of the group.

Only the first step is certain: each later one depends on what is then seen. Instances come up, serve and are proven at
once; nobody changes sizes; nothing fails.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from goldfleet.aws.model import GroupInstance, TargetHealth
from goldfleet.errors import GoldfleetError
from goldfleet.roll.classify import COUNTED_STATES
from goldfleet.roll.model import (
    GateResult,
    GateVerdict,
    Mutation,
    Progress,
    Roll,
    SetDesiredCapacity,
    SetMaxSize,
    Snapshot,
    Step,
    TerminateInstance,
    UseLaunch,
    Wait,
)
from goldfleet.roll.plan import next_step
from goldfleet.roll.progress import watch

STEPS_PER_INSTANCE = 20


def simulate(snapshot: Snapshot, roll: Roll) -> tuple[Step, ...]:
    """Return the steps from here to the end, without the waits."""
    roll = replace(roll, policy=replace(roll.policy, warm_up_seconds=0))
    progress, steps = Progress(), []
    for turn in range(STEPS_PER_INSTANCE * (len(snapshot.group.instances) + 2)):
        gate = {
            one.instance_id: GateResult(one.instance_id, GateVerdict.GOOD, roll.target.image_id)
            for one in snapshot.group.instances
        }
        progress = watch(replace(progress, gate=gate), snapshot, roll, float(turn))
        step = next_step(snapshot, roll, progress, float(turn))
        if isinstance(step, Wait):
            continue
        steps.append(step)
        if not isinstance(step, Mutation):
            return tuple(steps)
        roll = _with_surge(roll, step, snapshot)
        snapshot = _after(step, snapshot, turn)
    raise GoldfleetError(f"The plan for {snapshot.group.name} has no end: {steps[-1:]}.", "Please report it.")


def _with_surge(roll: Roll, step: Mutation, snapshot: Snapshot) -> Roll:
    match step:
        case SetDesiredCapacity(desired_capacity, _):
            return replace(roll, surge=roll.surge + desired_capacity - snapshot.group.desired_capacity)
        case TerminateInstance(_, True, _):
            return replace(roll, surge=roll.surge - 1)
        case _:
            return roll


def _after(step: Mutation, snapshot: Snapshot, turn: int) -> Snapshot:
    """Return the group after a step, with all that it launches for it up and serving."""
    group = snapshot.group
    zones = sorted({one.availability_zone for one in group.instances})
    match step:
        case UseLaunch(fit, _):
            group = replace(group, launch=fit.launch)
        case SetDesiredCapacity(desired_capacity, _):
            group = replace(group, desired_capacity=desired_capacity)
        case SetMaxSize(max_size, _):
            group = replace(group, max_size=max_size)
        case TerminateInstance(instance_id, decrements, _):
            rest = tuple(one for one in group.instances if one.instance_id != instance_id)
            group = replace(group, instances=rest, desired_capacity=group.desired_capacity - decrements)
    return _launched(replace(snapshot, group=group), zones, turn)


def _launched(snapshot: Snapshot, zones: Sequence[str], turn: int) -> Snapshot:
    group = snapshot.group
    counted = [one for one in group.instances if one.lifecycle_state in COUNTED_STATES]
    missing = max(0, group.desired_capacity - len(counted))
    new: tuple[GroupInstance, ...] = ()
    for number in range(1, missing + 1):
        filled = Counter(one.availability_zone for one in (*group.instances, *new))
        zone = min(zones, key=lambda one, filled=filled: filled[one], default="")  # type: ignore[misc]
        new = (*new, GroupInstance(f"(new {turn}-{number})", "InService", "Healthy", group.launch, zone))
    healthy = {one.instance_id: TargetHealth(one.instance_id, "healthy") for one in new}
    health = {arn: {**snapshot.health.get(arn, {}), **healthy} for arn in group.target_group_arns}
    return Snapshot(replace(group, instances=(*group.instances, *new)), health)
