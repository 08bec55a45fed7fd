"""The names and tags that goldfleet gives to things in AWS, in one place.

Pure: no AWS call, no clock. Where each of them lives is said in DESIGN.md, section 5.
"""

import hashlib
import re
from collections.abc import Mapping
from datetime import UTC, datetime

from goldfleet.errors import UsageError

IMAGE = "goldfleet:image"
FINGERPRINT = "goldfleet:fingerprint"
SOURCE_AMI = "goldfleet:source-ami"
COMMIT = "goldfleet:commit"
RUN = "goldfleet:run"
EXPIRES = "goldfleet:expires"
VERIFIED = "goldfleet:verified"
ROLLED_BACK = "goldfleet:rolled-back"

PREVIOUS = "goldfleet:previous"
"""Tag of an Auto Scaling group: what the roll that ended last replaced, for a rollback."""

ROLL_PREFIX = "goldfleet:roll:"
ROLL_ID = "goldfleet:roll:id"
ROLL_STATE = "goldfleet:roll:state"
ROLL_DIRECTION = "goldfleet:roll:direction"
ROLL_TARGET = "goldfleet:roll:target"
ROLL_PREVIOUS = "goldfleet:roll:previous"
ROLL_SIZES = "goldfleet:roll:sizes"
ROLL_POLICY = "goldfleet:roll:policy"
ROLL_SURGE = "goldfleet:roll:surge"
ROLL_RAISED_MAX = "goldfleet:roll:raised-max"
ROLL_WHY = "goldfleet:roll:why"
ROLL_TAGS = (
    ROLL_ID,
    ROLL_STATE,
    ROLL_DIRECTION,
    ROLL_TARGET,
    ROLL_PREVIOUS,
    ROLL_SIZES,
    ROLL_POLICY,
    ROLL_SURGE,
    ROLL_RAISED_MAX,
    ROLL_WHY,
)
"""Tags of an Auto Scaling group while a roll is in progress; goldfleet.roll.record reads and writes them."""

VERIFICATION_FAILED = "failed"
"""Value of the tag `goldfleet:verified` on an image whose booted copy failed; any other value is a time."""

RUN_ID_DIGITS = 6
_RUN_ID = re.compile(r"[0-9]{8}-[0-9]{6}-[0-9a-f]{6}")


def build_run_id(now: datetime, random_hex: str) -> str:
    """Return the id of a run: UTC time and six random hexadecimal digits, `20261123-141530-a1b2c3`."""
    return f"{now.astimezone(UTC):%Y%m%d-%H%M%S}-{random_hex}"


def is_run_id(text: str) -> bool:
    """Tell whether `text` is exactly one run id."""
    return _RUN_ID.fullmatch(text) is not None


def check_run_id(text: str) -> None:
    """Raise UsageError for a text that is not exactly one run id."""
    if not is_run_id(text):
        raise UsageError(
            f"{text!r} is no run id: wanted one such as 20261123-141530-a1b2c3.",
            "`goldfleet images gc --dry-run` shows those of runs that left something.",
        )


def ami_name(image: str, run_id: str) -> str:
    """Return the name of the AMI that a run makes; Packer's template builds the same one."""
    return f"goldfleet-{image}-{run_id}"


def image_of_ami_name(name: str) -> str:
    """Return the image in an AMI's name, or "" when the name is not one of goldfleet's."""
    match = re.fullmatch(rf"goldfleet-(.+)-{_RUN_ID.pattern}", name)
    return match[1] if match else ""


def resource_name(run_id: str) -> str:
    """Return the name of a run's temporary key pair, security group and instances."""
    return f"goldfleet-{run_id}"


def current_parameter(image: str) -> str:
    """Return the SSM parameter that holds the id of the image's current AMI."""
    return f"/goldfleet/images/{image}/current"


def previous_parameter(image: str) -> str:
    """Return the SSM parameter that holds the id of the AMI that was current before."""
    return f"/goldfleet/images/{image}/previous"


def facts_parameter(image: str, image_id: str) -> str:
    """Return the SSM parameter that holds what the AMI is made of."""
    return f"/goldfleet/images/{image}/{image_id}"


def variables_parameter(image: str, image_id: str) -> str:
    """Return the SSM parameter that holds the role variables that the AMI was built with."""
    return f"{facts_parameter(image, image_id)}/variables"


def lease_parameter(name: str) -> str:
    """Return the SSM parameter that says who may do `name` now."""
    return f"/goldfleet/leases/{name}"


LEASES_PATH = "/goldfleet/leases"


def image_lease(image: str) -> str:
    """Return the name of the lease that guards an image's AMIs and pointers."""
    return f"image-{image}"


LONGEST_GROUP_IN_LEASE = 200


def group_lease(group: str) -> str:
    """Return the name of the lease that guards an Auto Scaling group.

    A group's name may hold anything, a parameter's only letters, digits and `.-_`: other bytes become `_` and two
    hexadecimal digits, and a name that gets too long its digest. Source: SSM API reference, PutParameter, Name.
    """
    encoded = "".join(
        character
        if re.fullmatch(r"[A-Za-z0-9.-]", character)
        else "".join(f"_{byte:02x}" for byte in character.encode())
        for character in group
    )
    if len(encoded) > LONGEST_GROUP_IN_LEASE:
        encoded = f"sha256_{hashlib.sha256(group.encode()).hexdigest()}"
    return f"group-{encoded}"


def temporary_tags(image: str, run_id: str, expires: str) -> dict[str, str]:
    """Return the tags that every temporary resource of a run carries from its creation on."""
    return {"Name": resource_name(run_id), IMAGE: image, RUN: run_id, EXPIRES: expires}


def format_time(moment: datetime) -> str:
    """Return an aware time as RFC 3339 in UTC, to the second: `2026-11-23T14:15:30Z`."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime | None:
    """Return the aware time in an RFC 3339 text, or None when it is not one."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return moment if moment.tzinfo else None


def is_verified(image_tags: Mapping[str, str]) -> bool:
    """Tell whether an AMI's tags say that a booted copy of it passed its verification."""
    return parse_time(image_tags.get(VERIFIED, "")) is not None


def is_temporary(resource_tags: Mapping[str, str]) -> bool:
    """Tell whether tags mark a temporary resource of some run: only such resources may ever be cleaned up."""
    return is_run_id(resource_tags.get(RUN, "")) and EXPIRES in resource_tags
