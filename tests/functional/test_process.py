"""Real children: streaming, stopping, killing, and nobody left behind."""

import os
import signal
import sys
import threading
import time
from pathlib import Path

import pytest

from goldfleet.clock import SystemClock, wait_until
from goldfleet.process import Command, Ended, run_streaming
from goldfleet.stop import StopFlag

HANDLES_INT = "import signal, sys, time\nsignal.signal(signal.SIGINT, lambda *_: (print('cleaning'), sys.exit(3)))\n"
WAITS = "print('ready', flush=True)\ntime.sleep(60)\n"


def run_python(code: str, stop: StopFlag | None = None, grace_seconds: float = 5.0) -> tuple[Ended, list[str]]:
    lines: list[str] = []

    def on_line(line: str) -> None:
        lines.append(line)
        if line == "ready" and stop is not None:
            stop.set("SIGINT")

    command = Command([sys.executable, "-c", code], dict(os.environ), Path("/"), grace_seconds)
    return run_streaming(command, on_line, stop or StopFlag()), lines


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_both_streams_arrive_line_by_line_in_order() -> None:
    ended, lines = run_python("import sys\nfor n in range(3): print(n, flush=True); sys.stderr.write(f'e{n}\\n')")
    assert lines == ["0", "e0", "1", "e1", "2", "e2"]
    assert ended == Ended(0, was_stopped=False)


def test_lines_arrive_while_the_program_runs() -> None:
    stop = StopFlag()
    started = time.monotonic()
    ended, lines = run_python(HANDLES_INT + WAITS, stop)
    assert time.monotonic() - started < 30
    assert lines == ["ready", "cleaning"]
    assert ended == Ended(3, was_stopped=True)


def test_stop_reaches_the_whole_group() -> None:
    """Packer's outer process ignores SIGINT and waits for the inner one, which a terminal's Ctrl-C reaches too."""
    outer = (
        "import signal, subprocess, sys\n"
        "signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        f"sys.exit(subprocess.run([sys.executable, '-c', {HANDLES_INT + WAITS!r}]).returncode)\n"
    )
    ended, lines = run_python(outer, StopFlag())
    assert lines == ["ready", "cleaning"]
    assert ended == Ended(3, was_stopped=True)


def test_program_that_ignores_a_stop_is_killed_after_the_grace_time() -> None:
    code = "import signal, time\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\n" + WAITS
    ended, _ = run_python(code, StopFlag(), grace_seconds=0.2)
    assert ended.was_stopped
    assert ended.killed_by == "SIGKILL"


def test_program_that_is_killed_says_by_what_and_leaves_no_children() -> None:
    code = (
        "import os, signal, subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "print(child.pid, flush=True)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended, lines = run_python(code)
    assert (ended.killed_by, ended.was_stopped) == ("SIGKILL", False)
    child = int(lines[0])
    assert wait_until(lambda: None if is_alive(child) else True, SystemClock(), timeout_seconds=10)


def test_error_in_the_callback_stops_the_program_and_is_raised() -> None:
    def on_line(line: str) -> None:
        raise OSError(28, f"No space left on device for {line}")

    command = Command([sys.executable, "-c", HANDLES_INT + WAITS], dict(os.environ), Path("/"), 5)
    with pytest.raises(OSError, match="No space left"):
        run_streaming(command, on_line, StopFlag())


def test_program_that_does_not_exist_is_an_os_error() -> None:
    with pytest.raises(FileNotFoundError):
        run_streaming(Command(["/nowhere"], {}, Path("/"), 5), print, StopFlag())


def test_bytes_that_are_no_text_do_no_harm() -> None:
    _, lines = run_python("import sys\nsys.stdout.buffer.write(b'a\\xffb\\n')")
    assert lines == ["a\N{REPLACEMENT CHARACTER}b"]


def test_stop_from_another_thread_is_seen() -> None:
    stop = StopFlag()
    timer = threading.Timer(0.2, stop.set, [signal.SIGTERM.name])
    timer.start()
    command = Command(["sleep", "60"], dict(os.environ), Path("/"), 5)
    assert run_streaming(command, print, stop).was_stopped
    timer.join()
