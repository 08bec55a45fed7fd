"""A real pytest with real testinfra; in the place of ssh stands a program that runs the command right here."""

import os
import stat
from pathlib import Path

import pytest

from goldfleet.errors import StoppedError, VerificationError
from goldfleet.stop import StopFlag
from goldfleet.verify.model import CheckOutcome, HostResult, Verdict
from goldfleet.verify.reports import report_folder, verdict_document, write_report
from goldfleet.verify.testinfra_run import SpecRun, SpecRunner

LOCAL_SSH = '#!/bin/sh\nfor last; do :; done\nexec sh -c "$last"\n'
LOST_SSH = "#!/bin/sh\nexit 255\n"
SUDO = '#!/bin/sh\nwhile [ "${1#-}" != "$1" ]; do shift; done\nexec "$@"\n'

GOOD = """
import json, os, pytest

@pytest.fixture
def variables():
    with open(os.environ["GOLDFLEET_VARIABLES_FILE"]) as stream:
        return json.load(stream)

@pytest.mark.parametrize("path", ["/etc", "/usr"])
def test_folder(host, path):
    assert host.file(path).is_directory

def test_variable(variables):
    assert variables == {"x": 1}

def test_environment_of_its_own():
    assert "PYTEST_ADDOPTS" not in os.environ
"""
BROKEN = GOOD + "\ndef test_web_server(host):\n    assert host.file('/nowhere').exists, 'nginx is not there'\n"


class Bench:
    """A run folder with specs, and stand-ins for ssh and sudo on PATH."""

    def __init__(self, folder: Path, specs: str, ssh: str = LOCAL_SSH) -> None:
        self.folder = folder
        self.stop = StopFlag()
        self.lines: list[str] = []
        programs = folder / "bin"
        for path, text in ((programs / "ssh", ssh), (programs / "sudo", SUDO)):
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
            path.chmod(stat.S_IRWXU)
        (folder / "specs").mkdir()
        (folder / "specs" / "test_it.py").write_text(specs)
        (folder / "variables.json").write_text('{"x": 1}')
        (folder / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")
        self.environment = {**os.environ, "PATH": f"{programs}:{os.environ['PATH']}", "PYTEST_ADDOPTS": "--broken"}

    def run(self, *, marker: str = "", timeout_seconds: int = 60, probes: tuple[str, ...] = ()) -> HostResult:
        answers = list(probes)
        run = SpecRun(
            specs=self.folder / "specs",
            root=self.folder,
            host="10.0.0.1",
            user="admin",
            ssh_config=self.folder / "ssh_config",
            variables=self.folder / "variables.json",
            junit=self.folder / "junit.xml",
            marker=marker,
            timeout_seconds=timeout_seconds,
        )
        return SpecRunner(self.environment, self.stop).run(
            run, lambda: answers.pop(0) if answers else "", self.lines.append
        )


def test_good_host_is_good_whatever_the_settings_around_say(tmp_path: Path) -> None:
    result = Bench(tmp_path, GOOD).run()
    assert result.verdict == "good"
    assert [check.name for check in result.checks] == [
        "test_it::test_folder[/etc]",
        "test_it::test_folder[/usr]",
        "test_it::test_variable",
        "test_it::test_environment_of_its_own",
    ]


def test_failed_check_is_named_with_its_message(tmp_path: Path) -> None:
    result = Bench(tmp_path, BROKEN).run()
    assert result.verdict == "failed"
    (bad,) = result.bad
    assert bad.name == "test_it::test_web_server"
    assert "nginx is not there" in bad.message
    assert result.count(CheckOutcome.PASSED) == 4


def test_host_that_does_not_answer_is_unreachable_and_no_check_is_tried(tmp_path: Path) -> None:
    bench = Bench(tmp_path, GOOD)
    assert bench.run(probes=("Connection refused",)) == HostResult("10.0.0.1", unreachable="Connection refused")
    assert bench.lines == []


def test_host_that_goes_away_during_the_checks_is_unreachable_not_failed(tmp_path: Path) -> None:
    result = Bench(tmp_path, GOOD, ssh=LOST_SSH).run(probes=("", "Connection timed out"))
    assert result.verdict == "unreachable"
    assert result.unreachable == "lost during the checks: Connection timed out"


@pytest.mark.parametrize(
    ("specs", "marker", "told"),
    [
        ("", "", "No check was run"),
        (GOOD, "golden", "No check was run: .* holds none that golden"),
        ("def test_(:", "", r"could not be run \(pytest's exit code 2\)"),
        ("import nowhere_at_all", "", "nowhere_at_all"),
    ],
    ids=["no spec", "marker matches none", "syntax error", "import error"],
)
def test_specs_that_do_not_run_are_never_a_success(tmp_path: Path, specs: str, marker: str, told: str) -> None:
    with pytest.raises(VerificationError, match=told):
        Bench(tmp_path, specs).run(marker=marker)


def test_marker_selects_checks(tmp_path: Path) -> None:
    specs = GOOD + "\n@pytest.mark.golden\ndef test_seal():\n    pass\n"
    assert [check.name for check in Bench(tmp_path, specs).run(marker="golden").checks] == ["test_it::test_seal"]


def test_checks_that_take_too_long_are_ended(tmp_path: Path) -> None:
    slow = "import time\ndef test_slow():\n    time.sleep(60)\n"
    with pytest.raises(VerificationError, match="not done within 1 s"):
        Bench(tmp_path, slow).run(timeout_seconds=1)


def test_stop_ends_the_checks(tmp_path: Path) -> None:
    bench = Bench(tmp_path, "import time\ndef test_slow():\n    time.sleep(60)\n")
    bench.stop.set("SIGINT")
    with pytest.raises(StoppedError, match="Stopped by SIGINT during the checks"):
        bench.run()


def test_report_holds_every_check(tmp_path: Path) -> None:
    verdict = Verdict((Bench(tmp_path, BROKEN).run(),))
    path = write_report(verdict, report_folder(tmp_path, "run-1"))
    assert path == tmp_path / ".goldfleet" / "reports" / "run-1" / "report.json"
    document = verdict_document(verdict)
    assert (document["good"], document["passed"], document["failed"]) == (False, 4, 1)
    assert document["hosts"][0]["verdict"] == "failed"
    assert len(document["hosts"][0]["checks"]) == 5
    assert '"test_it::test_web_server"' in path.read_text()
