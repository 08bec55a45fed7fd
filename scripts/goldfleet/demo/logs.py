"""Reads the two logs of a demo: the load's requests, and the balancer's events. The only place here that reads them.

Both are written one JSON object a line, by processes that may still be at it: a last line without its end is not yet there.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from goldfleet.demo.events import HealthTimeline, parse_event, timeline
from goldfleet.demo.traffic import RequestLog, parse_request
from goldfleet.errors import UsageError

Parsed = TypeVar("Parsed")


def read_requests(path: Path) -> RequestLog:
    """Return the requests in the log that `python -m goldfleet.demo.load --out` wrote."""
    return RequestLog(tuple(read_lines(path, parse_request)))


def read_events(path: Path, target_group: str | None = None) -> HealthTimeline:
    """Return what the balancer saw of a target group's targets (ARN); None when its log has only one group."""
    return timeline(read_lines(path, parse_event), target_group)


def read_lines(path: Path, parse: Callable[[dict[str, Any]], Parsed]) -> list[Parsed]:
    """Parse each whole line of a file. Raises UsageError that names file and line when one is not what it should be."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.", "Give the file that the demo wrote.") from error
    whole = text.rpartition("\n")[0]
    parsed = []
    for number, line in enumerate(whole.splitlines(), start=1):
        try:
            parsed.append(parse(json.loads(line)))
        except (KeyError, TypeError, ValueError) as error:
            raise UsageError(
                f"{path}, line {number} is not a record of this log: {line[:200]!r} ({type(error).__name__}: {error}).",
                "Give the file that the demo wrote.",
            ) from error
    return parsed
