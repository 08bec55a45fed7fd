"""The role variables that an image was built with, as the text of an SSM parameter, and back. Pure.

A bake writes them when it publishes an image; who checks a server launched from the image reads what was wanted of it
then, whatever goldfleet.toml and the roles' defaults say now.
"""

import base64
import binascii
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

FORMAT = 1
MOST_BYTES = 4096
"""A standard parameter's value holds 4 KB. Source: API reference, PutParameter, `Value`."""


@dataclass(frozen=True)
class KeptVariables:
    """Role variables by name; `is_complete` unless some had to be left out for their size."""

    variables: Mapping[str, JsonValue]
    is_complete: bool = True


def encode_variables(candidates: Sequence[Mapping[str, JsonValue]]) -> str:
    """Return the first of some sets of variables that fits into a parameter, packed; the first set is the complete one.

    Packed, since Parameter Store refuses a value with {{ in it, and since some ten kilobytes of variables fit then.
    Raises ValueError when none fits.
    """
    for number, variables in enumerate(candidates):
        text = _pack({"format": FORMAT, "complete": number == 0, "variables": dict(variables)})
        if len(text) <= MOST_BYTES:
            return text
    raise ValueError(f"the variables do not fit into {MOST_BYTES} bytes")


def decode_variables(text: str) -> KeptVariables | None:
    """Return the variables in a parameter's text, or None when it holds something else."""
    try:
        document = json.loads(zlib.decompress(base64.b64decode(text, validate=True)))
        if document["format"] != FORMAT:
            return None
        return KeptVariables(dict(document["variables"]), bool(document["complete"]))
    except (binascii.Error, zlib.error, ValueError, TypeError, KeyError):
        return None


def _pack(document: Mapping[str, JsonValue]) -> str:
    plain = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return base64.b64encode(zlib.compress(plain.encode(), 9)).decode()
