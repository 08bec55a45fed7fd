"""The project as a run of the tool sees it: copied once at the start, so that edits meanwhile change no verdict.

Reads files only. Neighbours: mutants, which needs the text of a role; trial, which needs its scenarios and specs.
"""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.mutation.basis import Basis, digest_files, digest_tests
from tests.mutation.mutants import Mutant, make_mutants

TREE = Path(__file__).resolve().parents[2]
COPIED = ("roles", "playbooks", "inventory", "tests", ".config", "ansible.cfg", "pyproject.toml", "requirements.yml")
NOT_SERVERS = frozenset({"aws_foundation"})
"""Roles that configure no server."""
SPECS = {"golden_seal": "sealed_machine.py"}
"""Specs of a role that are not called after it, as in .config/molecule/verify.yml."""
NOT_RESTARTED = frozenset({"golden_seal"})
"""Roles whose machine is not started again, as in .config/molecule/side_effect.yml."""
SCENARIOS = ("default", "alternative")
MORE_SCENARIOS = {
    "cache_client": ("php",), "codedeploy_agent": ("launch", "major_1"), "database_client": ("php",),
    "web_stack": ("php", "static"),
}  # fmt: skip
"""Scenarios that ask nothing more of a machine than those; what survives those is tried on these too."""
PARTS = ("tasks", "handlers", "vars")
CODE = ("trial.py", "prepare.py")
"""Parts of this tool that decide what a verdict is."""


@dataclass(frozen=True)
class Project:
    """A copy of the project."""

    folder: Path

    @property
    def molecule(self) -> Path:
        """The folder that all of molecule's scenarios share."""
        return self.folder / ".config" / "molecule"

    def roles(self) -> list[str]:
        """Return the roles of a server."""
        found = [path.name for path in (self.folder / "roles").iterdir() if (path / "tasks" / "main.yml").is_file()]
        return sorted(set(found) - NOT_SERVERS)

    def roles_before(self, role: str) -> list[str]:
        """Return the roles that molecule applies before a role."""
        (play,) = _read(self.molecule / "converge.yml")
        return list(play["vars"]["molecule_roles_before"][role])

    def mutants(self, role: str) -> list[Mutant]:
        """Return every mutant of a role."""
        folder = self.folder / "roles" / role
        files = {
            str(path.relative_to(folder)): path.read_text(encoding="utf-8")
            for part in PARTS
            for path in sorted((folder / part).glob("*.yml"))
        }
        return make_mutants(role, files)

    def shared_variables(self, role: str, scenario: str) -> dict[str, Any]:
        """Return what a scenario sets for its machine: `molecule_variables`, and whatever it has besides."""
        home = self.folder / "roles" / role
        text = (home / "molecule" / scenario / "molecule.yml").read_text(encoding="utf-8")
        file = yaml.safe_load(text.replace("${MOLECULE_PROJECT_DIRECTORY}", str(home))) or {}
        shared = file.get("provisioner", {}).get("inventory", {}).get("group_vars", {}).get("all", {})
        return dict(shared)

    def connection(self) -> dict[str, Any]:
        """Return how molecule's Ansible reaches its machine."""
        config = _read(self.molecule / "config.yml")
        return dict(config["provisioner"]["inventory"]["hosts"]["all"]["hosts"]["server"])

    def specs(self, role: str) -> Path:
        """Return the file with a role's specs, relative to the project."""
        return Path("tests/fleet") / SPECS.get(role, f"test_{role}.py")

    def scenarios(self, role: str) -> tuple[str, ...]:
        """Return the scenarios whose variables a role's mutants are tried with."""
        return (*SCENARIOS, *MORE_SCENARIOS.get(role, ()))

    def basis(self, role: str) -> Basis:
        """Return what verdicts about mutants of this role rest on."""
        how = [Path(".config/molecule"), Path("tests/fleet/conftest.py")]
        how += [Path("tests/mutation") / name for name in CODE]
        scenarios = {name: Path("roles") / role / "molecule" / name for name in self.scenarios(role)}
        settings = [
            Path("tests/functional/roles/test_settings.py"),
            Path(f"tests/functional/roles/settings/{role}.yml"),
        ]
        specs = self.specs(role)
        return Basis(
            how=digest_files(self.folder, how),
            scenarios={name: digest_files(self.folder, [folder]) for name, folder in scenarios.items()},
            specs=digest_files(self.folder, [specs]),
            settings=digest_files(self.folder, settings),
            tests=digest_tests((self.folder / specs).read_text(encoding="utf-8")),
        )


def copy_project(target: Path) -> Project:
    """Copy the project's files into a folder that does not exist yet."""
    for name in COPIED:
        source = TREE / name
        if source.is_dir():
            shutil.copytree(source, target / name, ignore=shutil.ignore_patterns("__pycache__"), symlinks=True)
        elif source.exists():
            target.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target / name)
    return Project(target)


def write_mutant(project: Project, mutant: Mutant, folder: Path) -> Path:
    """Write a folder of roles in which one is the mutant and the others are links to the copy; return it."""
    folder.mkdir(parents=True)
    for path in (project.folder / "roles").iterdir():
        if path.name != mutant.role:
            os.symlink(path, folder / path.name)
    shutil.copytree(project.folder / "roles" / mutant.role, folder / mutant.role, symlinks=True)
    (folder / mutant.role / mutant.place.file).write_text(mutant.content, encoding="utf-8")
    return folder


def _read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8")) if path.exists() else None
