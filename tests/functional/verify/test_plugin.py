"""Plain pytest with servers that --hosts names: what a suite's own hooks and marks see of the tests being learnt."""

import os
import subprocess
import sys
from pathlib import Path

from tests.doubles.sshd import in_folder, reach, sshd

CONFTEST = """
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    with open("reported", "a") as file:
        print(item.name.partition("[")[0], call.when, call.excinfo and call.excinfo.typename, file=file)
    return (yield)
"""
SPECS = """
import pytest

def test_passes(host):
    assert host.file("state").content_string == "good"
    assert host.file("other").exists

def test_fails(host):
    assert host.file("state").content_string == "bad"

@pytest.mark.skip(reason="not here")
def test_skipped(host):
    host.run("touch skipped")
"""


def test_hooks_of_a_suite_see_each_test_once_and_what_is_skipped_is_not_run(tmp_path: Path) -> None:
    server, specs = tmp_path / "server", tmp_path / "specs"
    server.mkdir()
    specs.mkdir()
    (server / "state").write_text("good")
    (server / "other").touch()
    (specs / "conftest.py").write_text(CONFTEST)
    (specs / "test_it.py").write_text(SPECS)
    with sshd(in_folder(server)) as port:
        (tmp_path / "known_hosts").write_text(reach(port).known_hosts)
        (tmp_path / "config").write_text(f"Host *\n  UserKnownHostsFile {tmp_path / 'known_hosts'}\n")
        done = subprocess.run(
            [sys.executable, "-m", "pytest", str(specs), "-c", "/dev/null", "-q", "-p", "no:cacheprovider",
             f"--hosts=goldfleet://admin@127.0.0.1:{port}", f"--ssh-config={tmp_path / 'config'}"],
            cwd=tmp_path, env=dict(os.environ), capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert "1 failed, 1 passed, 1 skipped" in done.stdout, done.stdout + done.stderr
    assert (tmp_path / "reported").read_text().splitlines() == [
        "test_passes setup None",
        "test_passes call None",
        "test_passes teardown None",
        "test_fails setup None",
        "test_fails call AssertionError",
        "test_fails teardown None",
        "test_skipped setup Skipped",
        "test_skipped teardown None",
    ]
    assert not (server / "skipped").exists()
