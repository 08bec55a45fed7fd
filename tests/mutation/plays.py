"""Runs what a verdict rests on: molecule's converge playbook, the specs, and the tests of bad settings.

Each in a process group of its own that ends when the run is stopped. Playbooks run with Mitogen, in half the time of
pipelining: a task does the same on the machine either way. Neighbours: trial and prepare, which call it.
"""

import json
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ansible_mitogen.plugins import strategy

from goldfleet.process import Command, run_streaming
from goldfleet.stop import StopFlag
from tests.mutation.machines import ToolError
from tests.mutation.project import Project

BIN = Path(sys.executable).parent
LONGEST_SECONDS = 600
GRACE_SECONDS = 5
FOREIGN = ("ANSIBLE_", "PYTEST_", "MOLECULE_", "GOLDFLEET_")
"""Variables of this process that must not change what a run means."""
LAST_LINES = 30
TASK = re.compile(r"^(?:TASK|RUNNING HANDLER) \[(.*)\] \**$")
FAILED_TEST = re.compile(r"^(?:FAILED|ERROR) \S*::(\w+(?:\[.*?\])?)(?: - |$)")
PASSED, FAILED, NO_TEST = 0, 1, 5
"""Exit codes of pytest. Source: pytest documentation, "Exit codes"."""


@dataclass(frozen=True)
class Play:
    """How a playbook ended: the task that it failed at, "" at its end; the tasks that changed something, and all that ran."""

    failed_at: str
    changed: tuple[str, ...]
    said: str
    ran: tuple[str, ...] = ()


@dataclass(frozen=True)
class Place:
    """The folder of roles that a run uses, a folder of its own for what it writes down, and whether settings are judged.

    With `settings_are_judged` roles leave their preflight out, as in a play that has judged the settings before its first role.
    """

    roles: Path
    scratch: Path
    settings_are_judged: bool = False

    def wanted(self, machine: str, scenario: str) -> Path:
        """Return the file with what a machine was to become."""
        return self.scratch / f"{machine}.{scenario}.json"


@dataclass(frozen=True)
class PlayOptions:
    """Whether the roles before are applied too, whether nothing is changed (--check), and whose scenario if not its own."""

    roles_before: bool = False
    preview: bool = False
    variables_of: str = ""


PLAIN = PlayOptions()


@dataclass(frozen=True)
class Runner:
    """Runs playbooks and tests for one copy of the project."""

    project: Project
    stop: StopFlag

    def converge(self, machine: str, role: str, scenario: str, place: Place, options: PlayOptions = PLAIN) -> Play:
        """Apply a role with a scenario's variables, and the roles before it if they are wanted, to a machine."""
        place.scratch.mkdir(parents=True, exist_ok=True)
        variables = self.project.shared_variables(options.variables_of or role, scenario)
        server = self.project.connection() | {"ansible_connection": "mitogen_podman", "ansible_host": machine}
        inventory = {"all": {"vars": variables, "hosts": {"server": server}}}
        # Of its own, since the control's machines share the place and run side by side.
        inventory_file = place.scratch / f"{machine}.inventory.json"
        here = str(place.scratch / machine)
        inventory_file.write_text(json.dumps(inventory).replace("${MOLECULE_EPHEMERAL_DIRECTORY}", here))
        (place.scratch / "ansible.cfg").write_text("")
        wanted = place.wanted(machine, scenario)
        wanted.parent.mkdir(parents=True, exist_ok=True)
        wanted.write_text(json.dumps(variables.get("molecule_variables", {})))
        extra: dict[str, Any] = {"molecule_role": role, "molecule_machine": machine, "mutation_wanted": str(wanted)}
        if place.settings_are_judged:
            extra["goldfleet_settings_are_judged"] = True
        if not options.roles_before:
            extra["molecule_roles_before"] = {role: []}
        playbooks = [self.project.molecule / "converge.yml"]
        if "{{" in wanted.read_text() and not options.preview:
            playbooks.append(self.project.folder / "tests/mutation/wanted.yml")
        command = (
            str(BIN / "ansible-playbook"), "--inventory", str(inventory_file),
            "--extra-vars", json.dumps(extra), *(["--check"] if options.preview else []), *map(str, playbooks),
        )  # fmt: skip
        return read_play(*self._run(command, self._ansible(machine, role, place)))

    def specs(self, machine: str, role: str, scenario: str, place: Place) -> str:
        """Run a role's specs on a machine until the first that fails, and return its name, "" when all passed."""
        command = (
            str(BIN / "python"), "-m", "pytest", "-c", "/dev/null", f"--rootdir={self.project.folder}", "--strict-markers",
            "-p", "no:cacheprovider", "-q", "-x", "--tb=line", "-m", "not golden", f"--hosts=podman://{machine}",
            str(self.project.folder / self.project.specs(role)),
        )  # fmt: skip
        wanted = {"GOLDFLEET_VARIABLES_FILE": str(place.wanted(machine, scenario))}
        return without_machine(first_failure(*self._run(command, wanted)), machine)

    def settings(self, role: str, place: Place) -> str:
        """Run the tests of a role's bad settings until the first that fails, and return its name, "" when all passed."""
        command = (
            str(BIN / "python"), "-m", "pytest", "-q", "-x", "--tb=line",
            str(self.project.folder / "tests/functional/roles/test_settings.py"),
        )  # fmt: skip
        return first_failure(*self._run(command, {"GOLDFLEET_ROLES_PATH": str(place.roles), "GOLDFLEET_ROLE": role}))

    def _ansible(self, machine: str, role: str, place: Place) -> dict[str, str]:
        """Return what molecule and its configuration would set."""
        return {
            "ANSIBLE_CONFIG": str(place.scratch / "ansible.cfg"), "ANSIBLE_ROLES_PATH": str(place.roles),
            "ANSIBLE_STRATEGY": "mitogen_linear", "ANSIBLE_STRATEGY_PLUGINS": strategy.__path__[0],
            "ANSIBLE_PYTHON_INTERPRETER": "/usr/bin/python3", "ANSIBLE_INJECT_FACT_VARS": "0", "ANSIBLE_NOCOLOR": "1",
            "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "0", "ANSIBLE_LOCALHOST_WARNING": "0",
            "MOLECULE_EPHEMERAL_DIRECTORY": str(place.scratch / machine),
            "MOLECULE_PROJECT_DIRECTORY": str(self.project.folder / "roles" / role),
        }  # fmt: skip

    def _run(self, command: tuple[str, ...], environment: dict[str, str]) -> tuple[int, list[str]]:
        """Run a command in the copy of the project; return its exit code and its output."""
        lines: list[str] = []
        within = ("timeout", "--signal=INT", "--kill-after=10", str(LONGEST_SECONDS))
        kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
        # tests/machines/podman enters the machines, and keeps in that folder how.
        known = self.project.folder / ".machines"
        known.mkdir(exist_ok=True)
        path = f"{self.project.folder / 'tests/machines'}:{BIN}:{kept['PATH']}"
        own = {"NO_COLOR": "1", "PYTHONDONTWRITEBYTECODE": "1", "PATH": path, "GOLDFLEET_MACHINES": str(known)}
        called = Command([*within, *command], {**kept, **own, **environment}, self.project.folder, GRACE_SECONDS)
        ended = run_streaming(called, lines.append, self.stop)
        self.stop.check()
        return ended.code, lines


@dataclass(frozen=True)
class Witness(Runner):
    """A runner that remembers which tasks its playbooks have run. A task that is skipped everywhere is not printed."""

    ran: set[str] = field(default_factory=set)

    def converge(self, machine: str, role: str, scenario: str, place: Place, options: PlayOptions = PLAIN) -> Play:
        """Do what a runner does, and remember."""
        play = super().converge(machine, role, scenario, place, options)
        self.ran.update(play.ran)
        return play


def read_play(code: int, lines: list[str]) -> Play:
    """Return how a playbook ended, from its exit code and its output."""
    task, ran, changed, failed_at = "", [], [], ""
    for line in lines:
        if found := TASK.match(line):
            task = found[1]
            ran.append(task)
        elif line.startswith("changed: ") and task not in changed:
            changed.append(task)
        elif line.startswith(("fatal: ", "failed: ", "[ERROR]: ", "ERROR! ")) and not failed_at:
            failed_at = task or line
    return Play(
        (failed_at or f"exit code {code}") if code else "", tuple(changed), "\n".join(lines[-LAST_LINES:]), tuple(ran)
    )


def without_machine(test: str, machine: str) -> str:
    """Return a test's name without the machine that testinfra puts between its brackets."""
    short = test.replace(f"podman://{machine}", "") if machine else test
    return short.replace("[-", "[").replace("-]", "]").replace("[]", "")


def first_failure(code: int, lines: list[str]) -> str:
    """Return the first test that failed, from pytest's exit code and output; that no test was chosen is no failure.

    Raises ToolError when pytest did not run to its end.
    """
    if code in (PASSED, NO_TEST):
        return ""
    failed = [found[1] for line in lines if (found := FAILED_TEST.match(line))]
    if code != FAILED or not failed:
        raise ToolError(f"pytest ended with {code}:\n" + "\n".join(lines[-LAST_LINES:]))
    return failed[0]
