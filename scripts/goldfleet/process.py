"""Run a program in a process group of its own, stream its output, stop it in an orderly way.

The only place that starts long-running children. A stop is passed on once, as SIGINT to the whole group, which is what
a terminal's Ctrl-C does; whoever has not ended after the grace time is killed, with everything it started.
"""

import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from goldfleet.stop import StopFlag

POLL_SECONDS = 0.05
READER_GRACE_SECONDS = 2.0


@dataclass(frozen=True)
class Command:
    """What to run, where, with which environment, and how long it may take to end after a stop."""

    arguments: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    grace_seconds: float = 120.0


@dataclass(frozen=True)
class Ended:
    """How a program ended: its exit code (minus the signal's number when a signal killed it), and whether it was
    asked to stop.
    """

    code: int
    was_stopped: bool

    @property
    def killed_by(self) -> str:
        """Return the name of the signal that killed the program, or ""."""
        return signal.Signals(-self.code).name if self.code < 0 else ""


class _Reader(threading.Thread):
    """Hands each line to a callback; keeps the callback's error for the thread that waits."""

    def __init__(self, stream: IO[bytes], on_line: Callable[[str], None]) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self._on_line = on_line
        self.error: Exception | None = None

    def run(self) -> None:
        """Read until the stream ends."""
        with suppress(ValueError):  # the stream was closed by the thread that waits
            for raw in self._stream:
                self._hand_on(raw.decode("utf-8", "replace").rstrip("\r\n"))

    def _hand_on(self, line: str) -> None:
        """Pass a line on; after an error keep reading, so that the program does not block on a full pipe."""
        if self.error is not None:
            return
        try:
            self._on_line(line)
        except Exception as error:  # noqa: BLE001 - carried to the waiting thread, which raises it
            self.error = error


def run_streaming(command: Command, on_line: Callable[[str], None], stop: StopFlag) -> Ended:
    """Run a program to its end and hand each line of its output (both streams, in order) to `on_line`.

    `on_line` is called from another thread. An error that it raises stops the program and is raised here.
    Raises OSError when the program cannot be started.
    """
    process = subprocess.Popen(
        list(command.arguments),
        env=dict(command.environment),
        cwd=command.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    if process.stdout is None:
        raise OSError("the program's output could not be opened")
    reader = _Reader(process.stdout, on_line)
    reader.start()
    try:
        was_stopped = _wait(process, reader, stop, command.grace_seconds)
    finally:
        _kill_group(process)
        reader.join(READER_GRACE_SECONDS)
    if reader.error is not None:
        raise reader.error
    return Ended(process.returncode, was_stopped)


def _wait(process: subprocess.Popen[bytes], reader: _Reader, stop: StopFlag, grace_seconds: float) -> bool:
    """Wait for the end; tell whether the program was asked to stop before."""
    while not _has_ended(process, POLL_SECONDS):
        if stop.is_set or reader.error is not None:
            _signal_group(process, signal.SIGINT)
            if not _has_ended(process, grace_seconds):
                _kill_group(process)
                process.wait()
            return True
    return False


def _has_ended(process: subprocess.Popen[bytes], seconds: float) -> bool:
    """Wait at most so many seconds; tell whether the program ended."""
    try:
        process.wait(seconds)
    except subprocess.TimeoutExpired:
        return False
    return True


def _kill_group(process: subprocess.Popen[bytes]) -> None:
    """Kill whatever is left of the program's group: a killed parent leaves children that go on working."""
    _signal_group(process, signal.SIGKILL)
    with suppress(subprocess.TimeoutExpired):
        process.wait(READER_GRACE_SECONDS)


def _signal_group(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to the program's group, which may be gone already."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)
