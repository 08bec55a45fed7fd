"""Tries one mutant until something proves it wrong, cheapest proof first.

What may prove it wrong is what proves the role right elsewhere: the converge itself, the role's specs (at once, and after a
restart), that a second run changes nothing, that other variables can follow, that a preview (--check) of a bare server
works, and the tests of bad settings. Every step is tried with the unchanged role first; a step that the role itself does
not pass counts for none of its mutants. Neighbours: prepare, which makes what it starts from; results, which keeps verdicts.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

from goldfleet.localcloud.podman import PodmanError
from tests.mutation.findings import CONVERGE, PREVIEW, RESTART, SECOND_RUN, SETTINGS, SPEC, Finding
from tests.mutation.machines import BootError, Machines, ToolError
from tests.mutation.mutants import Mutant
from tests.mutation.plays import Place, PlayOptions, Runner
from tests.mutation.prepare import Ground
from tests.mutation.project import NOT_RESTARTED, SCENARIOS


@dataclass(frozen=True)
class Step:
    """One step of a chain: what it is called, and what it finds wrong."""

    name: str
    look: Callable[[], tuple[str, str] | None]


@dataclass(frozen=True)
class Trial:
    """Roles, which hold a mutant or not, and what they may be tried on. `skipped` names steps that prove nothing."""

    machines: Machines
    runner: Runner
    role: str
    place: Place
    grounds: dict[str, Ground]
    skipped: frozenset[str] = frozenset()

    def try_mutant(self, mutant: Mutant) -> Finding | None:
        """Return the first proof against a mutant, None when it survives everything."""
        if mutant.is_judged_by_settings and (found := self.try_settings()):
            return found
        for number, image in enumerate(self._images(mutant)):
            for scenario in self._in_order(mutant):
                if found := next(self.findings(scenario, image, is_short=number > 0), None):
                    return found
        return next(self.previews(), None)

    def findings(self, scenario: str, image: str, *, is_short: bool = False) -> Iterator[Finding]:
        """Yield what each step of a chain finds wrong, in order."""
        with self.machines.machine(getattr(self.grounds[scenario], image)) as machine:
            for step in self._chain(machine, scenario, is_short=is_short or scenario not in SCENARIOS):
                name = f"{scenario}, {step.name}"
                if name not in self.skipped and (found := step.look()):
                    yield Finding(*found, name)

    def try_settings(self) -> Finding | None:
        """Return the test of bad settings that fails."""
        if "settings" in self.skipped:
            return None
        failed = self.runner.settings(self.role, self.place)
        return Finding(SETTINGS, failed, "settings") if failed else None

    def previews(self) -> Iterator[Finding]:
        """Yield at which task a preview of a bare server fails, with one scenario's variables and with the other's."""
        options = PlayOptions(roles_before=True, preview=True)
        with self.machines.machine(self.machines.base) as machine:
            for scenario in SCENARIOS:
                name = f"preview of {scenario}"
                if name in self.skipped:
                    continue
                play = self.runner.converge(machine, self.role, scenario, self.place, options)
                if play.failed_at:
                    yield Finding(PREVIEW, play.failed_at, name)

    def _in_order(self, mutant: Mutant) -> list[str]:
        """Return the scenarios, those first in which the unchanged task changes something: they tell soonest."""
        return sorted(self.grounds, key=lambda name: not mutant.place.is_called_one_of(self.grounds[name].changing))

    def _images(self, mutant: Mutant) -> tuple[str, ...]:
        """Return the images to start from: what a task installs must not be there yet, and a survivor is tried from both."""
        if mutant.installs_packages:
            return ("bare",)
        return ("ready", "bare") if any(ground.has_packages for ground in self.grounds.values()) else ("ready",)

    def _chain(self, machine: str, scenario: str, *, is_short: bool) -> Iterator[Step]:
        """Yield the steps on one machine: this scenario's variables, then the other's, and what must hold from there on.

        A short chain has this scenario's variables only: for scenarios beside the two, and for an image that comes second.
        """
        yield Step("first run", partial(self._converge, machine, scenario, PlayOptions()))
        yield Step("specs", partial(self._specs, machine, scenario))
        if is_short:
            yield Step("second run", partial(self._second_run, machine, scenario))
            return
        other = next(name for name in SCENARIOS if name != scenario)
        yield Step(f"then {other}", partial(self._converge, machine, other, PlayOptions(roles_before=True)))
        yield Step(f"specs of {other}", partial(self._specs, machine, other))
        yield Step("second run", partial(self._second_run, machine, other))
        if self.role not in NOT_RESTARTED:
            yield Step("restart", partial(self._restart, machine))
            yield Step("specs after the restart", partial(self._specs, machine, other))

    def _converge(self, machine: str, scenario: str, options: PlayOptions) -> tuple[str, str] | None:
        play = self.runner.converge(machine, self.role, scenario, self.place, options)
        return (CONVERGE, play.failed_at) if play.failed_at else None

    def _specs(self, machine: str, scenario: str) -> tuple[str, str] | None:
        failed = self.runner.specs(machine, self.role, scenario, self.place)
        return (SPEC, failed) if failed else None

    def _restart(self, machine: str) -> tuple[str, str] | None:
        try:
            self.machines.restart(machine)
        except (BootError, PodmanError) as error:
            return RESTART, str(error)
        return None

    def _second_run(self, machine: str, scenario: str) -> tuple[str, str] | None:
        play = self.runner.converge(machine, self.role, scenario, self.place)
        if play.failed_at or play.changed:
            return SECOND_RUN, play.failed_at or play.changed[0]
        return None


def control(trial: Trial, run: Callable[[Sequence[Callable[[], list[Finding]]]], list[list[Finding]]]) -> list[Finding]:
    """Return every step that the unchanged role itself does not pass; `run` runs looks, side by side or not.

    Raises ToolError when it fails where most mutants are judged: nothing could be said of them.
    """
    looks: list[Callable[[], list[Finding]]] = [partial(_all, trial, scenario) for scenario in trial.grounds]
    looks += [lambda: list(trial.previews()), lambda: _listed(trial.try_settings())]
    found = [finding for findings in run(looks) for finding in findings]
    fatal = [finding for finding in found if finding.step.endswith((", first run", ", specs"))]
    if fatal:
        raise ToolError(f"Role {trial.role} itself fails: {fatal[0].kind} {fatal[0].proof} ({fatal[0].step}).")
    return found


def _all(trial: Trial, scenario: str) -> list[Finding]:
    return list(trial.findings(scenario, "ready"))


def _listed(finding: Finding | None) -> list[Finding]:
    return [finding] if finding else []
