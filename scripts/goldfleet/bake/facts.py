"""The facts of an image as the text of an SSM parameter, and back. Pure."""

import json
import re
from collections.abc import Iterable

from goldfleet.bake.model import CheckCounts, Component, Facts

FORMAT = 1
MOST_BYTES = 4096
"""A standard parameter's value holds 4 KB. Source: API reference, PutParameter, `Value`."""

DIGEST_LENGTH = 12
LONGEST_SHOWN = 80
_SHORTER = (
    (LONGEST_SHOWN, DIGEST_LENGTH),
    (40, DIGEST_LENGTH),
    (16, DIGEST_LENGTH),
    (0, DIGEST_LENGTH),
    (0, 8),
    (0, 0),
)
"""What is cut when it gets too long: values first, then digests; (0, 0) drops the inputs altogether."""

_SECRET = re.compile(r"passw(or)?d|passphrase|secret|token|credential|private_?key|api_?key", re.IGNORECASE)


def is_secret(variable: str) -> bool:
    """Tell whether a variable's name says that its value must not be shown or kept."""
    return _SECRET.search(variable) is not None


def shorten(text: str, length: int) -> str:
    """Return a text cut to a number of characters, with an ellipsis where it was cut."""
    return text if len(text) <= length else text[: max(length - 1, 0)] + "…"


def digests_of(components: Iterable[Component]) -> dict[str, str]:
    """Return what facts keep of each component's digest."""
    return {component.name: component.digest[:DIGEST_LENGTH] for component in components}


def shown_of(components: Iterable[Component]) -> dict[str, str]:
    """Return what facts keep of those components that are one value."""
    return {one.name: shorten(one.shown, LONGEST_SHOWN) for one in components if one.shown is not None}


def encode_facts(facts: Facts) -> str:
    """Return facts as JSON of at most 4096 bytes; what does not fit is shortened, values first."""
    for shown_length, digest_length in _SHORTER:
        text = _encode(facts, shown_length, digest_length)
        if len(text.encode()) <= MOST_BYTES:
            return text
    raise ValueError(f"the facts of {facts.image_id} do not fit into {MOST_BYTES} bytes")


def _encode(facts: Facts, shown_length: int, digest_length: int) -> str:
    document = {
        "format": FORMAT,
        "image": facts.image,
        "image_id": facts.image_id,
        "run": facts.run,
        "fingerprint": facts.fingerprint,
        "source_ami": facts.source_ami,
        "commit": facts.commit,
        "verified_at": facts.verified_at,
        "checks": {"passed": facts.checks.passed, "failed": facts.checks.failed, "skipped": facts.checks.skipped},
        "digests": {name: digest[:digest_length] for name, digest in facts.digests.items() if digest_length},
        "shown": {name: shorten(text, shown_length) for name, text in facts.shown.items() if shown_length},
    }
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    # Parameter Store refuses a value with {{ in it: it reads a reference to another parameter.
    return text.replace("{{", r"\u007b\u007b")


def decode_facts(text: str) -> Facts | None:
    """Return the facts in a parameter's text, or None when it holds something else."""
    try:
        document = json.loads(text)
        if document.pop("format") != FORMAT:
            return None
        return Facts(checks=CheckCounts(**document.pop("checks")), **document)
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
