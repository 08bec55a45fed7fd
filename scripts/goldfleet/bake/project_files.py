"""Reads files of a project tree: which count, their digests, their YAML. The only reader of inputs.

What does not count is never copied into a bake either, so it cannot get into an image unseen.
"""

import fnmatch
import hashlib
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from goldfleet.bake.fingerprint import digest_files
from goldfleet.bake.model import Component, FileDigest
from goldfleet.errors import UsageError

DROPPINGS = (
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".cache",
    ".ansible",
    ".git",
    ".gitignore",
    ".gitkeep",
    ".DS_Store",
    ".bake",
    "*.pyc",
    "*.pyo",
    "*~",
    ".*.sw?",
    ".#*",
    "#*#",
    "*.orig",
    "*.rej",
    "*.retry",
)
"""Left behind by editors, version control and tools; nowhere an input."""

FOR_PEOPLE = ("README*", "CHANGELOG*", "LICENSE*", "docs", "molecule", "manifest.json", "packer_cache")
"""At the top of a role's or another component's folder: about it, or made by it, but not part of it."""

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class SourceFile:
    """A file that goes into a bake: where it is, where it goes in the run folder, and what it held when it was read."""

    source: Path
    destination: str
    digest: FileDigest


@dataclass(frozen=True)
class FilePart:
    """One component made of files."""

    name: str
    files: tuple[SourceFile, ...]

    @property
    def component(self) -> Component:
        """Return the component that these files make."""
        return Component(self.name, digest_files(file.digest for file in self.files))


def read_folder(project: Path, folder: str, name: str, skip: tuple[str, ...] = FOR_PEOPLE) -> FilePart:
    """Return the component of a folder's files; a folder that is not there makes an empty one."""
    root = project / folder
    files = sorted(_walk(root, skip)) if root.is_dir() else []
    return FilePart(name, tuple(_source_file(path, project, path.relative_to(root).as_posix()) for path in files))


def read_file(project: Path, relative: str, name: str) -> FilePart:
    """Return the component of one file; a file that is not there makes an empty one."""
    path = project / relative
    return FilePart(name, (_source_file(path, project, path.name),) if path.is_file() else ())


def load_yaml(path: Path) -> object:
    """Return the first document of a YAML file, tags such as `!vault` read as nothing.

    Raises UsageError when it cannot be read or is no YAML.
    """
    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader=_TolerantLoader)  # noqa: S506 - builds plain data only
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UsageError(f"{path} cannot be read: {error}.") from error


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file's content.

    Raises UsageError when it cannot be read.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as stream:
            while chunk := stream.read(_CHUNK_BYTES):
                digest.update(chunk)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from error
    return digest.hexdigest()


def _walk(folder: Path, skip: tuple[str, ...]) -> Iterator[Path]:
    """Yield the files below a folder that count."""
    for path in folder.iterdir():
        if _matches(path.name, DROPPINGS) or _matches(path.name, skip):
            continue
        if path.is_dir():
            if path.is_symlink():
                raise UsageError(f"{path} is a symbolic link to a folder.", "Put the folder itself there.")
            yield from _walk(path, ())
        elif path.is_file():
            yield path
        else:
            raise UsageError(f"{path} is neither a file nor a folder, or a link to nothing.", "Remove it.")


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)


def _source_file(path: Path, project: Path, inside: str) -> SourceFile:
    is_executable = bool(path.stat().st_mode & stat.S_IXUSR)
    return SourceFile(
        source=path,
        destination=path.relative_to(project).as_posix(),
        digest=FileDigest(inside, is_executable, hash_file(path)),
    )


_BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _TolerantLoader(_BaseLoader):  # type: ignore[misc]
    """The safe loader, which also accepts Ansible's own tags."""


_TolerantLoader.add_multi_constructor("!", lambda _loader, _suffix, _node: None)
