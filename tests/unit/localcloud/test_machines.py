"""What the machines of a local cloud learn from the kernel."""

import subprocess
import sys
import threading

import pytest

from goldfleet.localcloud.machines import when_ended


def test_end_of_a_process_is_told_once_it_is_over() -> None:
    told = threading.Event()
    with subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE) as process:
        when_ended(process.pid, told.set)
        assert not told.wait(0.2)
        assert process.stdin is not None
        process.stdin.close()
        assert told.wait(10)


def test_process_that_is_gone_cannot_be_watched() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    with pytest.raises(ProcessLookupError):
        when_ended(process.pid, lambda: None)
