"""Plain pytest with servers that --hosts names: what a suite's own hooks and marks see of the tests being learnt."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.doubles.sshd import in_folder, reach, sshd

CHAIN = """
def test_chain(host):
    assert host.run("echo a").stdout == "a\\n"
    assert host.run("echo b").stdout == "b\\n"
    assert host.run("echo c").stdout == "c\\n"
"""
SUBTESTS = """
def test_parts(host, subtests):
    for word in ("a", "b", "c"):
        with subtests.test(word):
            assert host.run(f"echo {word}").stdout == "a\\n" or word == "b"
"""
CONFTEST = """
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    with open("reported", "a") as file:
        print(item.name.partition("[")[0], call.when, call.excinfo and call.excinfo.typename, file=file)
    return (yield)
"""
# What is skipped or expected to fail in these texts is a suite's that is judged, never this file's own.
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


def run(folder: Path, port: int, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the tests in `specs` for the server at a port."""
    (folder / "known_hosts").write_text(reach(port).known_hosts)
    (folder / "config").write_text(f"Host *\n  UserKnownHostsFile {folder / 'known_hosts'}\n")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "specs", "-c", "/dev/null", "--rootdir", str(folder), "-q", *options,
         f"--hosts=goldfleet://admin@127.0.0.1:{port}", f"--ssh-config={folder / 'config'}"],
        cwd=folder, env=dict(os.environ), capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


@pytest.mark.parametrize("spoilt", ["", "[]", '{"specs\\n\\n": {"a": 1}}', "no json"])
def test_what_tests_ask_is_asked_at_the_beginning_of_the_next_run(tmp_path: Path, spoilt: str) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "test_it.py").write_text(CHAIN)
    with sshd(in_folder(tmp_path)) as port:
        first = run(tmp_path, port)
        if spoilt:
            (kept,) = tmp_path.glob(".pytest_cache/v/goldfleet/plans")
            kept.write_text(spoilt)
        second = run(tmp_path, port)
        other = run(tmp_path, port, "-k", "chain")
    assert "in 3 rounds" in first.stdout, first.stdout + first.stderr
    assert ("in 3 rounds" if spoilt else "in 0 rounds") in second.stdout, second.stdout + second.stderr
    assert "in 3 rounds" in other.stdout
    assert "1 passed" in second.stdout


def test_subtests_are_told_once_and_not_while_they_are_learnt(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "test_it.py").write_text(SUBTESTS)
    with sshd(in_folder(tmp_path)) as port:
        done = run(tmp_path, port, "-p", "no:cacheprovider", f"--junitxml={tmp_path / 'junit.xml'}")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "NotYetAsked" not in done.stdout
    assert done.stdout.count("SUBFAILED") == 1
    assert "NotYetAsked" not in (tmp_path / "junit.xml").read_text()


def test_hooks_of_a_suite_see_each_test_once_and_what_is_skipped_is_not_run(tmp_path: Path) -> None:
    server, specs = tmp_path / "server", tmp_path / "specs"
    server.mkdir()
    specs.mkdir()
    (server / "state").write_text("good")
    (server / "other").touch()
    (specs / "conftest.py").write_text(CONFTEST)
    (specs / "test_it.py").write_text(SPECS)
    with sshd(in_folder(server)) as port:
        done = run(tmp_path, port, "-p", "no:cacheprovider")
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


def test_what_takes_long_to_load_is_not_loaded(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / "specs" / "test_it.py").write_text(
        "import sys\n\ndef test_loaded(host):\n    assert host.run('echo a').stdout == 'a\\n'\n"
        "    assert not {'boto3', 'botocore', 'pydantic', 'yaml'} & set(sys.modules)\n"
    )
    with sshd(in_folder(tmp_path)) as port:
        done = run(tmp_path, port)
    assert done.returncode == 0, done.stdout
