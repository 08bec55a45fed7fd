"""What images there are and what each is made of: reads tags, pointers and facts; changes nothing."""

from collections.abc import Iterable
from dataclasses import dataclass

from goldfleet import tags
from goldfleet.aws.model import Image, ImageQuery
from goldfleet.bake.facts import decode_facts
from goldfleet.bake.model import Facts, Pointers
from goldfleet.bake.ports import Cloud, Parameters
from goldfleet.bake.shelf import read_pointers
from goldfleet.errors import RefusedError


@dataclass(frozen=True)
class CatalogEntry:
    """One AMI of goldfleet's. `pointer` is current, previous or ""; `verified` a time, failed or no."""

    image: str
    image_id: str
    name: str
    state: str
    created: str
    pointer: str
    verified: str
    rolled_back: str
    fingerprint: str
    source_ami: str
    commit: str
    run: str


@dataclass(frozen=True)
class ImageDetails:
    """One AMI, with its facts, None when none are kept, and all its tags."""

    entry: CatalogEntry
    facts: Facts | None
    tags: dict[str, str]


def list_images(image: str | None, cloud: Cloud, parameters: Parameters) -> tuple[CatalogEntry, ...]:
    """Return goldfleet's AMIs in this account and region, of one image or of all, the newest first."""
    filters = {f"tag:{tags.IMAGE}": [image]} if image else {"tag-key": [tags.IMAGE]}
    found = cloud.own_images(filters)
    pointers = _pointers((one.tags[tags.IMAGE] for one in found), parameters)
    return tuple(_entry(one, pointers[one.tags[tags.IMAGE]]) for one in found)


def show_image(wanted: str, cloud: Cloud, parameters: Parameters) -> ImageDetails:
    """Return all that is known of an AMI, by its id, or of an image's current AMI, by the image's name.

    Raises RefusedError when there is no such image, or it is not one of goldfleet's.
    """
    image_id = wanted if wanted.startswith("ami-") else _current(wanted, parameters)
    found = next(iter(cloud.find_images(ImageQuery("", image_id))), None)
    if found is None:
        raise RefusedError(f"AMI {image_id} does not exist.", "See `goldfleet images list`.")
    image = found.tags.get(tags.IMAGE, "")
    if not image:
        raise RefusedError(f"AMI {image_id} ({found.name}) was not baked by goldfleet: it has no tag {tags.IMAGE}.")
    parameter = parameters.get(tags.facts_parameter(image, image_id))
    facts = decode_facts(parameter.value) if parameter else None
    return ImageDetails(_entry(found, read_pointers(image, parameters)), facts, dict(found.tags))


def _current(image: str, parameters: Parameters) -> str:
    current = read_pointers(image, parameters).current
    if not current:
        raise RefusedError(f"Image {image} has no current AMI.", "Bake one: `goldfleet bake`.")
    return current


def _pointers(images: Iterable[str], parameters: Parameters) -> dict[str, Pointers]:
    return {image: read_pointers(image, parameters) for image in sorted(set(images))}


def _entry(image: Image, pointers: Pointers) -> CatalogEntry:
    return CatalogEntry(
        image=image.tags[tags.IMAGE],
        image_id=image.image_id,
        name=image.name,
        state=image.state,
        created=image.creation_date,
        pointer={pointers.previous: "previous", pointers.current: "current"}.get(image.image_id, ""),
        verified=image.tags.get(tags.VERIFIED, "no"),
        rolled_back=image.tags.get(tags.ROLLED_BACK, ""),
        fingerprint=image.tags.get(tags.FINGERPRINT, ""),
        source_ami=image.tags.get(tags.SOURCE_AMI, ""),
        commit=image.tags.get(tags.COMMIT, ""),
        run=image.tags.get(tags.RUN, ""),
    )
