"""The run folder `.goldfleet/runs/<run id>/`: a snapshot of what goes into one bake, and what the bake writes.

What was fingerprinted is what is baked: only files that were read are copied, and one that changed since is refused.
"""

import json
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pydantic import JsonValue

from goldfleet.bake.inputs import Tree
from goldfleet.bake.project_files import SourceFile, hash_file
from goldfleet.errors import RefusedError

FIRST_MODERN_PACKER = (1, 7)
"""From here on a template declares its plugins and knows IMDSv2; see DESIGN.md, section 7."""

COMPAT_FOLDER = "compat"
ONLY_MODERN = ("plugins.pkr.hcl", "source.pkr.hcl")


@dataclass(frozen=True)
class RunFolder:
    """Where the things of one run are."""

    path: Path

    @property
    def packer(self) -> Path:
        """Return the folder that `packer build` takes."""
        return self.path / "packer"

    @property
    def packer_variables(self) -> Path:
        """Return the file with the template's variables."""
        return self.path / "packer.pkrvars.json"

    @property
    def variables(self) -> Path:
        """Return the file with Ansible's extra variables; the specs read it too."""
        return self.path / "variables.json"

    @property
    def manifest(self) -> Path:
        """Return the file in which Packer says what it made."""
        return self.path / "manifest.json"

    @property
    def log(self) -> Path:
        """Return the file that keeps Packer's output."""
        return self.path / "packer.log"

    @property
    def private_key(self) -> Path:
        """Return the file with the run's private key; it is removed at the end of the run."""
        return self.path / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """Return the file with the host keys of the verification copy."""
        return self.path / "known_hosts"

    @property
    def ssh_config(self) -> Path:
        """Return the SSH configuration for the verification copy."""
        return self.path / "ssh_config"


def run_folder_of(project: Path, run_id: str) -> RunFolder:
    """Return where a run's folder is; nothing is made."""
    return RunFolder(project / ".goldfleet" / "runs" / run_id)


def assemble(folder: RunFolder, tree: Tree, packer_folder: str, packer_version: tuple[int, ...]) -> None:
    """Copy everything that goes into the bake into a new run folder, readable for its owner only.

    The template is laid flat, in the form that this version of Packer reads.
    Raises RefusedError when the folder cannot be written, or a file changed since it was read.
    """
    with refusing_os_errors(folder.path):
        folder.path.mkdir(mode=0o700, parents=True)
        for file in tree.files:
            destination = _destination(file, packer_folder, packer_version)
            if destination is not None:
                _copy(file, folder.path / destination)


def write_json(path: Path, document: Mapping[str, JsonValue]) -> None:
    """Write a JSON file that only its owner can read.

    Raises RefusedError when it cannot be written.
    """
    with refusing_os_errors(path.parent):
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            json.dump(document, stream, indent=2, sort_keys=True)


@contextmanager
def refusing_os_errors(path: Path) -> Iterator[None]:
    """Turn a full disk, a missing right and their like inside the block into RefusedError."""
    try:
        yield
    except OSError as error:
        raise RefusedError(
            f"The run folder {path} could not be written: {error.strerror or error}.",
            "Free space or set rights there, then run again.",
        ) from error


def _destination(file: SourceFile, packer_folder: str, packer_version: tuple[int, ...]) -> str | None:
    """Return where a file goes in the run folder; None when this version of Packer must not see it."""
    prefix = packer_folder + "/"
    if not file.destination.startswith(prefix):
        return file.destination
    inside = file.destination.removeprefix(prefix)
    is_compat = inside.startswith(COMPAT_FOLDER + "/")
    if packer_version >= FIRST_MODERN_PACKER:
        return None if is_compat else f"packer/{inside}"
    return None if inside in ONLY_MODERN else f"packer/{inside.removeprefix(COMPAT_FOLDER + '/')}"


def _copy(file: SourceFile, destination: Path) -> None:
    destination.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file.source, destination)
    destination.chmod(0o755 if file.digest.is_executable else 0o644)
    if hash_file(destination) != file.digest.sha256:
        raise RefusedError(f"{file.source} changed while the bake was starting.", "Run again.")
