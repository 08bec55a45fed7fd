"""Keeps in mind what one look cannot show: how long an instance has been healthy, who was lost, what was announced; pure."""

from collections.abc import Mapping
from dataclasses import replace

from goldfleet.roll.classify import Census, take_census
from goldfleet.roll.model import GateResult, GateVerdict, Grow, Progress, Roll, Shrink, Snapshot

LONGEST_LAG_SECONDS = 15.0
"""How long an answered change may be invisible in AWS's descriptions, as far as a roll waits for it."""


def watch(progress: Progress, snapshot: Snapshot, roll: Roll, now: float) -> Progress:
    """Return the progress after a look.

    An instance is ready when it has served at every look for the warm-up and the gate found it good. One that leaves
    before it was ready, unasked, is lost, unless somebody lowered the desired capacity meanwhile.
    """
    census = take_census(snapshot, roll, progress)
    first_seen = {
        one.instance_id: now if one.instance_id in progress.ready else progress.first_seen.get(one.instance_id, now)
        for one in census.new
    }
    healthy_since = {
        one.instance_id: progress.healthy_since.get(one.instance_id, now)
        for one in census.new
        if one.instance_id in census.serving
    }
    signature = _signature(snapshot, census, progress.gate)
    has_changed = signature != progress.signature
    ready = frozenset(
        instance_id
        for instance_id, since in healthy_since.items()
        if now - since >= roll.policy.warm_up_seconds and is_good(progress.gate.get(instance_id), roll)
    )
    return replace(
        progress,
        first_seen=first_seen,
        healthy_since=healthy_since,
        ready=ready,
        proven=progress.proven | ready,
        lost=progress.lost + _newly_lost(progress, census, first_seen),
        owed_since=(now if progress.owed_since is None else progress.owed_since) if census.owed else None,
        changed_at=now if has_changed else progress.changed_at,
        signature=signature,
        live_desired=census.base,
    )


def is_good(result: GateResult | None, roll: Roll) -> bool:
    """Tell whether the gate found an instance good, and running the target's AMI."""
    return result is not None and result.verdict is GateVerdict.GOOD and result.image_id == roll.target.image_id


def settle(roll: Roll, snapshot: Snapshot, is_sent: bool, waited_seconds: float = 0.0) -> Roll | None:
    """Return the roll with its intent resolved by what is seen, or None while that cannot be told.

    `is_sent`: this process got the answer of the call, `waited_seconds` ago; then AWS's own delay is waited for. A number that
    is neither the old nor the announced one is somebody else's, own surge and all. What else cannot be told apart after a
    kill counts as less own surge: it is then too late only to take capacity away. ADR 0015.
    """
    desired = snapshot.group.desired_capacity
    match roll.intent:
        case None:
            return roll
        case Grow(count, before):
            if is_sent and desired == before:
                return None
            unchanged = {before: roll.surge, before + count: roll.surge + count}
            return _settled(roll, unchanged.get(desired, 0), desired)
        case Shrink(instance_id, before):
            members = snapshot.group.instances
            is_here = any(one.instance_id == instance_id and _is_staying(one.lifecycle_state) for one in members)
            if is_sent and desired == before and (is_here or waited_seconds < LONGEST_LAG_SECONDS):
                return None
            if desired not in (before, before - 1) or (is_here and desired != before and not is_sent):
                return _settled(roll, 0, desired)
            # One that was ending already is not decremented for: then the old number stays. After a kill an unchanged
            # number may also be somebody's raise on top.
            is_done = desired != before if is_sent else not is_here
            return _settled(roll, max(0, roll.surge - 1) if is_done else roll.surge, desired)


def accept(roll: Roll, snapshot: Snapshot) -> Roll:
    """Return the roll after somebody else set the desired capacity: it is wanted as it is, own surge is none of it."""
    return _settled(roll, 0, snapshot.group.desired_capacity)


def _settled(roll: Roll, surge: int, desired: int) -> Roll:
    return replace(roll, intent=None, surge=surge, settled=desired if surge else None)


def _is_staying(lifecycle_state: str) -> bool:
    return not lifecycle_state.startswith(("Terminat", "Detach"))


def _newly_lost(progress: Progress, census: Census, first_seen: Mapping[str, float]) -> tuple[str, ...]:
    if census.base < progress.live_desired:
        return ()
    known = progress.proven | progress.asked
    return tuple(one for one in progress.first_seen if one not in first_seen and one not in known)


def _signature(snapshot: Snapshot, census: Census, gate: Mapping[str, GateResult]) -> int:
    """Return a number that changes when anything that matters does."""
    group = snapshot.group
    states = frozenset((one.instance_id, one.lifecycle_state) for one in group.instances)
    seen = (group.desired_capacity, group.min_size, group.max_size, group.launch, states, census.serving, len(gate))
    return hash(seen)
