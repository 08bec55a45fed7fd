"""Digests of what goes into an image. Pure, and canonical: order, time stamps and the project's path do not count."""

import hashlib
import json
from collections.abc import Iterable

from pydantic import JsonValue

from goldfleet.bake.model import Component, FileDigest


def digest_files(files: Iterable[FileDigest]) -> str:
    """Return the digest of a set of files: paths, contents and executable bits."""
    lines = sorted(f"{file.path}\0{'x' if file.is_executable else '-'}\0{file.sha256}\n" for file in files)
    return _sha256("".join(lines))


def digest_value(value: JsonValue) -> str:
    """Return the digest of a value; 4, "4" and 4.0 differ, the order of keys does not count."""
    return _sha256(json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True))


def fingerprint(components: Iterable[Component]) -> str:
    """Return the fingerprint of an image's inputs, 64 hexadecimal digits.

    Raises ValueError when two components have the same name.
    """
    digests: dict[str, JsonValue] = {}
    for component in components:
        if component.name in digests:
            raise ValueError(f"two components are called {component.name!r}")
        digests[component.name] = component.digest
    return digest_value(digests)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
