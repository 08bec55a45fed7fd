"""What pydantic found wrong, in a user's words: file, key, the value seen, the value wanted. Pure."""

import difflib
from collections.abc import Mapping
from typing import Any

from goldfleet.config.settings import GroupSettings, ImageSettings, Settings

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
    "too_long": "at most {max_length} entries",
}
"""What pydantic's kinds of error want, in a user's words; the names in braces are pydantic's."""


def describe_value(file: str, details: Mapping[str, Any]) -> str:
    """Return one sentence about one wrong value."""
    where = tuple(str(part) for part in details["loc"] if part != "[key]")
    key = ".".join(where)
    if details["type"] == "extra_forbidden":
        return f"{file}: key {key}: unknown. {_suggestion(where)}"
    seen = details["input"]
    shown = "" if isinstance(seen, dict | Settings) else f" seen {_shown(seen)},"
    return f"{file}: key {key or '(top level)'}:{shown} {_wanted(details)}."


def describe_option(details: Mapping[str, Any]) -> str:
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
