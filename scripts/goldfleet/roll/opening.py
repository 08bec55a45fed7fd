"""What every command on a group begins with: look, read the roll in its tags, find out what is wished; changes nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from goldfleet import tags
from goldfleet.errors import GoldfleetError, RefusedError
from goldfleet.lease import TOKEN_DIGITS, Holder, Lease, renewed
from goldfleet.roll.classify import is_same_launch
from goldfleet.roll.model import Fit, Roll, Snapshot
from goldfleet.roll.ports import RollRequest, World
from goldfleet.roll.preflight import Wish, find_standing_obstacles, is_finished, plan_roll
from goldfleet.roll.record import decode_roll


@dataclass(frozen=True)
class Opening:
    """A group as it was found, and the roll that its tags hold, None for none."""

    snapshot: Snapshot
    roll: Roll | None

    @property
    def name(self) -> str:
        """Return the group's name."""
        return self.snapshot.group.name


def open_group(name: str, world: World) -> Opening:
    """Look at a group.

    Raises RefusedError for one that does not exist; the message says which do.
    """
    snapshot = world.fleet.look()
    if snapshot is None:
        names = world.fleet.names()
        there = f"there are {', '.join(names)}" if names else "there is none in this account and region"
        raise RefusedError(f"Auto Scaling group {name} does not exist; {there}.", "Check name, profile and region.")
    return Opening(snapshot, decode_roll(name, snapshot.group.tags))


def require_roll(opening: Opening) -> Roll:
    """Return the roll in progress.

    Raises RefusedError when there is none.
    """
    if opening.roll is None:
        raise RefusedError(
            f"{opening.name} has no roll in progress.", f"Begin one: goldfleet roll start {opening.name}."
        )
    return opening.roll


def read_wish(request: RollRequest, opening: Opening, world: World) -> Wish:
    """Return what is asked for, with what AWS knows of the AMIs.

    Raises RefusedError when it cannot be said what the group launches now, or which AMI is meant.
    """
    standing = find_standing_obstacles(opening.snapshot)
    if opening.snapshot.group.has_mixed_instances_policy:
        raise refusal(opening.name, standing)
    image_id = request.image_id or _current_image(request.image, world)
    return wish_for(request, opening, image_id, world)


def wish_for(request: RollRequest, opening: Opening, image_id: str, world: World) -> Wish:
    """Return the wish for an AMI."""
    current = world.launches.pin(opening.snapshot.group.launch)
    current_image = world.images.image(current.image_id)
    own_snapshots = current_image.snapshot_ids if current_image else ()
    return Wish(
        target_image_id=image_id,
        target_image=world.images.image(image_id),
        current=current,
        current_image=current_image,
        pinned_snapshots=tuple(sorted(world.launches.snapshots(current.launch).intersection(own_snapshots))),
        policy=request.policy,
        may_raise_max=request.may_raise_max,
    )


def is_there(opening: Opening, wish: Wish, target: Fit) -> bool:
    """Tell whether the group launches the target, and all its instances are of it: there is nothing to do."""
    if opening.roll is not None or not is_same_launch(wish.current.launch, target.launch):
        return False
    return is_finished(opening.snapshot, plan_roll("", opening.snapshot, target, wish))


def check_target(fit: Fit, world: World) -> tuple[str, ...]:
    """Return why a group could not be told to launch this."""
    found = []
    image = world.images.image(fit.image_id)
    if image is None or image.state != "available":
        seen = f"has state {image.state}" if image else "does not exist any more"
        found.append(f"AMI {fit.image_id} {seen}, wanted available.")
    if not world.launches.exists(fit.launch):
        found.append(f"{fit.launch} does not exist any more.")
    return tuple(found)


def refusal(name: str, obstacles: tuple[str, ...]) -> RefusedError:
    """Return the refusal that says every reason."""
    return RefusedError(f"{name} cannot be rolled now; nothing was changed:", "", obstacles)


@contextmanager
def leased(name: str, run: str, world: World) -> Iterator[Lease]:
    """Hold a group's lease inside the block, renewed.

    Raises RefusedError, which says who, when somebody else holds it.
    """
    holder = Holder(world.owner(), run, world.random_hex(TOKEN_DIGITS))
    duration = timedelta(minutes=world.lease_minutes)
    lease = Lease(world.parameters, world.patient_clock, tags.group_lease(name), holder, duration)
    lease.acquire()
    try:
        with renewed(lease):
            yield lease
    finally:
        try:
            lease.release()
        except GoldfleetError as error:  # it must not hide what happened before, and the lease ends by itself
            world.note(f"The lease could not be released, and ends by itself: {error.message}")


def _current_image(image: str, world: World) -> str:
    parameter = world.parameters.get(tags.current_parameter(image))
    if parameter is None or not parameter.value:
        raise RefusedError(
            f"Image {image} has no current AMI ({tags.current_parameter(image)} is not set).",
            f"Bake one (goldfleet bake {image}), or name an AMI: --image-id.",
        )
    return parameter.value
