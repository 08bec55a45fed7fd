"""What must never be. The driver checks each mutation against these before it does it; a breach is a bug of plan.py.

Written without plan.py's arithmetic: who serves, who is asked to go, what the desired capacity would become. Who counts as
what, and what is own surge, both take from classify.py.
"""

from goldfleet.errors import GoldfleetError
from goldfleet.roll.classify import Census, is_same_launch, take_census
from goldfleet.roll.model import (
    Mutation,
    Progress,
    Roll,
    SetDesiredCapacity,
    SetMaxSize,
    Snapshot,
    State,
    TerminateInstance,
    UseLaunch,
)
from goldfleet.roll.policy import surge_limit


class InvariantError(GoldfleetError):
    """A step would break a promise of a roll; nothing was done."""


def check_step(step: Mutation, snapshot: Snapshot, roll: Roll, progress: Progress) -> None:
    """Raise InvariantError for a step that must not be done now."""
    census = take_census(snapshot, roll, progress)
    match step:
        case UseLaunch(fit, _):
            if not any(is_same_launch(fit.launch, one.launch) for one in (roll.target, roll.previous)):
                raise _breach(step, snapshot, f"{fit.launch} is neither the roll's target nor what was before")
        case SetDesiredCapacity(desired_capacity, _):
            _check_desired(step, desired_capacity, snapshot, census, roll)
        case TerminateInstance():
            _check_termination(step, snapshot, census, roll, progress)
        case SetMaxSize(max_size, _):
            if max_size < snapshot.group.desired_capacity:
                raise _breach(step, snapshot, "the maximum size would fall below the desired capacity")


def floor_of(census: Census) -> int:
    """Return how many instances must serve: the live desired capacity without own surge."""
    return census.base


def ceiling_of(census: Census, roll: Roll) -> int:
    """Return how high the desired capacity may be set: the live one without own surge, and the whole surge."""
    return census.base + max(surge_limit(roll.policy, census.base), census.surge)


def _check_desired(
    step: SetDesiredCapacity, desired_capacity: int, snapshot: Snapshot, census: Census, roll: Roll
) -> None:
    if desired_capacity < floor_of(census):
        raise _breach(step, snapshot, f"below the floor of {floor_of(census)}")
    if desired_capacity > min(ceiling_of(census, roll), snapshot.group.max_size):
        raise _breach(step, snapshot, f"above the ceiling of {ceiling_of(census, roll)}")
    if desired_capacity < census.desired_capacity and desired_capacity < census.counted:
        raise _breach(step, snapshot, "AWS would choose which instance ends")


def _check_termination(
    step: TerminateInstance, snapshot: Snapshot, census: Census, roll: Roll, progress: Progress
) -> None:
    instance_id = step.instance_id
    is_old = any(one.instance_id == instance_id for one in census.old)
    is_new = any(one.instance_id == instance_id for one in census.new)
    if not (is_old or is_new):
        raise _breach(step, snapshot, f"{instance_id} is protected, leaving or not the group's")
    if instance_id in census.serving and len(census.serving) - 1 < floor_of(census):
        raise _breach(step, snapshot, f"{len(census.serving)} serve, the floor is {floor_of(census)}")
    if step.decrements and census.surge < 1:
        raise _breach(step, snapshot, "there is no own surge to give up")
    if is_old and census.surge < 1:
        raise _breach(step, snapshot, f"{instance_id} is old and has no successor")
    if is_new and not step.decrements and (roll.state is State.ROLLING or instance_id in progress.ready):
        raise _breach(step, snapshot, f"{instance_id} is new and did not fail")


def _breach(step: Mutation, snapshot: Snapshot, why: str) -> InvariantError:
    return InvariantError(
        f"A roll of {snapshot.group.name} was about to break its own rules: {why}; step {step}.",
        "Nothing was done. Please report it, with the output of `goldfleet roll status --json`.",
    )
