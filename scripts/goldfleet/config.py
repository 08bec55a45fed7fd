"""goldfleet.toml: read, checked as a whole, handed on as frozen models.

Every complaint names the file, the key, the value seen and the value wanted, and all complaints come at once. The
reference in docs/ is generated from the descriptions below. Nothing here talks to AWS.
"""

import difflib
import ipaddress
import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from goldfleet.errors import UsageError

FILE_NAME = "goldfleet.toml"
LONGEST_SHOWN_VALUE = 60
WANTED = {
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "string_type": "text in quotes",
    "string_too_short": "text that is not empty",
    "dict_type": "a table",
    "model_type": "a table",
    "tuple_type": "a list",
    "invalid-json-value": "text, a number, true, false, a list or a table",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
    "string_pattern_mismatch": "text that matches {pattern}",
    "literal_error": "{expected}",
    "too_short": "at least {min_length} valid entry",
}
"""What pydantic's kinds of error want, in a user's words; the names in braces are pydantic's."""


def _check_inside_project(path: str) -> str:
    pure = PurePosixPath(path)
    if not path or pure.is_absolute() or ".." in pure.parts:
        raise ValueError("wanted a path inside the project, relative to its folder")
    return str(pure)


def _check_cidr(text: str) -> str:
    try:
        ipaddress.IPv4Network(text)
    except ValueError as error:
        raise ValueError("wanted an IPv4 range such as 203.0.113.7/32") from error
    return text


def _check_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9](?:[a-z0-9-]{0,38}[a-z0-9])?", name):
        raise ValueError("wanted 1 to 40 small letters, digits and inner hyphens")
    return name


def _check_group_name(name: str) -> str:
    if not 1 <= len(name) <= 255 or not name.isprintable() or ":" in name:
        raise ValueError("wanted the name of an Auto Scaling group: 1 to 255 printable characters, no colon")
    return name


def _check_surge(surge: int | str) -> int | str:
    match = re.fullmatch(r"([0-9]{1,4})%?", str(surge))
    if match is None or int(match[1]) < 1 or isinstance(surge, bool):
        raise ValueError('wanted a whole number of instances such as 2, or a share of the group such as "25%"')
    return surge


def _check_variable(name: str) -> str:
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise ValueError("wanted the name of an Ansible variable: letters, digits, underscores, no digit first")
    return name


ProjectPath = Annotated[str, AfterValidator(_check_inside_project)]
Cidr = Annotated[str, AfterValidator(_check_cidr)]
ImageName = Annotated[str, AfterValidator(_check_name)]
VariableName = Annotated[str, AfterValidator(_check_variable)]
GroupName = Annotated[str, AfterValidator(_check_group_name)]
Surge = Annotated[int | str, AfterValidator(_check_surge)]


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ImageSettings(_Section):
    """One golden image: what it is made from and how it is baked."""

    playbook: ProjectPath = Field(
        default="playbooks/golden_image.yml", description="Playbook that turns the base AMI into the image."
    )
    packer: ProjectPath = Field(default="packer", description="Folder with the Packer template.")
    specs: ProjectPath = Field(
        default="tests/fleet", description="Folder with the testinfra specs that a booted copy must pass."
    )
    architecture: Literal["x86_64", "arm64"] = Field(
        default="x86_64", description="Architecture of the base AMI and of the image."
    )
    instance_type: str = Field(
        default="t3.small",
        pattern=r"^[a-z0-9-]+\.[a-z0-9-]+$",
        description="EC2 instance type of the builder and of the verification copy.",
    )
    ssh_username: str = Field(
        default="admin", pattern=r"^[a-z_][a-z0-9_-]{0,31}$", description="Login user of the base AMI, in sudo."
    )
    source_ami: str | None = Field(
        default=None,
        pattern=r"^ami-[0-9a-f]{8,17}$",
        description="Id of the base AMI. Without it the newest AMI of source_ami_owner and source_ami_name is taken.",
    )
    source_ami_owner: str = Field(
        default="136693071363",
        pattern=r"^([0-9]{12}|self|amazon|aws-marketplace)$",
        description="Account that owns the base AMI, or self, amazon, aws-marketplace. The default is Debian's.",
    )
    source_ami_name: str = Field(
        default="debian-12-amd64-*", min_length=1, description="Name of the base AMI, with * and ? as wildcards."
    )
    ssh_source_cidrs: tuple[Cidr, ...] = Field(
        default=("0.0.0.0/0",),
        min_length=1,
        strict=False,
        description="IPv4 ranges that may reach port 22 of the builder and of the verification copy.",
    )
    subnet_id: str | None = Field(
        default=None,
        pattern=r"^subnet-[0-9a-f]{8,17}$",
        description="Subnet for the builder and the copy. Without it the default VPC is used.",
    )
    expires_after_minutes: int = Field(
        default=120,
        ge=15,
        le=1440,
        description="Minutes after which `goldfleet images gc` may remove what a killed bake left.",
    )
    lease_minutes: int = Field(
        default=5,
        ge=1,
        le=60,
        description="Minutes that a bake's lease lasts; it is renewed while the bake runs. A killed bake blocks the "
        "next one this long.",
    )
    boot_timeout_minutes: int = Field(
        default=10,
        ge=1,
        le=60,
        description="Minutes that the verification copy may take from launch to a pinned, working SSH login.",
    )
    verify_timeout_minutes: int = Field(
        default=20, ge=1, le=240, description="Minutes that all checks of the copy may take together."
    )
    stop_timeout_seconds: int = Field(
        default=120,
        ge=1,
        le=900,
        description="Seconds that Packer may take to clean up after Ctrl-C before it is killed.",
    )
    cleanup_timeout_minutes: int = Field(
        default=5, ge=1, le=60, description="Minutes that goldfleet's own clean-up may take before it gives up."
    )
    variables: dict[VariableName, JsonValue] = Field(
        default_factory=dict, description="Role variables, exactly as the roles document them. No secrets."
    )


class GroupSettings(_Section):
    """One Auto Scaling group: which image it runs, how its servers are reached, how an image is rolled through it."""

    image: ImageName | None = Field(
        default=None,
        description="Image of this file that the group runs. Not needed when the file has one only. Its specs and login "
        "user are those that `goldfleet verify` uses.",
    )
    ssh_private_key: str | None = Field(
        default=None,
        min_length=1,
        description="File with the private key for the group's servers; ~ is the home folder. Without it ssh's own "
        "keys and agent are used.",
    )
    surge: Surge = Field(
        default=1,
        description='How many instances a roll adds before old ones go: a number, or a share such as "25%" of the '
        "desired capacity, rounded down, at least 1.",
    )
    warm_up_seconds: int = Field(
        default=30,
        ge=0,
        le=3600,
        description="Seconds that a new instance must stay in service and healthy in every target group before an old "
        "one goes.",
    )
    ready_timeout_minutes: int = Field(
        default=15,
        ge=1,
        le=240,
        description="Minutes from a new instance's launch until it must be proven; then the roll stops.",
    )
    verify_timeout_minutes: int = Field(
        default=20, ge=1, le=240, description="Minutes that all checks of one server may take together."
    )
    lease_minutes: int = Field(
        default=2,
        ge=1,
        le=60,
        description="Minutes that a roll's lease lasts; it is renewed while the roll runs. A killed roll blocks the next "
        "command on the group this long.",
    )


class Settings(_Section):
    """The whole of goldfleet.toml."""

    images: dict[ImageName, ImageSettings] = Field(default_factory=dict, description="Images by name.")
    groups: dict[GroupName, GroupSettings] = Field(
        default_factory=dict,
        description="Auto Scaling groups by name. A group that is not named here has the defaults.",
    )

    @model_validator(mode="after")
    def _has_an_image(self) -> "Settings":
        if not self.images:
            raise ValueError("wanted at least one [images.<name>] section")
        return self

    @model_validator(mode="after")
    def _groups_name_images(self) -> "Settings":
        for group, settings in self.groups.items():
            if settings.image is not None and settings.image not in self.images:
                raise ValueError(f"groups.{group}.image is {settings.image!r}, wanted one of {sorted(self.images)}")
        return self

    def pick_group(self, name: str, **overrides: str | int | None) -> GroupSettings:
        """Return the settings of a group, the defaults when the file does not name it; overrides that are not None count.

        Raises UsageError for an override that the setting does not allow.
        """
        group = self.groups.get(name, GroupSettings())
        given = {key: value for key, value in overrides.items() if value is not None}
        try:
            return GroupSettings.model_validate({**group.model_dump(), **given})
        except ValidationError as error:
            raise UsageError("\n".join(_option_complaint(dict(details)) for details in error.errors())) from error

    def pick_image(self, name: str | None) -> tuple[str, ImageSettings]:
        """Return the image asked for, or the only one there is.

        Raises UsageError when there is no such image, or several and none was named.
        """
        known = ", ".join(sorted(self.images))
        if name is None and len(self.images) == 1:
            return next(iter(self.images.items()))
        if name is None:
            raise UsageError(f"{FILE_NAME} has several images: {known}.", "Name the one that is meant.")
        if name not in self.images:
            raise UsageError(f"{FILE_NAME} has no image {name!r}; it has {known}.", "Name one of these.")
        return name, self.images[name]


def load_settings(project: Path) -> Settings:
    """Return the settings in the project's goldfleet.toml.

    Raises UsageError with every complaint at once.
    """
    path = project / FILE_NAME
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise UsageError(f"There is no {path}.", "Run goldfleet in the project's folder, or name it: --project.") from (
            error
        )
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from error
    return parse_settings(text, str(path))


def parse_settings(text: str, file: str) -> Settings:
    """Return the settings in a text; `file` is the name that complaints give.

    Raises UsageError with every complaint at once.
    """
    try:
        return Settings.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"{file} is not valid TOML: {error}.") from error
    except ValidationError as error:
        complaints = sorted({_complaint(file, dict(details)) for details in error.errors()})
        raise UsageError("\n".join(complaints)) from error


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
            variables[_check_variable(name)] = _parse_value(value)
        except ValueError as error:
            raise UsageError(f"--var {pair}: seen the name {name!r}, {error}.") from error
    return variables


def check_image_name(name: str) -> str:
    """Return a name as it is.

    Raises UsageError when no image can have it.
    """
    try:
        return _check_name(name)
    except ValueError as error:
        raise UsageError(f"{name!r} is no name of an image: {error}.", "See `goldfleet images list`.") from error


def with_variables(image: ImageSettings, extra: Mapping[str, JsonValue]) -> ImageSettings:
    """Return the image's settings with some of its variables replaced or added."""
    return image.model_copy(update={"variables": {**image.variables, **extra}})


def _parse_value(text: str) -> JsonValue:
    try:
        value: JsonValue = json.loads(text, parse_constant=_refuse_constant)
    except ValueError:
        return text
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")


def _complaint(file: str, details: Mapping[str, Any]) -> str:
    """Return one sentence about one wrong value."""
    where = tuple(str(part) for part in details["loc"] if part != "[key]")
    key = ".".join(where)
    if details["type"] == "extra_forbidden":
        return f"{file}: key {key}: unknown. {_suggestion(where)}"
    seen = details["input"]
    shown = "" if isinstance(seen, dict | Settings) else f" seen {_shown(seen)},"
    return f"{file}: key {key or '(top level)'}:{shown} {_wanted(details)}."


def _option_complaint(details: Mapping[str, Any]) -> str:
    """Return one sentence about one wrong option of the command line."""
    option = str(details["loc"][0]).replace("_seconds", "").replace("_", "-")
    return f"--{option}: seen {_shown(details['input'])}, {_wanted(details)}."


def _wanted(details: Mapping[str, Any]) -> str:
    """Return what would have been right, in words."""
    kind = str(details["type"])
    limits = details.get("ctx", {})
    if kind == "value_error":
        return str(limits["error"])
    if kind in WANTED:
        return "wanted " + WANTED[kind].format(**limits)
    return "wanted " + str(details["msg"]).removeprefix("Input should be ")


def _suggestion(where: tuple[str, ...]) -> str:
    """Return the keys that are allowed at this place, the likely one first."""
    section = GroupSettings if where[0] == "groups" else ImageSettings
    known = list(section.model_fields if len(where) == 3 else Settings.model_fields)
    close = difflib.get_close_matches(where[-1], known, n=1)
    if close:
        return f"Wanted {close[0]}?"
    return f"Wanted one of {', '.join(known)}."


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= LONGEST_SHOWN_VALUE else text[: LONGEST_SHOWN_VALUE - 1] + "…"
