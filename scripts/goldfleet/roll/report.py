"""What is: the state of a group's roll, and what a roll would do; reads only."""

from dataclasses import dataclass, replace

from goldfleet import tags
from goldfleet.aws.model import LaunchSpec
from goldfleet.lease import parse_record
from goldfleet.roll.classify import count_by_launch, take_census
from goldfleet.roll.model import Count, Fit, Policy, Progress, Roll, Sizes, Step
from goldfleet.roll.opening import is_there, open_group, read_wish
from goldfleet.roll.ports import RollRequest, World
from goldfleet.roll.preflight import find_notes, find_obstacles, plan_roll
from goldfleet.roll.record import decode_fit
from goldfleet.roll.simulate import simulate


@dataclass(frozen=True)
class Status:
    """A group now: its sizes, who serves, and the roll in progress, None for none. `holder` is who works on it, or ""."""

    group: str
    min_size: int
    max_size: int
    desired_capacity: int
    serving: int
    launch: LaunchSpec
    roll: Roll | None
    count: Count
    previous: Fit | None
    holder: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Plan:
    """What a roll would do, when nothing speaks against it; `steps` is empty then and when there is nothing to do."""

    group: str
    target_image_id: str
    current: Fit
    target: LaunchSpec | None
    obstacles: tuple[str, ...]
    notes: tuple[str, ...]
    steps: tuple[Step, ...]


def read_status(group: str, world: World) -> Status:
    """Return how a group and its roll are."""
    opening = open_group(group, world)
    seen, previous = opening.snapshot.group, decode_fit(opening.snapshot.group.tags.get(tags.PREVIOUS, ""))
    nothing = Fit(seen.launch, "")
    shown = opening.roll or Roll("", nothing, nothing, Sizes(0, 0, 0), Policy())
    census = take_census(opening.snapshot, shown, Progress())
    return Status(
        group=group,
        min_size=seen.min_size,
        max_size=seen.max_size,
        desired_capacity=seen.desired_capacity,
        serving=len(census.serving),
        launch=seen.launch,
        roll=opening.roll,
        count=count_by_launch(seen, shown.target, shown.previous),
        previous=previous,
        holder=_holder(group, world),
        notes=find_notes(census),
    )


def make_plan(request: RollRequest, world: World) -> Plan:
    """Return what a roll would do now. A version or configuration that does not exist yet is not made."""
    opening = open_group(request.group, world)
    wish = read_wish(request, opening, world)
    found = world.launches.find(wish.current.launch, wish.target_image_id)
    target = found or Fit(replace(wish.current.launch, version="(new)"), wish.target_image_id)
    if found is None and not wish.current.launch.is_template:
        target = Fit(LaunchSpec("(new)"), wish.target_image_id)
    nothing_to_do = found is not None and is_there(opening, wish, found)
    obstacles = () if nothing_to_do else find_obstacles(opening.snapshot, wish, opening.roll)
    roll = plan_roll("", opening.snapshot, target, wish)
    return Plan(
        group=request.group,
        target_image_id=wish.target_image_id,
        current=wish.current,
        target=found.launch if found else None,
        obstacles=obstacles,
        notes=find_notes(take_census(opening.snapshot, roll, Progress())),
        steps=() if obstacles or nothing_to_do else simulate(opening.snapshot, roll),
    )


def _holder(group: str, world: World) -> str:
    parameter = world.parameters.get(tags.lease_parameter(tags.group_lease(group)))
    if parameter is None:
        return ""
    record = parse_record(parameter)
    return f"{record.owner}, since {record.taken_at}" if record.is_live(world.clock.now()) else ""
