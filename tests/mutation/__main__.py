"""Mutate the roles and see what notices: python -m tests.mutation [ROLE ...]

Needs root, podman and the Debian mirror. An interrupted run goes on where it was when it is started again.
Exit codes: 0 every mutant is caught or listed with a reason, 1 a survivor without a reason, a reason without a survivor
or (--table) a mutant without a verdict,
2 usage or a role that does not pass by itself, 3 another run is at work in this tree, 5 stopped.
"""

import argparse
import fcntl
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import TextIO, TypeVar

from goldfleet.errors import StoppedError
from goldfleet.stop import StopFlag, catch_signals
from tests.mutation.basis import Basis
from tests.mutation.machines import Machines, ToolError
from tests.mutation.mutants import Mutant
from tests.mutation.plays import Place, Runner, Witness
from tests.mutation.prepare import prepare
from tests.mutation.project import SCENARIOS, TREE, Project, copy_project, write_mutant
from tests.mutation.results import Shelf, Verdict, problems, read_reasons
from tests.mutation.table import render, render_progress
from tests.mutation.trial import Trial, control

T = TypeVar("T")
FOLDER = TREE / ".goldfleet" / "mutation"
JOBS = 2


@dataclass(frozen=True)
class Choice:
    """What the command line asks for."""

    roles: tuple[str, ...]
    scenarios: tuple[str, ...]
    only: str
    jobs: int
    is_again: bool

    def wanted(self, project: Project, role: str) -> list[Mutant]:
        """Return the mutants of a role that are asked for."""
        return [mutant for mutant in project.mutants(role) if self.only in str(mutant)]


@dataclass(frozen=True)
class Session:
    """What all roles of a run share."""

    choice: Choice
    machines: Machines
    runner: Runner
    shelf: Shelf
    scratch: Path
    pool: ThreadPoolExecutor
    defects: list[str] = field(default_factory=list)

    def try_role(self, role: str) -> list[Verdict]:
        """Return the verdict of each mutant of a role, in the role's order."""
        project = self.runner.project
        basis = project.basis(role)
        mutants = self.choice.wanted(project, role)
        kept = {} if self.choice.is_again or self.choice.scenarios else self.shelf.read(mutants, basis)
        left = [mutant for mutant in mutants if mutant not in kept]
        say(f"{role}: {len(mutants)} mutants, {len(kept)} verdicts kept from earlier runs")
        self.shelf.tidy(role, project.mutants(role))
        if not left:
            self.defects.extend(self.shelf.read_defects(role, basis))
            return [kept[mutant] for mutant in mutants]
        trial, ran = self._prepared(role, basis)
        for mutant, verdict in kept.items():
            if verdict.finding and mutant.is_out_of_reach(ran):
                raise ToolError(f"{mutant} was caught once, and now no scenario runs the task. Try it --again.")
        kept |= self._out_of_reach(left, ran, basis)
        left = [mutant for mutant in left if mutant not in kept]
        futures = [self.pool.submit(self._try, trial, mutant, number, basis) for number, mutant in enumerate(left)]
        for number, verdict in enumerate(finished(futures), 1):
            say(render_progress(verdict, number, len(left)))
        tried = {future.result().mutant: future.result() for future in futures}
        return [(kept | tried)[mutant] for mutant in mutants]

    def _out_of_reach(self, mutants: Sequence[Mutant], ran: Collection[str], basis: Basis) -> dict[Mutant, Verdict]:
        """Return the verdicts of mutants that cannot be caught, since no step of any scenario runs their task."""
        verdicts = {mutant: Verdict(mutant, None, 0.0) for mutant in mutants if mutant.is_out_of_reach(ran)}
        for verdict in verdicts.values():
            say(f"{verdict.mutant} -> SURVIVED, no scenario runs the task")
            if not self.choice.scenarios:
                self.shelf.write(verdict, basis)
        return verdicts

    def _prepared(self, role: str, basis: Basis) -> tuple[Trial, set[str]]:
        """Return what a role's mutants are tried with, once the role itself has passed, and which of its tasks that has run."""
        say(f"{role}: making what its mutants start from")
        scratch = self.scratch / role
        witness = Witness(self.runner.project, self.runner.stop)
        looks = [
            partial(prepare, self.machines, witness, role, scenario, scratch / f"prepare-{scenario}")
            for scenario in self.choice.scenarios or self.runner.project.scenarios(role)
        ]
        grounds = {ground.scenario: ground for ground in self._side_by_side(looks)}
        place = Place(self.runner.project.folder / "roles", scratch / "control")
        trial = Trial(self.machines, witness, role, place, grounds)
        missed = control(trial, self._side_by_side)
        defects = [f"role {role} itself does not pass '{one.step}': {one.kind} {one.proof}" for one in missed]
        for defect in defects:
            say(f"{defect}; that step counts for nothing here")
        if not self.choice.scenarios:
            self.shelf.write_defects(role, basis, defects)
        self.defects.extend(defects)
        ran = {task.removeprefix(f"{role} : ") for task in witness.ran if task.startswith(f"{role} : ")}
        return replace(trial, runner=self.runner, skipped=frozenset(finding.step for finding in missed)), ran

    def _side_by_side(self, looks: Sequence[Callable[[], T]]) -> list[T]:
        futures = [self.pool.submit(look) for look in looks]
        list(finished(futures))
        return [future.result() for future in futures]

    def _try(self, trial: Trial, mutant: Mutant, number: int, basis: Basis) -> Verdict:
        """Try one mutant in a folder of its own."""
        folder = self.scratch / mutant.role / str(number)
        started = time.monotonic()
        roles = write_mutant(self.runner.project, mutant, folder / "roles")
        place = Place(roles, folder / "scratch", settings_are_judged=mutant.cannot_be_refused)
        finding = replace(trial, place=place).try_mutant(mutant)
        verdict = Verdict(mutant, finding, time.monotonic() - started)
        if not self.choice.scenarios:
            self.shelf.write(verdict, basis)
        shutil.rmtree(folder)
        return verdict


def finished(futures: Sequence[Future[T]]) -> Iterator[T]:
    """Yield results as they come; the first error cancels what has not begun."""
    try:
        for future in as_completed(futures):
            yield future.result()
    finally:
        for future in futures:
            future.cancel()


def main(arguments: Sequence[str] | None = None) -> int:
    """Parse, mutate, print the table and return the exit code."""
    chosen = parse(arguments)
    choice = Choice(tuple(chosen.roles), tuple(chosen.scenario or ()), chosen.only, chosen.jobs, chosen.again)
    FOLDER.mkdir(parents=True, exist_ok=True)
    try:
        with alone(FOLDER / "lock") as scratch:
            project = copy_project(scratch / "project")
            roles = choice.roles or tuple(project.roles())
            unknown = sorted(set(roles) - set(project.roles()))
            if unknown:
                raise ToolError(f"No role of a server: {', '.join(unknown)}. There are {', '.join(project.roles())}.")
            if chosen.list:
                say("\n".join(str(mutant) for role in roles for mutant in choice.wanted(project, role)))
                return 0
            if chosen.table:
                return show_kept(choice, project, roles)
            verdicts, defects = run(choice, project, roles, scratch)
    except (ToolError, ValueError) as error:
        say(f"mutation: {error}", sys.stderr)
        return 2
    except BlockingIOError:
        say("mutation: another run is at work in this tree.", sys.stderr)
        return 3
    except StoppedError as error:
        say(f"mutation: {error.args[0]} Start it again to go on; what was tried is kept.", sys.stderr)
        return 5
    if chosen.json:
        chosen.json.write_text(json.dumps([verdict.as_json() for verdict in verdicts], indent=2) + "\n")
    return report(verdicts, () if choice.only else roles, defects)


def run(choice: Choice, project: Project, roles: Sequence[str], scratch: Path) -> tuple[list[Verdict], list[str]]:
    """Return a verdict on every mutant of these roles, and what the roles themselves do not pass.

    Whatever happens, no machine and no image is left.
    """
    if os.geteuid() != 0:
        raise ToolError("Machines need root: use sudo.")
    stop = StopFlag()
    machines = Machines(TREE)
    machines.remove_all()
    pool = ThreadPoolExecutor(choice.jobs)
    session = Session(choice, machines, Runner(project, stop), Shelf(), scratch, pool)
    with catch_signals(stop):
        try:
            return [verdict for role in roles for verdict in session.try_role(role)], session.defects
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
            machines.remove_all()


def show_kept(choice: Choice, project: Project, roles: Sequence[str]) -> int:
    """Print the table of the verdicts that earlier runs left, try nothing, and return the exit code."""
    shelf, verdicts, untried, defects = Shelf(), list[Verdict](), list[Mutant](), list[str]()
    for role in roles:
        mutants, basis = choice.wanted(project, role), project.basis(role)
        kept = shelf.read(mutants, basis)
        verdicts += [kept[mutant] for mutant in mutants if mutant in kept]
        untried += [mutant for mutant in mutants if mutant not in kept]
        defects += shelf.read_defects(role, basis)
    whole = () if choice.only else set(roles) - {mutant.role for mutant in untried}
    return report(verdicts, whole, defects, untried)


def report(
    verdicts: Sequence[Verdict], whole_roles: Collection[str], defects: Sequence[str], untried: Sequence[Mutant] = ()
) -> int:
    """Print the table and what is wrong with the list of survivors; return the exit code."""
    reasons = read_reasons()
    say("\n" + render(verdicts, reasons, untried))
    wrong = [*defects, *problems(verdicts, reasons, whole_roles)]
    for problem in wrong:
        say(f"mutation: {problem}", sys.stderr)
    return 1 if wrong or untried else 0


@contextmanager
def alone(lock: Path) -> Iterator[Path]:
    """Keep other runs in this tree away and hand out an empty scratch folder. Raises BlockingIOError."""
    with lock.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        scratch = lock.with_name("run")
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir()
        try:
            yield scratch
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    """Return the parsed command line."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutation", description="Mutate the roles; see what notices.")
    parser.add_argument("roles", nargs="*", metavar="ROLE", help="all roles of a server when none is named")
    parser.add_argument(
        "--scenario", action="append", choices=SCENARIOS, help="only this scenario's variables; keeps no verdict"
    )
    parser.add_argument("--only", default="", metavar="TEXT", help="only mutants whose line in --list has this text")
    parser.add_argument("--jobs", type=int, default=JOBS, help=f"mutants at a time (default {JOBS})")
    parser.add_argument("--again", action="store_true", help="try again what has a verdict from an earlier run")
    parser.add_argument("--list", action="store_true", help="print the mutants and try none")
    parser.add_argument("--table", action="store_true", help="print what earlier runs came to and try nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the verdicts as JSON too")
    return parser.parse_args(arguments)


def say(text: str, stream: TextIO | None = None) -> None:
    """Print a line at once."""
    print(text, file=stream or sys.stdout, flush=True)


if __name__ == "__main__":
    sys.exit(main())
