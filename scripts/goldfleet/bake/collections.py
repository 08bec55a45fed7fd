"""Which versions of the collections in requirements.yml are installed: a collection's content counts by its version."""

import configparser
import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from goldfleet.bake.fingerprint import digest_value
from goldfleet.bake.model import Component
from goldfleet.bake.project_files import load_yaml

REQUIREMENTS = "requirements.yml"
NOT_INSTALLED = "not installed"


def read_collections(project: Path, search_path: Sequence[Path]) -> tuple[Component, ...]:
    """Return one component for each collection that the project requires, with the version that Ansible would load."""
    path = project / REQUIREMENTS
    if not path.is_file():
        return ()
    return tuple(_component(name, _version(name, search_path)) for name in sorted(set(_names(load_yaml(path)))))


def collections_path(project: Path, environment: Mapping[str, str], home: Path) -> tuple[Path, ...]:
    """Return the folders in which ansible-core looks for collections, first one first.

    Source: Ansible configuration settings, COLLECTIONS_PATHS and COLLECTIONS_SCAN_SYS_PATH.
    """
    text = environment.get("ANSIBLE_COLLECTIONS_PATH") or _configured(project) or "~/.ansible/collections"
    folders = [Path(entry.replace("~", str(home), 1) if entry.startswith("~") else entry) for entry in text.split(":")]
    return tuple(project / folder for folder in [*folders, *map(Path, filter(None, sys.path))])


def default_search_path(project: Path) -> tuple[Path, ...]:
    """Return `collections_path` for this process."""
    return collections_path(project, os.environ, Path.home())


def _configured(project: Path) -> str:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read(project / "ansible.cfg", encoding="utf-8")
    except (configparser.Error, UnicodeDecodeError):
        return ""
    return parser.get("defaults", "collections_path", fallback="")


def _names(document: object) -> Iterable[str]:
    entries = document.get("collections") if isinstance(document, dict) else None
    for entry in entries if isinstance(entries, list) else []:
        name = entry.get("name") if isinstance(entry, dict) else entry
        if isinstance(name, str) and name.count(".") == 1:
            yield name


def _version(name: str, search_path: Sequence[Path]) -> str:
    """Return the version of the first copy of a collection on the search path."""
    for folder in search_path:
        manifest = folder / "ansible_collections" / name.replace(".", "/") / "MANIFEST.json"
        if manifest.is_file():
            try:
                return str(json.loads(manifest.read_text(encoding="utf-8"))["collection_info"]["version"])
            except (OSError, ValueError, KeyError, TypeError):
                return "unknown"
    return NOT_INSTALLED


def _component(name: str, version: str) -> Component:
    return Component(f"collection {name}", digest_value(version), version)
