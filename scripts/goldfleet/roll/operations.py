"""The commands on a group's roll: start, resume, abort, roll back. Each decides before the lease and again under it.

What a command decides is in preflight.py and plan.py; the turns are drive.py's.
"""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace

from goldfleet import tags
from goldfleet.errors import AwsError, RefusedError, StoppedError
from goldfleet.lease import Lease
from goldfleet.roll.classify import count_by_launch, is_same_launch, take_census
from goldfleet.roll.drive import Drive, Ended
from goldfleet.roll.model import Direction, Fit, Outcome, Progress, Roll, State
from goldfleet.roll.opening import (
    Opening,
    check_target,
    is_there,
    leased,
    open_group,
    read_wish,
    refusal,
    require_roll,
    wish_for,
)
from goldfleet.roll.ports import RollRequest, World
from goldfleet.roll.preflight import (
    Wish,
    find_notes,
    find_obstacles,
    find_standing_obstacles,
    plan_roll,
)
from goldfleet.roll.record import decode_fit, encode_roll

ACTIONS = {Direction.FORWARD: "rolled", Direction.BACK: "rolled back"}


def start(request: RollRequest, world: World) -> Outcome:
    """Roll an image through a group; nothing is done when every instance runs it already.

    Raises RefusedError (nothing was changed) and StoppedError (resumable, also after a halt).
    """

    def choose(opening: Opening) -> tuple[Wish, Fit | None]:
        wish = read_wish(request, opening, world)
        return wish, world.launches.find(wish.current.launch, wish.target_image_id)

    opening = open_group(request.group, world)
    wish, found = choose(opening)
    if found is not None and is_there(opening, wish, found):
        return _nothing_to_do(opening, wish, found)
    _refuse_obstacles(opening, wish)
    run = _new_run(world)
    with leased(request.group, run, world) as lease:
        opening = open_group(request.group, world)
        wish, _ = choose(opening)
        _refuse_obstacles(opening, wish)
        target = world.launches.make(wish.current.launch, wish.target_image_id, run)
        roll = plan_roll(run, opening.snapshot, target, wish)
        return _drive(_begin(roll, world, lease), request.group, world, lease)


def resume(group: str, world: World) -> Outcome:
    """Go on with a roll that was killed, stopped or halted, from the group's tags alone."""
    with leased(group, _new_run(world), world) as lease:
        opening = open_group(group, world)
        roll = require_roll(opening)
        if roll.state is State.ABORTING:
            return _drive(roll, group, world, lease)
        _refuse(opening, find_standing_obstacles(opening.snapshot) + check_target(roll.target, world))
        return _drive(_change(roll, replace(roll, state=State.ROLLING, why=""), world, lease), group, world, lease)


def abort(group: str, world: World) -> Outcome:
    """End a roll where it is: previous launch back, own surge away, sizes and tags clean; what is proven stays."""
    with leased(group, _new_run(world), world) as lease:
        roll = require_roll(open_group(group, world))
        return _drive(_change(roll, replace(roll, state=State.ABORTING), world, lease), group, world, lease)


def roll_back(request: RollRequest, world: World) -> Outcome:
    """Bring a group back to what it ran before the roll in progress, or before the one that ended last."""
    run = _new_run(world)
    with leased(request.group, run, world) as lease:
        opening = open_group(request.group, world)
        if opening.roll is not None:
            roll = replace(_turned(opening.roll), policy=request.policy)
            _refuse(opening, find_standing_obstacles(opening.snapshot) + check_target(roll.target, world))
            return _drive(_change(opening.roll, roll, world, lease), request.group, world, lease)
        target = decode_fit(opening.snapshot.group.tags.get(tags.PREVIOUS, ""))
        if target is None:
            raise RefusedError(
                f"{request.group} has nothing to go back to: it has no tag {tags.PREVIOUS}.",
                "Name the AMI that is wanted: goldfleet roll start --image-id.",
            )
        wish = wish_for(request, opening, target.image_id, world)
        if is_there(opening, wish, target):
            return _nothing_to_do(opening, wish, target)
        _refuse(opening, find_obstacles(opening.snapshot, wish, None) + check_target(target, world))
        roll = replace(plan_roll(run, opening.snapshot, target, wish), direction=Direction.BACK)
        return _drive(_begin(roll, world, lease), request.group, world, lease)


def _new_run(world: World) -> str:
    return tags.build_run_id(world.clock.now(), world.random_hex(tags.RUN_ID_DIGITS))


def _nothing_to_do(opening: Opening, wish: Wish, target: Fit) -> Outcome:
    roll = plan_roll("", opening.snapshot, target, wish)
    return Outcome(
        "nothing to do", opening.name, "", target.image_id, "", str(target.launch),
        notes=find_notes(take_census(opening.snapshot, roll, Progress())),
        count=count_by_launch(opening.snapshot.group, target, wish.current),
    )  # fmt: skip


def _refuse_obstacles(opening: Opening, wish: Wish) -> None:
    _refuse(opening, find_obstacles(opening.snapshot, wish, opening.roll))


def _refuse(opening: Opening, obstacles: tuple[str, ...]) -> None:
    if obstacles:
        raise refusal(opening.name, obstacles)


def _begin(roll: Roll, world: World, lease: Lease) -> Roll:
    """Write a new roll into the group's tags and return it."""
    _write_tags(encode_roll(roll), world, lease)
    return roll


def _change(before: Roll, after: Roll, world: World, lease: Lease) -> Roll:
    """Write a roll's new state into the group's tags and return it; those that have nothing to say any more become `-`."""
    cleared = {key: "-" for key in encode_roll(before).keys() - encode_roll(after).keys()}
    _write_tags({**encode_roll(after), **cleared}, world, lease)
    return after


def _write_tags(values: Mapping[str, str], world: World, lease: Lease) -> None:
    """Write a roll's tags.

    Raises StoppedError when AWS does not say whether they were written: then a roll may have begun.
    """
    lease.assert_held()
    try:
        world.fleet.set_tags(values)
    except AwsError as error:
        if error.code:  # a refusal, so nothing was written
            raise
        raise StoppedError(
            f"{error} Whether the roll's tags were written is not known; nothing else was changed.",
            "See `goldfleet roll status`; run the same command again, or `resume` when it shows a roll.",
        ) from error


def _turned(roll: Roll) -> Roll:
    """Return a roll that goes back to what was before; one that goes back already goes on."""
    if roll.direction is Direction.BACK:
        return replace(roll, state=State.ROLLING, why="")
    if is_same_launch(roll.target.launch, roll.previous.launch):
        raise RefusedError(
            f"Before roll {roll.roll_id} the group launched {roll.target.image_id} too: there is nothing to go back to.",
            "`goldfleet roll abort` ends the roll where it is.",
        )
    return replace(
        roll, target=roll.previous, previous=roll.target, state=State.ROLLING, direction=Direction.BACK, why=""
    )


def _drive(roll: Roll, group: str, world: World, lease: Lease) -> Outcome:
    """Drive a roll to its end and say what came of it.

    Raises StoppedError when it was halted or has to end before.
    """
    started = world.clock.monotonic()
    with closing(world.make_gate(roll.roll_id)) as gate:
        drive = Drive(roll, world, lease, gate, world.make_witness(roll.roll_id))
        try:
            ended = drive.run()
        except StoppedError as error:
            raise _resumable(error, group) from error
    seconds = world.clock.monotonic() - started
    if ended.roll.state is State.HALTED:
        raise _halted(ended)
    return _outcome(ended, seconds)


def _outcome(ended: Ended, seconds: float) -> Outcome:
    roll, group = ended.roll, ended.snapshot.group
    census = take_census(ended.snapshot, roll, Progress())
    count = count_by_launch(group, roll.target, roll.previous)
    is_abort = roll.state is State.ABORTING
    notes = find_notes(census)
    if is_abort and count.target and count.previous + count.others:
        notes += (
            f"The fleet is mixed: {count.target} of {roll.target.image_id}, {count.previous} of {roll.previous.image_id}; "
            f"`goldfleet roll start {group.name} --image-id` with one of them makes it whole.",
        )
    return Outcome(
        action="aborted" if is_abort else ACTIONS[roll.direction],
        group=group.name,
        roll_id=roll.roll_id,
        image_id=roll.target.image_id,
        previous_image_id=roll.previous.image_id,
        launch=str(roll.previous.launch if is_abort else roll.target.launch),
        replaced=ended.replaced,
        seconds=seconds,
        skipped=(*(one.instance_id for one in census.kept), *census.standby),
        notes=notes,
        count=count,
    )


def _resumable(error: StoppedError, group: str) -> StoppedError:
    return StoppedError(
        f"{error} The roll of {group} is not finished; nothing is half done.",
        f"Go on with it: goldfleet roll resume {group} (or rollback, or abort).",
    )


def _halted(ended: Ended) -> StoppedError:
    roll, name = ended.roll, ended.snapshot.group.name
    count = count_by_launch(ended.snapshot.group, roll.target, roll.previous)
    return StoppedError(
        f"The roll of {name} to {roll.target.image_id} was halted: {roll.why}. {name} launches {roll.previous.image_id} "
        f"again; {count.previous} of its instances run it, {count.target} the new one. Evidence: "
        f"{ended.evidence or 'none could be had'}.",
        f"Try again (goldfleet roll resume {name}), go back (rollback), or leave it (abort).",
    )
