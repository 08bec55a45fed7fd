"""Reads a project tree into named components: what an image is made of, as far as the project decides it.

Only roles that the playbook really reaches count. The files listed here are exactly the ones that a bake copies into
its run folder; the base AMI is added by whoever has asked AWS for it.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from pydantic import JsonValue

from goldfleet.bake.collections import REQUIREMENTS, read_collections
from goldfleet.bake.facts import is_secret
from goldfleet.bake.fingerprint import digest_value, fingerprint
from goldfleet.bake.model import Component, Inputs
from goldfleet.bake.playbook import References, references
from goldfleet.bake.project_files import FilePart, SourceFile, load_yaml, read_file, read_folder
from goldfleet.config.settings import FILE_NAME, ImageSettings
from goldfleet.errors import UsageError

ROLES = "roles"
GROUP_VARS = "inventory/group_vars"
ANSIBLE_CONFIG = "ansible.cfg"
TEMPLATE = "template"


@dataclass(frozen=True)
class Tree:
    """What the project puts into an image: its files by component, and the components that are not files."""

    parts: tuple[FilePart, ...]
    values: tuple[Component, ...]

    @property
    def files(self) -> tuple[SourceFile, ...]:
        """Return every file that goes into a bake."""
        return tuple(file for part in self.parts for file in part.files)


def read_tree(project: Path, settings: ImageSettings, collections_search_path: Sequence[Path]) -> Tree:
    """Read everything of the project that goes into an image.

    Raises UsageError when a file that is named does not exist or cannot be read.
    """
    try:
        return _read_tree(project, settings, collections_search_path)
    except OSError as error:
        raise UsageError(f"{error.filename} cannot be read: {error.strerror}.") from error


def build_inputs(tree: Tree, architecture: str, source_ami: str) -> Inputs:
    """Return all inputs of an image, with their fingerprint."""
    components = (
        Component("base AMI", digest_value(source_ami), source_ami),
        Component("architecture", digest_value(architecture), architecture),
        *(part.component for part in tree.parts),
        *tree.values,
    )
    return Inputs(components, fingerprint(components))


_NOT_OF_A_ROLE = ("README*", "CHANGELOG*", "LICENSE*", "docs", "molecule", "tests")


def _read_tree(project: Path, settings: ImageSettings, collections_search_path: Sequence[Path]) -> Tree:
    _require(project / settings.playbook, "playbook", settings.playbook)
    _require(project / settings.packer, "packer", settings.packer)
    _require(project / settings.specs, "specs", settings.specs)
    playbooks = _reach_playbooks(project, settings.playbook)
    roles = _reach_roles(project, playbooks)
    parts = (
        read_folder(project, settings.packer, TEMPLATE),
        *(read_file(project, path, f"playbook {_title(path)}") for path in sorted(playbooks)),
        *_beside_playbooks(project, playbooks),
        *(read_folder(project, f"{ROLES}/{role}", f"role {role}", skip=_NOT_OF_A_ROLE) for role in sorted(roles)),
        read_folder(project, GROUP_VARS, "group_vars"),
        read_folder(project, settings.specs, "specs"),
        read_file(project, REQUIREMENTS, "collections"),
        read_file(project, ANSIBLE_CONFIG, ANSIBLE_CONFIG),
    )
    values = (*_variables(settings.variables), *read_collections(project, collections_search_path))
    return Tree(tuple(part for part in parts if part.files), values)


def _require(path: Path, key: str, seen: str) -> None:
    if not path.exists():
        raise UsageError(
            f"{FILE_NAME}: {key}: seen {seen!r}, which does not exist in {path.parent}; wanted an existing path."
        )


def _variables(variables: dict[str, JsonValue]) -> tuple[Component, ...]:
    return tuple(
        Component(f"variable {name}", digest_value(value), None if is_secret(name) else _show(value))
        for name, value in sorted(variables.items())
    )


def _show(value: JsonValue) -> str:
    return repr(value) if isinstance(value, str) else json.dumps(value, sort_keys=True)


def _reach_playbooks(project: Path, first: str) -> dict[str, References]:
    """Return what each playbook that `first` reaches refers to, by the playbook's path in the project."""
    reached: dict[str, References] = {}
    waiting = [first]
    while waiting:
        path = waiting.pop()
        if path in reached:
            continue
        reached[path] = found = references(load_yaml(project / path))
        waiting += [_imported(project, path, name) for name in found.playbooks]
    return reached


def _imported(project: Path, importer: str, name: str) -> str:
    """Return the path in the project of a playbook that another one imports."""
    path = ((project / importer).parent / name).resolve()
    if not path.is_relative_to(project.resolve()) or not path.is_file():
        raise UsageError(f"{importer} imports {name}, which is no file of this project.")
    return path.relative_to(project.resolve()).as_posix()


def _reach_roles(project: Path, playbooks: dict[str, References]) -> set[str]:
    """Return the names of the roles that playbooks reach, through dependencies and roles that include roles.

    A name that is computed at run time could be any role's: then all of them count.
    """
    if not all(found.is_complete for found in playbooks.values()):
        return _all_roles(project)
    reached: set[str] = set()
    waiting = [(role, playbook) for playbook, found in playbooks.items() for role in found.roles]
    while waiting:
        role, user = waiting.pop()
        if role in reached:
            continue
        if not (project / ROLES / role).is_dir():
            raise UsageError(f"{user} uses role {role}, but there is no folder {ROLES}/{role}.")
        reached.add(role)
        for path in _task_files(project / ROLES / role):
            found = references(load_yaml(path))
            if not found.is_complete:
                return _all_roles(project)
            waiting += [(name, f"role {role}") for name in found.roles]
    return reached


def _all_roles(project: Path) -> set[str]:
    return {path.name for path in (project / ROLES).iterdir() if path.is_dir() and not path.name.startswith(".")}


def _task_files(role: Path) -> list[Path]:
    """Return the files of a role in which other roles may be named."""
    patterns = ("tasks/**/*.yml", "tasks/**/*.yaml", "handlers/*.yml", "handlers/*.yaml", "meta/main.y*ml")
    return sorted(path for pattern in patterns for path in role.glob(pattern))


def _beside_playbooks(project: Path, playbooks: dict[str, References]) -> tuple[FilePart, ...]:
    """Return the folders beside the playbooks (files, templates, vars, plugins): Ansible finds things in them."""
    parents = {(project / path).parent for path in playbooks} - {project}
    folders = sorted(child for parent in parents for child in parent.iterdir() if child.is_dir())
    return tuple(
        read_folder(project, str(folder), f"playbook folder {folder}", skip=())
        for folder in (path.relative_to(project).as_posix() for path in folders)
        if not folder.endswith("__pycache__")
    )


def _title(playbook: str) -> str:
    """Return what a playbook is called in reasons: `golden_image` for playbooks/golden_image.yml."""
    return str(PurePosixPath(playbook).with_suffix("")).removeprefix("playbooks/")
