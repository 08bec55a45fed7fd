"""What specs have asked before, kept in a file for the next job of the same specs, variables and image.

Commands only, never answers, which may be secret. Nothing rests on such a file but time: what it does not name is learnt, and
what it names in vain was asked in vain.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

from goldfleet import __version__
from goldfleet.verify.specs.changes import changes_something

if TYPE_CHECKING:  # every job and every pytest with servers loads this module
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from pydantic import JsonValue

MOST_KEPT = 50


def plan_file(folder: Path, specs: Path, image_id: str, variables: Mapping[str, JsonValue], choice: str) -> Path:
    """Return the file for a suite on servers of an image; `choice` says which of its tests."""
    found = hashlib.sha256()
    files = sorted(specs.rglob("*.py")) if specs.is_dir() else [specs]
    about = [__version__, image_id, choice, json.dumps(dict(variables), sort_keys=True)]
    for part in (*about, *(part for file in files for part in (str(file), file.read_bytes()))):
        data = part.encode() if isinstance(part, str) else part
        found.update(b"%d\n%s" % (len(data), data))
    return folder / f"{found.hexdigest()[:32]}.json"


def read_plan(file: Path) -> tuple[str, ...]:
    """Return the commands in a file, none when it cannot be used. None of them changes a server, whoever wrote the file."""
    try:
        return harmless(json.loads(file.read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return ()


def harmless(kept: object) -> tuple[str, ...]:
    """Return those commands of what was kept that change no server; none when it is no list."""
    found = kept if isinstance(kept, list) else []
    return tuple(one for one in found if isinstance(one, str) and not changes_something(one))


def write_plan(file: Path, commands: Sequence[str]) -> None:
    """Keep commands, and forget the oldest files when there are too many. A file that cannot be written is no plan."""
    if set(read_plan(file)) == set(commands):
        return
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_suffix(".new")
        fresh.write_text(json.dumps(list(commands)), encoding="utf-8")
        fresh.replace(file)
        for old in _oldest(file.parent.glob("*.json")):
            old.unlink(missing_ok=True)
    except OSError:
        return


def _oldest(files: Iterable[Path]) -> list[Path]:
    return sorted(files, key=lambda file: file.stat().st_mtime)[:-MOST_KEPT]
