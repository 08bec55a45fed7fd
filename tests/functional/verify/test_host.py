"""One instance, with a real pytest; in the place of ssh stands a program that does what each test wants."""

import os
import stat
from pathlib import Path

import pytest

from goldfleet.aws.errors import ThingIsGoneError
from goldfleet.errors import StoppedError
from goldfleet.stop import StopFlag
from goldfleet.verify.host import HOST_KEY_SECONDS, LOGIN_SECONDS, HostChecks, Selection, SpecSettings, marker_for
from goldfleet.verify.model import HostResult
from goldfleet.verify.wanted import Wanted
from tests.doubles.clock import VirtualClock
from tests.doubles.machines import RunningMachines, machines_of

SPECS = """
import json, os, pytest

def test_variables(host):
    with open(os.environ["GOLDFLEET_VARIABLES_FILE"]) as stream:
        assert json.load(stream) == {"x": "then"}

@pytest.mark.golden
def test_golden(host):
    assert host.file("/etc").is_directory
"""
LOCAL = 'for last; do :; done\nexec sh -c "$last"\n'
SUDO = '#!/bin/sh\nwhile [ "${1#-}" != "$1" ]; do shift; done\nexec "$@"\n'
KEEP_KNOWN_HOSTS = 'while [ "$1" != -F ]; do shift; done\ncp "$(dirname "$2")/known_hosts" "$KEPT"\n'


def says(error: str) -> str:
    """Return an ssh that fails with these words."""
    return f"echo '{error}' >&2\nexit 255\n"


class ClockThatStops(VirtualClock):
    """Time passes at once, and a sleep ends with StoppedError when a stop was asked for."""

    def __init__(self, stop: StopFlag) -> None:
        super().__init__()
        self._stop = stop

    def sleep(self, seconds: float) -> None:
        self._stop.check()
        super().sleep(seconds)


class Bench:
    """A project with specs, and a stand-in for ssh on PATH."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch, ssh: str = LOCAL) -> None:
        self.folder = folder
        self.stop = StopFlag()
        self.clock = ClockThatStops(self.stop)
        self.lines: list[str] = []
        self.machines: RunningMachines = machines_of("i-1")
        programs = folder / "bin"
        programs.mkdir()
        for name, text in (("ssh", "#!/bin/sh\n" + ssh), ("sudo", SUDO)):
            (programs / name).write_text(text)
            (programs / name).chmod(stat.S_IRWXU)
        (folder / "specs").mkdir()
        (folder / "specs" / "test_it.py").write_text(SPECS)
        monkeypatch.setenv("PATH", f"{programs}:{os.environ['PATH']}")
        monkeypatch.setenv("KEPT", str(folder / "kept_known_hosts"))

    def check(self, *, is_golden: bool = True, selection: Selection | None = None) -> HostResult:
        settings = SpecSettings(
            project=self.folder,
            specs="specs",
            user="admin",
            private_key="",
            known_hosts=self.folder / "known_hosts",
            timeout_seconds=60,
            selection=selection or Selection(),
        )
        checks = HostChecks(settings, self.machines, self.clock, self.stop, os.environ)
        wanted = Wanted({"x": "then"}, is_golden, note="a note")
        instance = self.machines.known["i-1"]
        return checks.check(instance, wanted, self.folder / "i-1.xml", self.lines.append)


def test_good_host_is_proven_with_its_own_variables(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, monkeypatch)
    result = bench.check()
    assert [check.name for check in result.checks] == ["test_it::test_variables", "test_it::test_golden"]
    assert (result.verdict, result.note, result.instance_id, result.image_id) == ("good", "a note", "i-1", "ami-1")
    assert bench.lines[0] == "waiting for host keys and a login"
    assert (tmp_path / "i-1.xml").exists()


def test_golden_specs_are_left_out_where_no_bake_made_the_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [check.name for check in Bench(tmp_path, monkeypatch).check(is_golden=False).checks]
    assert names == ["test_it::test_variables"]


def test_keyword_chooses_checks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [check.name for check in Bench(tmp_path, monkeypatch).check(selection=Selection("", "golden")).checks]
    assert names == ["test_it::test_golden"]


def test_only_the_consoles_keys_are_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Bench(tmp_path, monkeypatch, KEEP_KNOWN_HOSTS + "exit 1\n").check()
    assert (tmp_path / "kept_known_hosts").read_text().startswith("10.0.0.1 ssh-ed25519 AAAA")


def test_keys_pinned_earlier_are_used_when_the_console_shows_none_any_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, monkeypatch, KEEP_KNOWN_HOSTS + "exit 1\n")
    bench.machines.silent = ("i-1",)
    (tmp_path / "known_hosts").write_text("10.0.0.1,i-1 ssh-ed25519 EARLIER\n10.0.0.1,i-0 ssh-ed25519 ANOTHER\n")
    bench.check()
    assert (tmp_path / "kept_known_hosts").read_text() == "10.0.0.1 ssh-ed25519 EARLIER\n"


def test_console_without_keys_is_unreachable_after_the_stated_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench = Bench(tmp_path, monkeypatch)
    bench.machines.silent = ("i-1",)
    result = bench.check()
    assert result.unreachable.startswith("no SSH host keys on its console within 120 s, and none pinned earlier")
    assert (bench.clock.seconds, result.checks) == (HOST_KEY_SECONDS, ())


@pytest.mark.parametrize(
    ("error", "told", "seconds"),
    [
        ("Host key verification failed.", "host key does not match the console's", 0.0),
        ("ssh: connect to host 10.0.0.1 port 22: Connection timed out", "SSH is closed", LOGIN_SECONDS),
        ("admin@10.0.0.1: Permission denied (publickey).", "login denied to user admin", LOGIN_SECONDS),
    ],
    ids=["host key", "closed", "denied"],
)
def test_host_without_a_login_is_one_verdict_and_no_check_is_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: str, told: str, seconds: float
) -> None:
    bench = Bench(tmp_path, monkeypatch, says(error))
    result = bench.check()
    assert result.unreachable.startswith(told)
    assert (result.verdict, result.checks, bench.clock.seconds) == ("unreachable", (), seconds)


def test_instance_that_does_not_run_is_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, monkeypatch)
    bench.machines = machines_of("i-1", state="stopped")
    assert bench.check().unreachable == "the instance is stopped"


def test_instance_that_ends_meanwhile_is_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, monkeypatch)
    bench.machines.faults = {"i-1": ThingIsGoneError("gone", code="InvalidInstanceID.NotFound")}
    assert bench.check().unreachable == "the instance does not exist any more"


def test_specs_that_cannot_be_run_are_told_and_no_success(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, monkeypatch)
    (tmp_path / "specs" / "test_it.py").write_text("def test_(:\n")
    result = bench.check()
    assert (result.verdict, result.is_good) == ("not checked", False)
    assert "could not be run (pytest's exit code 2)" in result.not_run


def test_report_of_an_earlier_run_is_not_taken_for_this_ones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, monkeypatch, says("Host key verification failed."))
    (tmp_path / "i-1.xml").write_text("<testsuites/>")
    bench.check()
    assert not (tmp_path / "i-1.xml").exists()


def test_stop_ends_the_wait(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(tmp_path, monkeypatch, says("ssh: connect to host 10.0.0.1 port 22: Connection timed out"))
    bench.stop.set("SIGINT")
    with pytest.raises(StoppedError, match="Stopped by SIGINT"):
        bench.check()


@pytest.mark.parametrize(
    ("marker", "is_golden", "expression"),
    [
        ("", True, ""),
        ("", False, "not golden"),
        ("slow", True, "slow"),
        ("slow or web", False, "(slow or web) and not golden"),
    ],
)
def test_marker_of_the_user_and_golden_go_together(marker: str, is_golden: bool, expression: str) -> None:
    assert marker_for(marker, is_golden=is_golden) == expression
