"""Runs a contender and says what it took; whatever it has started ends with it."""

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

GRACE_SECONDS = 15.0
_IGNORED = ("PYTHONDONTWRITEBYTECODE", "PYTEST_ADDOPTS", "PYTEST_PLUGINS")


@dataclass(frozen=True)
class Ran:
    """How a program ended, after how long, and what it said.

    `cpu_seconds` is its own processor time and that of every process that it has waited for. `was_late` says that it was
    ended because it took too long.
    """

    code: int
    seconds: float
    cpu_seconds: float
    output: str
    was_late: bool


def run(words: Sequence[str], folder: Path, longest: float) -> Ran:
    """Run a program for at most so many seconds. Python's bytecode is kept in the folder, as it would be elsewhere."""
    inherited = {name: value for name, value in os.environ.items() if name not in _IGNORED}
    environment = {**inherited, "PYTHONPYCACHEPREFIX": str(folder / "pycache")}
    with tempfile.TemporaryFile() as said:
        began = time.monotonic()
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=said, stderr=said, env=environment, start_new_session=True
        )
        late = threading.Event()

        def end() -> None:
            late.set()
            _signal(process.pid, signal.SIGTERM)

        timer = threading.Timer(longest, end)
        killer = threading.Timer(longest + GRACE_SECONDS, _signal, (process.pid, signal.SIGKILL))
        timer.start()
        killer.start()
        try:
            _, status, used = os.wait4(process.pid, 0)
        except BaseException:
            _end(process)
            raise
        finally:
            timer.cancel()
            killer.cancel()
        seconds = time.monotonic() - began
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        output = said.read().decode("utf-8", "replace")
    return Ran(process.returncode, seconds, used.ru_utime + used.ru_stime, output, late.is_set())


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program of which the bench, being ended itself, wants to know no more."""
    _signal(process.pid, signal.SIGTERM)
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        _signal(process.pid, signal.SIGKILL)
        process.wait()


def _signal(leader: int, number: int) -> None:
    """Tell a program and all that it has started."""
    with suppress(ProcessLookupError):
        os.killpg(leader, number)
