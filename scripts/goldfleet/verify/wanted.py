"""What is wanted of a server: the variables of the image that it was LAUNCHED from, not today's. Pure.

They are in the SSM parameters that a bake wrote. A server of an image that is none of goldfleet's is checked with
goldfleet.toml's variables, and that is said.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from goldfleet import tags
from goldfleet.verify.variables import decode_variables

NOT_GOLDEN = "not golden"


@dataclass(frozen=True)
class Wanted:
    """What a server should be. `is_golden` when a bake made its image; `note` says what people should know, or ""."""

    variables: Mapping[str, JsonValue]
    is_golden: bool
    note: str = ""


def parameter_names(images: Sequence[str], image_ids: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the parameters in which the variables of these AMIs may be, whichever image they are of."""
    return tuple(tags.variables_parameter(image, image_id) for image_id in image_ids for image in images)


def choose_wanted(
    image_id: str, images: Sequence[str], values: Mapping[str, str], configured: Mapping[str, JsonValue]
) -> Wanted:
    """Return what is wanted of servers launched from an AMI.

    `values` holds parameters' texts by name; `configured` are goldfleet.toml's variables.
    """
    for name in parameter_names(images, [image_id]):
        kept = decode_variables(values.get(name, ""))
        if kept is None:
            continue
        too_large = f"the variables of {image_id} were too large to be kept: checked with goldfleet.toml's"
        # What is not kept, for its size or because it may be a secret, is taken from goldfleet.toml.
        variables = {**configured, **kept.variables}
        return Wanted(variables, is_golden=True, note="" if kept.is_complete else too_large)
    known = ", ".join(images)
    note = f"{image_id} is no published image of {known}: checked with goldfleet.toml's variables, without golden specs"
    return Wanted(configured, is_golden=False, note=note)


def marker_for(marker: str, *, is_golden: bool) -> str:
    """Return pytest's -m expression for a server: golden specs only where a bake made its image."""
    if is_golden:
        return marker
    return f"({marker}) and {NOT_GOLDEN}" if marker else NOT_GOLDEN
