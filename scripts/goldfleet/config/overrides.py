"""What the command line says in place of goldfleet.toml: checked as the file is, told as options."""

import json
from collections.abc import Mapping, Sequence

from pydantic import JsonValue, ValidationError

from goldfleet.config.complaints import describe_option
from goldfleet.config.settings import GroupSettings, ImageSettings
from goldfleet.config.values import check_name, check_variable
from goldfleet.errors import UsageError


def parse_variables(pairs: Sequence[str]) -> dict[str, JsonValue]:
    """Return the variables in `name=value` texts, as `--var` takes them.

    A value that is JSON is taken as JSON (4, true, ["a"], "4"), anything else as a string.
    Raises UsageError for a text with no `=` or with an impossible name.
    """
    variables: dict[str, JsonValue] = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if not equals:
            raise UsageError(f"--var {pair}: seen no '=', wanted name=value.")
        try:
            variables[check_variable(name)] = _parse_value(value)
        except ValueError as error:
            raise UsageError(f"--var {pair}: seen the name {name!r}, {error}.") from error
    return variables


def check_image_name(name: str) -> str:
    """Return a name as it is.

    Raises UsageError when no image can have it.
    """
    try:
        return check_name(name)
    except ValueError as error:
        raise UsageError(f"{name!r} is no name of an image: {error}.", "See `goldfleet images list`.") from error


def with_variables(image: ImageSettings, extra: Mapping[str, JsonValue]) -> ImageSettings:
    """Return the image's settings with some of its variables replaced or added."""
    return image.model_copy(update={"variables": {**image.variables, **extra}})


def with_options(group: GroupSettings, options: Mapping[str, str | int | None]) -> GroupSettings:
    """Return a group's settings with those that the command line names; None is an option that was not given.

    Raises UsageError for a value that the setting does not allow.
    """
    given = {key: value for key, value in options.items() if value is not None}
    try:
        return GroupSettings.model_validate({**group.model_dump(), **given})
    except ValidationError as error:
        raise UsageError("\n".join(describe_option(dict(details)) for details in error.errors())) from error


def _parse_value(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text, parse_constant=_refuse_constant)
    except ValueError:
        return text
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
