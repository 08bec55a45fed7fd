"""Makes an image the current one, and goes back: the only writer of `goldfleet:verified` and of the pointers.

The order of the writes is such that after a crash between any two of them the same command, run again, completes it:
variables and facts, then the tag that says verified, then `previous`, then `current`.
"""

from collections.abc import Callable
from dataclasses import dataclass

from goldfleet import tags
from goldfleet.aws.model import Image
from goldfleet.bake.facts import encode_facts
from goldfleet.bake.model import Facts, Shelf
from goldfleet.bake.ports import Cloud, Parameters
from goldfleet.bake.shelf import read_pointers, read_shelf
from goldfleet.errors import RefusedError
from goldfleet.lease import Lease


@dataclass(frozen=True)
class Publisher:
    """Writes what is published. `before_write` is called before each write: it makes sure the lease is held."""

    cloud: Cloud
    parameters: Parameters
    before_write: Callable[[], None]

    def record_verified(self, facts: Facts, built_with: str) -> None:
        """Keep the variables that an image was built with and its facts, and tag it as verified."""
        self._put(tags.variables_parameter(facts.image, facts.image_id), built_with)
        self._put(tags.facts_parameter(facts.image, facts.image_id), encode_facts(facts))
        self._tag(facts.image_id, tags.VERIFIED, facts.verified_at)

    def record_failed(self, image_id: str) -> None:
        """Tag an image whose copy failed its verification; it is kept to be looked at, and never published."""
        self._tag(image_id, tags.VERIFIED, tags.VERIFICATION_FAILED)

    def make_current(self, image: str, image_id: str) -> None:
        """Move the pointers: the image becomes current, and what was current becomes previous."""
        pointers = read_pointers(image, self.parameters)
        if pointers.current not in ("", image_id):
            self._put(tags.previous_parameter(image), pointers.current)
        self._put(tags.current_parameter(image), image_id)

    def roll_back(self, image: str, shelf: Shelf, time: str) -> str:
        """Swap the pointers, and return the id of the image that is current now.

        The image that is left is tagged first, so that no schedule publishes it again.
        Raises RefusedError when there is no previous image, or it is gone or not available.
        """
        wanted = image_to_go_back_to(image, shelf)
        left = shelf.pointers.current
        if left != wanted.image_id:
            self._tag(left, tags.ROLLED_BACK, time)
        if tags.ROLLED_BACK in wanted.tags:
            self.before_write()
            self.cloud.remove_tag(wanted.image_id, tags.ROLLED_BACK)
        self._put(tags.current_parameter(image), wanted.image_id)
        self._put(tags.previous_parameter(image), left if left != wanted.image_id else _interrupted_from(shelf))
        return wanted.image_id

    def _put(self, name: str, value: str) -> None:
        self.before_write()
        self.parameters.put(name, value)

    def _tag(self, image_id: str, key: str, value: str) -> None:
        self.before_write()
        self.cloud.set_tags(image_id, {key: value})


def roll_back_under_lease(image: str, publisher: Publisher, lease: Lease, time: str) -> str:
    """Swap an image's pointers while its lease is held, and return the id of the image that is current now.

    Raises RefusedError when there is nothing to go back to, before anything is written, or somebody has the lease.
    """
    image_to_go_back_to(image, read_shelf(image, publisher.cloud, publisher.parameters))
    lease.acquire()
    try:
        return publisher.roll_back(image, read_shelf(image, publisher.cloud, publisher.parameters), time)
    finally:
        lease.release()


def image_to_go_back_to(image: str, shelf: Shelf) -> Image:
    """Return the image that a rollback makes current.

    Raises RefusedError when there is none that can be used.
    """
    previous = shelf.pointers.previous
    if not previous or (previous == shelf.pointers.current and not _interrupted_from(shelf)):
        raise RefusedError(f"Image {image} has no previous AMI to go back to.", "See `goldfleet images list`.")
    found = next((one for one in shelf.images if one.image_id == previous), None)
    if found is None or found.state != "available":
        seen = f"is in state {found.state}" if found else "does not exist any more"
        raise RefusedError(f"The previous AMI {previous} of image {image} {seen}.", "Bake a new one: `goldfleet bake`.")
    return found


def _interrupted_from(shelf: Shelf) -> str:
    """Return the image that an interrupted rollback had left: both pointers are alike, and it bears the latest tag."""
    left = [one for one in shelf.images if tags.ROLLED_BACK in one.tags and one.image_id != shelf.pointers.current]
    left.sort(key=lambda one: one.tags[tags.ROLLED_BACK])
    return left[-1].image_id if left else ""
