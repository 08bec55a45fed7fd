"""A roll as tags of its Auto Scaling group, and back; pure.

Tags are all that a resume on another machine has. Values have at most 256 characters. Source: Auto Scaling user guide,
"Tag naming and usage restrictions".
"""

import re
from collections.abc import Mapping

from goldfleet import tags
from goldfleet.aws.model import LaunchSpec
from goldfleet.errors import RefusedError
from goldfleet.roll.model import Direction, Fit, Grow, Intent, Policy, Roll, Shrink, Sizes, State

LONGEST_VALUE = 256
_TEMPLATE = re.compile(r"lt:(lt-[0-9a-f]+):([0-9]+)")
_SURGE = re.compile(r"([0-9]+)(?: ([+-][0-9]+)@(?:(i-[0-9a-zA-Z]+)@)?([0-9]+))?")


def encode_fit(fit: Fit) -> str:
    """Return a fit as a tag's value: `ami-… lt:lt-…:4` or `ami-… lc:NAME`."""
    launch = fit.launch
    if launch.is_template:
        return f"{fit.image_id} lt:{launch.launch_template_id}:{launch.version}"
    return f"{fit.image_id} lc:{launch.launch_configuration_name}"


def decode_fit(text: str) -> Fit | None:
    """Return the fit in a tag's value, or None when it holds none."""
    image_id, _, launch = text.partition(" ")
    if not image_id.startswith("ami-"):
        return None
    template = _TEMPLATE.fullmatch(launch)
    if template:
        return Fit(LaunchSpec(launch_template_id=template[1], version=template[2]), image_id)
    if launch.startswith("lc:") and len(launch) > len("lc:"):
        return Fit(LaunchSpec(launch_configuration_name=launch.removeprefix("lc:")), image_id)
    return None


def encode_surge(surge: int, intent: Intent | None, settled: int | None = None) -> str:
    """Return own surge, in which desired capacity, and what was announced: `1=4`, `0 +1@3`, `1 -1@i-abc@4`."""
    match intent:
        case None:
            return str(surge) if settled is None else f"{surge}={settled}"
        case Grow(count, before):
            return f"{surge} {count:+d}@{before}"
        case Shrink(instance_id, before):
            return f"{surge} -1@{instance_id}@{before}"


def decode_settled(text: str) -> int | None:
    """Return the desired capacity that own surge was last known to be in, or None when the value tells none."""
    settled = text.partition("=")[2]
    return int(settled) if settled.isdecimal() else None


def decode_surge(text: str) -> tuple[int, Intent | None] | None:
    """Return own surge and intent in a tag's value, or None when it holds neither."""
    text = re.sub(r"=[0-9]+$", "", text)
    match = _SURGE.fullmatch(text)
    if match is None:
        return None
    surge, count, instance_id, before = match.groups()
    if count is None:
        return int(surge), None
    return int(surge), Shrink(instance_id, int(before)) if instance_id else Grow(int(count), int(before))


def encode_roll(roll: Roll) -> dict[str, str]:
    """Return the tags that hold a roll; only those that have something to say."""
    sizes, policy = roll.sizes, roll.policy
    values = {
        tags.ROLL_ID: roll.roll_id,
        tags.ROLL_STATE: roll.state.value,
        tags.ROLL_DIRECTION: roll.direction.value,
        tags.ROLL_TARGET: encode_fit(roll.target),
        tags.ROLL_PREVIOUS: encode_fit(roll.previous),
        tags.ROLL_SIZES: f"{sizes.min_size}/{sizes.max_size}/{sizes.desired_capacity}",
        tags.ROLL_POLICY: f"{policy.surge}/{policy.warm_up_seconds}/{policy.ready_timeout_seconds}",
        tags.ROLL_SURGE: encode_surge(roll.surge, roll.intent, roll.settled),
        tags.ROLL_RAISED_MAX: "" if roll.raised_max is None else str(roll.raised_max),
        tags.ROLL_WHY: " ".join(roll.why.split())[:LONGEST_VALUE],
    }
    return {key: value for key, value in values.items() if value}


def changed_tags(before: Roll, after: Roll) -> dict[str, str]:
    """Return the tags that differ between two states of a roll; one that has nothing to say any more is `-`."""
    old, new = encode_roll(before), encode_roll(after)
    return {key: new.get(key, "-") for key in [*new, *(old.keys() - new.keys())] if old.get(key) != new.get(key)}


def decode_roll(group: str, group_tags: Mapping[str, str]) -> Roll | None:
    """Return the roll in a group's tags, or None when none is in progress.

    Raises RefusedError when tags of a roll are there, but cannot be read.
    """
    found = {key: value for key, value in group_tags.items() if key in tags.ROLL_TAGS}
    if not found:
        return None
    try:
        return _roll(found)
    except (KeyError, ValueError) as error:
        shown = ", ".join(f"{key}={value}" for key, value in sorted(found.items()))
        raise RefusedError(
            f"The tags of group {group} that hold a roll cannot be read ({error}): {shown}.",
            f"Mend them; or delete all tags {tags.ROLL_PREFIX}* and put the group's sizes right by hand.",
        ) from error


def _roll(found: Mapping[str, str]) -> Roll:
    minimum, maximum, desired = map(int, found[tags.ROLL_SIZES].split("/"))
    surge, warm_up, ready_timeout = found[tags.ROLL_POLICY].split("/")
    own = decode_surge(found[tags.ROLL_SURGE])
    if own is None:
        raise ValueError(f"own surge {found[tags.ROLL_SURGE]!r}")
    raised_max = found.get(tags.ROLL_RAISED_MAX, "-")
    why = found.get(tags.ROLL_WHY, "-")
    return Roll(
        roll_id=found[tags.ROLL_ID],
        target=_fit(found[tags.ROLL_TARGET]),
        previous=_fit(found[tags.ROLL_PREVIOUS]),
        sizes=Sizes(minimum, maximum, desired),
        policy=Policy(int(surge) if surge.isdecimal() else surge, int(warm_up), int(ready_timeout)),
        state=State(found[tags.ROLL_STATE]),
        direction=Direction(found[tags.ROLL_DIRECTION]),
        surge=own[0],
        settled=decode_settled(found[tags.ROLL_SURGE]),
        intent=own[1],
        raised_max=None if raised_max == "-" else int(raised_max),
        why="" if why == "-" else why,
    )


def _fit(text: str) -> Fit:
    fit = decode_fit(text)
    if fit is None:
        raise ValueError(f"launch {text!r}")
    return fit
