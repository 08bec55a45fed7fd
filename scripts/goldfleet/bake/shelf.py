"""Asks AWS what it holds of an image: base AMI, own AMIs, pointers and facts. Three calls in all, and no more."""

from collections.abc import Mapping

from goldfleet import tags
from goldfleet.aws.model import Image, ImageQuery, Parameter
from goldfleet.bake.facts import decode_facts
from goldfleet.bake.model import Facts, Pointers, Shelf
from goldfleet.bake.ports import Cloud, Parameters
from goldfleet.config.settings import ImageSettings
from goldfleet.errors import RefusedError

MOST_FACTS = 8
"""GetParameters takes ten names: the two pointers, and the facts of so many of the newest AMIs."""


def resolve_source_ami(settings: ImageSettings, cloud: Cloud) -> Image:
    """Return the base AMI that the settings mean now; one call.

    Raises RefusedError when there is none, or it cannot be used.
    """
    query = ImageQuery(settings.architecture, settings.source_ami, settings.source_ami_owner, settings.source_ami_name)
    found = cloud.find_images(query)
    if not found:
        raise RefusedError(_nothing_found(settings), "Check source_ami, or source_ami_owner and source_ami_name.")
    image = found[0]
    if image.state != "available":
        raise RefusedError(
            f"Base AMI {image.image_id} ({image.name}) is not available: seen state {image.state}.",
            "Wait until it is, or choose another one in goldfleet.toml.",
        )
    if image.architecture != settings.architecture:
        raise RefusedError(
            f"Base AMI {image.image_id} ({image.name}) has architecture {image.architecture}, "
            f"but goldfleet.toml wants {settings.architecture}.",
            "Set architecture and instance_type to go with it, or choose another AMI.",
        )
    return image


def read_shelf(image: str, cloud: Cloud, parameters: Parameters) -> Shelf:
    """Return what AWS holds of an image; two calls."""
    images = cloud.own_images({f"tag:{tags.IMAGE}": [image]})
    verified = [one.image_id for one in images if tags.is_verified(one.tags)][:MOST_FACTS]
    names = [tags.current_parameter(image), tags.previous_parameter(image)]
    found = parameters.get_many([*names, *(tags.facts_parameter(image, image_id) for image_id in verified)])
    return Shelf(images, pointers_in(image, found), _facts(image, verified, found))


def read_pointers(image: str, parameters: Parameters) -> Pointers:
    """Return an image's pointers; one call."""
    return pointers_in(image, parameters.get_many([tags.current_parameter(image), tags.previous_parameter(image)]))


def pointers_in(image: str, found: Mapping[str, Parameter]) -> Pointers:
    """Return an image's pointers among parameters by name."""
    current = found.get(tags.current_parameter(image))
    previous = found.get(tags.previous_parameter(image))
    return Pointers(current.value if current else "", previous.value if previous else "")


def _facts(image: str, image_ids: list[str], found: Mapping[str, Parameter]) -> dict[str, Facts]:
    facts: dict[str, Facts] = {}
    for image_id in image_ids:
        parameter = found.get(tags.facts_parameter(image, image_id))
        decoded = decode_facts(parameter.value) if parameter else None
        if decoded is not None:
            facts[image_id] = decoded
    return facts


def _nothing_found(settings: ImageSettings) -> str:
    if settings.source_ami:
        return f"Base AMI {settings.source_ami} does not exist in this region, or may not be used by this account."
    return (
        f"No available {settings.architecture} AMI of owner {settings.source_ami_owner} "
        f"has a name like {settings.source_ami_name!r}."
    )
