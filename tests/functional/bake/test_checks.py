"""What is done to a booted copy: in the place of ssh stands a program that writes down what it was asked."""

import os
import stat
from pathlib import Path

import pytest

from goldfleet.bake.checks import SshChecks
from goldfleet.bake.ports import Copy
from goldfleet.bake.run_folder import RunFolder
from goldfleet.config.settings import ImageSettings
from goldfleet.stop import StopFlag
from goldfleet.verify.model import HostResult
from tests.doubles.clock import VirtualClock

NOBODY = "127.0.0.99"
"""No sshd listens there, and none that did would have the pinned key."""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file into which the ssh on PATH writes its words."""
    program, file = tmp_path / "bin" / "ssh", tmp_path / "asked"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\necho "$@" >>{file}\n')
    program.chmod(stat.S_IRWXU)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    return file


def check(folder: Path) -> HostResult:
    """Wait for a login to a copy that nobody answers for, and check it."""
    run = RunFolder(folder / ".goldfleet" / "runs" / "run-1")
    (run.path / "specs").mkdir(parents=True)
    (run.path / "specs" / "test_it.py").write_text("def test_it(host):\n    assert host.file('/etc').is_directory\n")
    run.variables.write_text("{}")
    run.known_hosts.write_text(
        f"{NOBODY} ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f\n"
    )
    settings = ImageSettings(ssh_username="admin", specs="specs")
    checks = SshChecks(folder, settings, os.environ, VirtualClock(), StopFlag(), folder / "sockets")
    copy = Copy("ami-1", "i-1", NOBODY, run)
    checks.wait_for_login(copy, 10)
    return checks.verify(copy, lambda _line: None)


def test_shared_connection_of_the_waits_is_ended_with_the_checks(asked: Path, tmp_path: Path) -> None:
    check(tmp_path)
    assert asked.read_text().splitlines()[-1].endswith(f"-O exit {NOBODY}")


def test_copy_that_does_not_answer_is_unreachable_and_reported(asked: Path, tmp_path: Path) -> None:
    result = check(tmp_path)
    assert (result.verdict, result.host, result.checks) == ("unreachable", NOBODY, ())
    assert asked.exists()
    reports = tmp_path / ".goldfleet" / "reports" / "run-1"
    assert {file.name for file in reports.iterdir()} == {"junit.xml", "report.json"}
