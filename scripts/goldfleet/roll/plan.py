"""The next step of a roll, from what is seen now: pure and total. Every turn asks anew, so a killed roll goes on.

Forward: own surge first, then one old instance for each ready new one. How a roll is taken back is in retreat.py. All
numbers are of classify.Census; ADR 0015 has the arithmetic.
"""

from goldfleet.roll.classify import (
    Census,
    choose_victim,
    describe_health,
    is_unannounced,
    proven_serving,
    take_census,
    unready,
)
from goldfleet.roll.model import (
    Done,
    GateVerdict,
    Halt,
    Progress,
    Roll,
    SetDesiredCapacity,
    SetMaxSize,
    Snapshot,
    State,
    Step,
    Stop,
    TerminateInstance,
    Wait,
)
from goldfleet.roll.policy import surge_limit
from goldfleet.roll.retreat import point_at, restore_max, step_back

MOST_LOST = 2
"""How many new instances may be lost before they were ready until the roll halts: one may be bad luck."""

LOOK_SECONDS = 3.0
SHORTEST_LOOK_SECONDS = 0.5


def next_step(snapshot: Snapshot, roll: Roll, progress: Progress, now: float) -> Step:
    """Return what to do next; `now` is monotonic seconds."""
    if roll.state is State.HALTED:
        return Done("the roll is halted")
    if roll.intent is not None:
        return _or_stop(Wait("waiting until AWS shows the change of the desired capacity", 1.0), roll, progress, now)
    if is_unannounced(snapshot, roll):
        seen = f"the desired capacity is {snapshot.group.desired_capacity}, it was {roll.settled}"
        return _or_stop(Wait(f"{seen}: looking once more", 1.0), roll, progress, now)
    census = take_census(snapshot, roll, progress)
    if roll.state is State.ROLLING:
        return _step_forward(snapshot, roll, progress, census, now)
    return _or_stop(step_back(snapshot, roll, progress, census, now), roll, progress, now)


def _step_forward(snapshot: Snapshot, roll: Roll, progress: Progress, census: Census, now: float) -> Step:
    return (
        _find_failure(snapshot, roll, progress, census, now)
        or _prepare(snapshot, roll, census)
        or _grow(snapshot, roll, census)
        or _replace(census, progress)
        or _or_stop(_finish_or_wait(snapshot, roll, progress, census, now), roll, progress, now)
    )


def _find_failure(snapshot: Snapshot, roll: Roll, progress: Progress, census: Census, now: float) -> Halt | None:
    """Return why the target cannot be trusted, if it cannot."""
    for one in census.new:
        result = progress.gate.get(one.instance_id)
        if result is not None and result.verdict is GateVerdict.FAILED:
            return Halt(f"{one.instance_id} failed its checks: {result.why}", (one.instance_id,))
        if result is not None and result.verdict is GateVerdict.GOOD and result.image_id != roll.target.image_id:
            seen = f"{one.instance_id} runs {result.image_id or 'an unknown AMI'}"
            return Halt(f"{seen}, wanted {roll.target.image_id}", (one.instance_id,))
    late = tuple(one.instance_id for one in census.new if _is_late(one.instance_id, roll, progress, now))
    minutes = roll.policy.ready_timeout_seconds / 60
    if late:
        return Halt(
            f"{late[0]} was not proven within {minutes:g} min: {_what_lacks(late[0], snapshot, progress)}", late
        )
    if len(progress.lost) >= MOST_LOST:
        return Halt(f"{len(progress.lost)} new instances were lost before they were ready", progress.lost)
    if progress.owed_since is not None and now - progress.owed_since >= roll.policy.ready_timeout_seconds:
        return Halt(f"the group did not launch {census.owed} instances within {minutes:g} min: see its activities")
    return None


def _is_late(instance_id: str, roll: Roll, progress: Progress, now: float) -> bool:
    seen_for = now - progress.first_seen.get(instance_id, now)
    return instance_id not in progress.ready and seen_for >= roll.policy.ready_timeout_seconds


def _what_lacks(instance_id: str, snapshot: Snapshot, progress: Progress) -> str:
    if instance_id not in progress.healthy_since:
        return f"it is not in service and healthy in every target group ({describe_health(snapshot, instance_id)})"
    result = progress.gate.get(instance_id)
    if result is None:
        return "its checks have not ended"
    return result.why or "it was not healthy for the whole warm-up"


def _prepare(snapshot: Snapshot, roll: Roll, census: Census) -> Step | None:
    """Return what must be so before the next launch."""
    group, is_to_grow = snapshot.group, bool(census.old) and census.successors_needed > 0
    if is_to_grow and roll.raised_max is not None and group.max_size == roll.sizes.max_size < roll.raised_max:
        return SetMaxSize(roll.raised_max, f"the maximum size {group.max_size} leaves no room for the surge")
    return point_at(roll.target, snapshot, roll, f"new instances are to run {roll.target.image_id}")


def _grow(snapshot: Snapshot, roll: Roll, census: Census) -> Step | None:
    """Return the raise of the desired capacity that is missing to the surge, as far as there is room."""
    wanted = min(surge_limit(roll.policy, census.base), census.surge + census.successors_needed)
    count = min(wanted - census.surge, snapshot.group.max_size - census.desired_capacity)
    if not census.old or count < 1:
        return None
    return SetDesiredCapacity(census.desired_capacity + count, f"{count} more before old ones go")


def _replace(census: Census, progress: Progress) -> Step | None:
    """Return the end of one instance that can be spared: an old one, or own surge that is left when none is old."""
    spare = proven_serving(census, progress) - census.excess - census.base
    if census.surge < 1 or spare < 0 or (not census.old and (census.owed or census.excess)):
        return None
    is_replaced = bool(census.old) and census.successors_needed > 0
    candidates = census.old or unready(census, progress) or census.new
    victim = choose_victim(census, candidates, progress.launched_at, is_replaced=is_replaced)
    if victim in census.serving and spare < 1:
        return None
    if not census.old:
        return TerminateInstance(victim, True, "own surge that is not needed any more")
    if is_replaced:
        return TerminateInstance(victim, False, "old; a ready new one has taken its place, the group launches the next")
    return TerminateInstance(victim, True, "old; a ready new one has taken its place")


def _finish_or_wait(snapshot: Snapshot, roll: Roll, progress: Progress, census: Census, now: float) -> Step:
    waited_for = unready(census, progress)
    if not census.old and not waited_for and not census.owed and not census.excess and not census.surge:
        return restore_max(snapshot, roll) or Done(f"every instance is of {roll.target.image_id}")
    if waited_for:
        instance_id = waited_for[0].instance_id
        lacks = _what_lacks(instance_id, snapshot, progress)
        return Wait(f"{instance_id} is not ready: {lacks}", _until_warm(roll, progress, now))
    if census.owed:
        return Wait(f"the group has {census.owed} to launch")
    if census.excess:
        return Wait(f"the group has {census.excess} to end by itself")
    if census.surge < 1 and snapshot.group.max_size <= census.desired_capacity:
        return Wait(f"no room for the surge: desired capacity {census.desired_capacity} of {snapshot.group.max_size}")
    return Wait(f"{len(census.old)} old, {len(census.serving)} serving: too few serve to spare one")


def _until_warm(roll: Roll, progress: Progress, now: float) -> float:
    """Return when to look again: at the end of the next warm-up when that is sooner than usual."""
    ends = [since + roll.policy.warm_up_seconds - now for since in progress.healthy_since.values()]
    soon = min((seconds for seconds in ends if seconds > 0), default=LOOK_SECONDS)
    return max(SHORTEST_LOOK_SECONDS, min(LOOK_SECONDS, soon))


def _or_stop(step: Step, roll: Roll, progress: Progress, now: float) -> Step:
    """Return the step, or a stop when it is a wait and nothing has changed for longer than an instance may take."""
    patience = roll.policy.ready_timeout_seconds + roll.policy.warm_up_seconds + 60
    if isinstance(step, Wait) and now - progress.changed_at >= patience:
        return Stop(f"nothing has changed for {patience / 60:.0f} min: {step.why}")
    return step
