"""Runs the commands of a told demo, each in a process of its own, as a user would, and keeps what they cost.

Knows only what the commands print with --json, and where their progress goes. Neighbours: chapters, which says what is run.
"""

import json
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from goldfleet.demo.facts import Stage
from goldfleet.errors import GoldfleetError
from goldfleet.stop import StopFlag

GRACE_SECONDS = 180.0  # a bake lets Packer clean up for two minutes, and then cleans up itself
LAST_LINES = 15


@dataclass
class Story:
    """One telling: where it runs (project, environment), where its logs go, what has been measured so far."""

    project: Path
    logs: Path
    environment: dict[str, str]
    stop: StopFlag
    say: Callable[[str], None]
    stages: list[Stage] = field(default_factory=list)
    children: list["subprocess.Popen[str]"] = field(default_factory=list)

    @contextmanager
    def chapter(self, title: str) -> Iterator[None]:
        """Announce a step and keep when it began and ended."""
        self.stop.check()
        self.say(f"{title} ...")
        started = time.time()
        try:
            yield
        finally:
            self.stages.append(Stage(title, started, time.time()))
        self.say(f"{title}: {self.stages[-1].seconds:.1f} s")

    def goldfleet(self, *arguments: str, log_name: str, expected_code: int = 0) -> Any:
        """Run a goldfleet command with --json and return what it printed.

        Raises StoppedError when a stop was asked for, GoldfleetError with the command's own exit code when that is another.
        """
        printed = self.run((sys.executable, "-m", "goldfleet", *arguments, "--json"), log_name, expected_code)
        return json.loads(printed)

    def run(self, command: Sequence[str], log_name: str, expected_code: int = 0) -> str:
        """Run a command and return what it printed; its progress goes to a log, and its stage lines to the reader."""
        log = self.logs / f"{log_name}.log"
        with log.open("w") as stream:
            process = subprocess.Popen(
                command,
                env=self.environment,
                cwd=self.project,
                stdout=subprocess.PIPE,
                stderr=stream,
                stdin=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
            printed = self._wait(process, log)
        if process.returncode != expected_code:
            self.stop.check()
            raise step_failed(command, process.returncode, log, printed)
        return printed

    def start(self, *arguments: str) -> "subprocess.Popen[str]":
        """Start a Python program that runs beside the story; `close` ends it if nobody has."""
        process = subprocess.Popen(
            [sys.executable, *arguments], env=self.environment, cwd=self.project, stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL, text=True, start_new_session=True,
        )  # fmt: skip
        self.children.append(process)
        return process

    def close(self) -> None:
        """End what still runs beside the story."""
        for process in self.children:
            if process.poll() is None:
                process.kill()
            process.communicate()
        self.children.clear()

    def _wait(self, process: "subprocess.Popen[str]", log: Path) -> str:
        """Wait for a command, showing its stage lines; on a stop pass it on and give the command time to clean up."""
        shown, deadline = 0, float("inf")
        while True:
            try:
                return process.communicate(timeout=0.3)[0]
            except subprocess.TimeoutExpired:
                shown = show_progress(log, shown, self.say)
            if self.stop.is_set and deadline == float("inf"):
                self.say("stopping ...")
                process.terminate()
                deadline = time.monotonic() + GRACE_SECONDS
            if time.monotonic() > deadline:
                process.kill()


def show_progress(log: Path, shown: int, say: Callable[[str], None]) -> int:
    """Show the stage lines that came since `shown` lines; return how many lines have been seen."""
    lines = log.read_text(errors="replace").splitlines()
    for line in lines[shown:]:
        if line.startswith("==> ") and ":" in line:
            say(f"  {line.removeprefix('==> ')}")
    return len(lines)


def step_failed(command: Sequence[str], code: int, log: Path, printed: str) -> GoldfleetError:
    """Return the error of a step: the command, its exit code and the end of what it said."""
    said = log.read_text(errors="replace").splitlines() or printed.splitlines()
    tail = "\n".join(said[-LAST_LINES:])
    words = shlex.join(word for word in command if word not in (sys.executable, "-m"))
    error = GoldfleetError(f"`{words}` exited with {code}:\n{tail}", f"See {log}.")
    error.exit_code = code
    return error
