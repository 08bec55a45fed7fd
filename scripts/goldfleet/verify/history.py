"""Looks up earlier verifications among the reports of a project, for what has changed since."""

import json
from collections.abc import Iterator
from pathlib import Path

from goldfleet.verify.changes import Changes, Earlier, changes, read_earlier
from goldfleet.verify.model import Verdict

MOST_LOOKED_AT = 50
REPORT = "report.json"


def changes_of(verdict: Verdict) -> tuple[Changes, ...]:
    """Return what has changed since the last verification of the same, and since the last one of other images.

    Only verifications of all servers with all specs are compared. A report that cannot be read is passed over.
    """
    if not verdict.is_whole:
        return ()
    images = {host.image_id for host in verdict.hosts if host.image_id}
    found: list[Changes] = []
    for earlier in _earlier(Path(verdict.report_folder), verdict.subject):
        is_of_others = bool(earlier.images) and earlier.images.isdisjoint(images)
        if not found or is_of_others:
            found.append(changes(earlier, verdict.hosts))
        if is_of_others:
            break
    return tuple(found)


def _earlier(own: Path, subject: str) -> Iterator[Earlier]:
    """Yield the whole verifications of a subject before a run, the last one first; a run's name begins with its time."""
    folders = sorted((one for one in own.parent.iterdir() if one.name < own.name), reverse=True)
    for folder in folders[:MOST_LOOKED_AT]:
        try:
            document = json.loads((folder / REPORT).read_text(encoding="utf-8"))
            if document["subject"] == subject and document["whole"]:
                yield read_earlier(folder.name, document)
        except (OSError, ValueError, KeyError, TypeError):
            continue
