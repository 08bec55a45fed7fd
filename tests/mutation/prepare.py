"""Makes what mutants of a role start from, once for each role and scenario, and proves that the role itself passes there.

Two images: `bare` has the roles before, fresh package lists and the role's packages downloaded; `ready` has them installed
too, which is where all mutants start but those of the tasks that install. Neighbour: trial, whose steps the control runs.
"""

from dataclasses import dataclass
from pathlib import Path

from tests.mutation.machines import Machines, ToolError
from tests.mutation.plays import Place, Play, PlayOptions, Runner

ARCHIVES = "/var/cache/apt/archives"
PACKAGES = ("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package}\n")


@dataclass(frozen=True)
class Ground:
    """Where the mutants of a role start in one scenario, and the tasks of the role that change something there."""

    role: str
    scenario: str
    bare: str
    ready: str
    changing: frozenset[str] = frozenset()

    @property
    def has_packages(self) -> bool:
        """Say whether the role installs anything, so that the two images differ."""
        return self.bare != self.ready


def prepare(machines: Machines, runner: Runner, role: str, scenario: str, scratch: Path) -> Ground:
    """Make the images of a role and a scenario."""
    place, before = Place(runner.project.folder / "roles", scratch), runner.project.roles_before(role)
    name = f"{role}-{scenario}"
    with machines.machine(machines.base) as machine:
        machines.run(machine, "apt-get", "update", "--quiet=2")
        for earlier in before:
            _apply(runner, machine, earlier, scenario, place, role)
        start = machines.keep(machine, f"{name}-start")
    with machines.machine(start) as machine:
        present = _packages(machines, machine)
        play = _apply(runner, machine, role, scenario, place, role)
        changing = frozenset(task.removeprefix(f"{role} : ") for task in play.changed)
        if failed := runner.specs(machine, role, scenario, place):
            raise ToolError(f"{role}, {scenario}: the role itself does not pass {failed}.")
        added = _packages(machines, machine) - present
        machines.copy_out(machine, ARCHIVES, scratch / "archives")
    # What came from no archive of packages, such as the CodeDeploy agent, only the role itself can install.
    brought = sorted(name for name in added if any((scratch / "archives").glob(f"{name}_*.deb")))
    if not brought:
        return Ground(role, scenario, start, start, changing)
    with machines.machine(start) as machine:
        machines.copy_in(scratch / "archives", machine, ARCHIVES)
        bare = machines.keep(machine, f"{name}-bare")
        machines.run(
            machine, "env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "--yes", "--quiet=2",
            "--no-install-recommends", *brought, timeout_seconds=600,
        )  # fmt: skip
        return Ground(role, scenario, bare, machines.keep(machine, f"{name}-ready"), changing)


def _apply(runner: Runner, machine: str, role: str, scenario: str, place: Place, owner: str) -> Play:
    """Apply one role with the variables of another one's scenario and return what it did. Raises ToolError when it fails."""
    play = runner.converge(machine, role, scenario, place, PlayOptions(variables_of=owner))
    if play.failed_at:
        raise ToolError(f"{owner}, {scenario}: role {role} itself fails at '{play.failed_at}':\n{play.said}")
    return play


def _packages(machines: Machines, machine: str) -> set[str]:
    lines = machines.run(machine, *PACKAGES).splitlines()
    return {line.split()[1] for line in lines if line.startswith("installed ")}
