"""How a roll is taken back, after a halt or an abort: previous launch first, own surge away, sizes as they were; pure.

What was proven stays, and so does everything old: a fleet may be mixed after it, and the operator is told. ADR 0016.
"""

from goldfleet.aws.model import GroupInstance
from goldfleet.roll.classify import Census, choose_victim, is_same_launch, proven_serving, unready
from goldfleet.roll.model import (
    Done,
    Fit,
    GateVerdict,
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

UNLAUNCHED_SECONDS = 60.0
"""How long own surge may be unlaunched until the desired capacity is lowered by it: a launch that comes at that very
moment would let AWS choose whom to end."""


def step_back(snapshot: Snapshot, roll: Roll, progress: Progress, census: Census, now: float) -> Step:
    """Return the next step on the way back to what was before the roll."""
    use_previous = point_at(roll.previous, snapshot, roll, f"replacements are to run {roll.previous.image_id} again")
    if use_previous is not None:
        return use_previous
    if census.surge:
        return _give_up_surge(progress, census, now)
    failed = tuple(one for one in unready(census, progress) if _can_be_replaced(one.instance_id, progress, census))
    if failed and not is_same_launch(roll.target.launch, roll.previous.launch):
        return TerminateInstance(
            failed[0].instance_id, False, f"new and not good; {roll.previous.image_id} replaces it"
        )
    return restore_max(snapshot, roll) or Done("own surge is gone, the group launches what it launched before")


def _can_be_replaced(instance_id: str, progress: Progress, census: Census) -> bool:
    """Tell whether a new instance goes: one that does not serve, or that failed its checks and can be spared."""
    if instance_id not in census.serving:
        return True
    result = progress.gate.get(instance_id)
    is_bad = result is not None and result.verdict is GateVerdict.FAILED
    return is_bad and len(census.serving) - 1 >= census.base


def _give_up_surge(progress: Progress, census: Census, now: float) -> Step:
    """Return the end of one unproven new instance, or, when none is left, of one that can be spared."""
    unproven = unready(census, progress)
    for candidates, why in ((unproven, "new and not proven"), (census.old, "own surge"), (census.new, "own surge")):
        victim = _spared(candidates, progress, census)
        if victim:
            return TerminateInstance(victim, True, f"{why}; it is not replaced")
    if progress.owed_since is not None and now - progress.owed_since >= UNLAUNCHED_SECONDS:
        fewer = min(census.owed, census.surge)
        return SetDesiredCapacity(census.desired_capacity - fewer, f"{fewer} of own surge never came up")
    return Wait("own surge cannot be spared yet: too few instances serve")


def _spared(candidates: tuple[GroupInstance, ...], progress: Progress, census: Census) -> str:
    """Return which of them can end without fewer serving than are wanted, "" for none."""
    if not candidates:
        return ""
    victim = choose_victim(census, candidates, progress.launched_at, is_replaced=False)
    if victim not in census.serving:
        return victim
    is_relied_on = victim in progress.ready or any(one.instance_id == victim for one in census.old)
    spare = (proven_serving(census, progress) if is_relied_on else len(census.serving)) - census.excess - census.base
    return victim if spare >= 1 else ""


def point_at(fit: Fit, snapshot: Snapshot, roll: Roll, why: str) -> UseLaunch | None:
    """Return the step that has the group launch from `fit`, None when it does; what is neither of the roll's is named.

    $Latest and $Default are not: a group may have named them before the roll, which pins numbers.
    """
    seen = snapshot.group.launch
    if is_same_launch(seen, fit.launch):
        return None
    known = (roll.previous.launch, roll.target.launch)
    is_foreign = not seen.version.startswith("$") and not any(is_same_launch(seen, own) for own in known)
    return UseLaunch(fit, f"somebody else set {seen}; {why}" if is_foreign else why)


def restore_max(snapshot: Snapshot, roll: Roll) -> SetMaxSize | None:
    """Return the step that puts the maximum size back, unless somebody else changed it, or it is needed now."""
    group, original = snapshot.group, roll.sizes.max_size
    wanted = max(original, group.desired_capacity)
    if roll.raised_max is None or group.max_size != roll.raised_max or group.max_size == wanted:
        return None
    return SetMaxSize(wanted, "the maximum size that it had before the roll")
