"""A real pytest with real testinfra, and servers that speak SSH on loopback, each with files of its own in a folder."""

import dataclasses
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path

import asyncssh
import pytest

from goldfleet.stop import StopFlag
from goldfleet.transport.model import Limits, SshHost
from goldfleet.verify.job import Job, JobResults, ServerChecks
from goldfleet.verify.job_process import JobProcess, Specs
from goldfleet.verify.model import CheckOutcome
from tests.doubles.sshd import Process, in_folder, reach, sshd

HASTE = Limits(connect_seconds=5, question_seconds=5, silence_seconds=2)

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

OWN_ADDRESS = """
def test_own(host):
    address = host.file("address").content_string
    assert host.run(f"python3 -c \'open(\\"asked\\", \\"a\\").write(\\"{address} \\")\'").rc == 0
"""
COMPARISONS = """
class Word(str):
    pass

def test_lists(host): assert [1, 2] == [1, 3]
def test_words(host): assert Word("a") == Word("b")
"""
COMPARISONS_CONFTEST = """
def pytest_assertrepr_compare(op, left, right):
    return ["the word is another one"] if type(left).__name__ == "Word" else None
"""
# The suite that is judged, not tests of this file: none of these is skipped, each must come to what pytest makes of it.
EVERY_END = """
import unittest, pytest

def test_passes(host): assert host.file("state").exists
def test_fails(host): assert host.file("nowhere").exists, "nginx is not there"
def test_raises(host): raise ValueError("what")
@pytest.mark.skip(reason="not here")
def test_skipped(host): host.run("touch skipped")
@pytest.mark.skipif("True", reason="never")
def test_skipped_if(host): pass
def test_skips(host): pytest.skip("not today")
@pytest.mark.xfail(reason="known")
def test_expected(host): assert not host.file("state").exists
@pytest.mark.xfail(strict=True)
def test_unexpected(host): assert host.file("state").exists
def test_expects(host): pytest.xfail("so it is")
@pytest.fixture
def broken(host): host.check_output("exit 3")
def test_error(broken): pass
@pytest.fixture
def untidy(host):
    yield
    assert not host.file("state").exists, "left behind"
def test_untidy(untidy): pass
def test_exits(host): pytest.fail("told to")
class TestClass:
    @pytest.mark.parametrize("name", ["a-b", "c"])
    def test_method(self, host, name): assert host.file("state").exists
class TestOld(unittest.TestCase):
    def test_without_a_server(self): self.assertTrue(True)
    def test_unequal(self): self.assertEqual(1, 2)
    def test_left_out(self): raise unittest.SkipTest("not with this")
def test_parts(host, subtests):
    for name in ("state", "nowhere"):
        with subtests.test(name):
            assert host.file(name).exists
"""

CONFTEST = """
import pytest

@pytest.fixture
def soft(request):
    request.node.soft = []
    yield request.node.soft
    assert request.node.report.when == "call"

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    with open("seen", "a") as file:
        print(call.excinfo and call.excinfo.typename, file=file)
    report = yield
    if call.when == "call":
        item.report = report
        if getattr(item, "soft", []):
            report.outcome, report.longrepr = "failed", item.soft[0]
    return report
"""

ODD_ITEM = """
import pytest

class Item(pytest.Item):
    def runtest(self): pass
class File(pytest.File):
    def collect(self): yield Item.from_parent(self, name="odd")
def pytest_collect_file(parent, file_path):
    if file_path.suffix == ".odd":
        return File.from_parent(parent, path=file_path)
"""

UNEXPECTED = "CommandResult(exit_status=3, command=b'exit 3', _stdout=b'', _stderr=b'')"

PITFALLS = """
import functools, pytest

@functools.cache
def state(host): return host.file("state").content_string
def test_by_cache(host): assert state(host) == "good"
def test_by_cache_again(host): assert state(host) == "good"

@pytest.fixture(scope="module")
def shared(host): return host.file("state").content_string
def test_by_fixture(shared): assert shared == "good"
def test_by_fixture_again(shared): assert shared == "good"

@pytest.fixture(scope="module")
def asked_late(request): return request.getfixturevalue("shared")
def test_by_request(host, asked_late): assert asked_late == "good"

class TestClass:
    @pytest.fixture(autouse=True)
    def state(self, host): self.seen = host.file("state").content_string
    def test_by_class(self): assert self.seen == "good"

kept = {}
def test_by_name(host):
    name = host.backend.get_hostname()
    kept.setdefault(name, host.file("state").content_string)
    assert kept[name] == "good"
class TestKeeps:
    seen = None
    def test_by_instance(self, host):
        self.seen = self.seen or host.file("state").content_string
        assert self.seen == "good"
def test_by_mark(host, request):
    if host.file("state").content_string == "good":
        request.applymarker(pytest.mark.xfail(reason="known of good ones"))
        assert False
    assert host.file("state").content_string == "good"
def test_swallowing(host):
    try:
        seen = host.file("state").content_string
    except BaseException:
        seen = "good"
    assert seen == "good"
def test_by_alias(host):
    name = host.backend.server
    kept.setdefault(name, host.file("state").content_string)
    assert kept[name] == "good"
def test_in_turn(host):
    assert host.file("state").content_string == "good" or host.file("excuse").exists
def test_loop(host):
    assert all(host.file(f"part{number}").exists for number in range(int(host.file("parts").content_string)))
"""


WITHOUT_NAMES = PITFALLS.replace("test_by_name", "no").replace("test_by_alias", "none")


class Fleet:
    """Servers with folders, and a project with specs."""

    def __init__(self, folder: Path, servers: ExitStack) -> None:
        self.folder = folder
        self._servers = servers
        self.hosts: dict[str, SshHost] = {}
        self.stop = StopFlag()
        self.lines: list[str] = []
        (folder / "specs").mkdir()
        (folder / "pytest.ini").write_text("[pytest]\naddopts = --no-such-option\n")

    def start(self, name: str, files: Mapping[str, str] | None = None) -> Path:
        """Start a server whose folder has these files; return the folder."""
        folder = self.folder / name
        folder.mkdir()
        for file, text in (files or {"state": "good"}).items():
            (folder / file).write_text(text)
        address = f"127.0.0.{10 + len(self.hosts)}"
        port = self._servers.enter_context(sshd(in_folder(folder), address=address))
        self.hosts[name] = reach(port, address=address)
        return folder

    def start_other(self, name: str, session: object) -> None:
        """Start a server whose sessions do something else."""
        self.hosts[name] = reach(self._servers.enter_context(sshd(session)))  # type: ignore[arg-type]

    def run(self, specs: str, *, marker: str = "", seconds: int = 60, **options: bool) -> JobResults:
        """Run specs on all servers."""
        (self.folder / "specs" / "test_it.py").write_text(specs)
        wanted = Specs(self.folder / "specs", self.folder, {"x": 1}, marker=marker, timeout_seconds=seconds)
        job = Job(
            self.hosts,
            limits=HASTE,
            is_shared=options.get("shared", True),
            is_proven=options.get("proven", False),
            fails_fast=options.get("fast", False),
        )
        environment = {**os.environ, "PYTEST_ADDOPTS": "--broken"}
        return JobProcess(environment, self.stop).run(job, wanted, self.lines.append)


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    with ExitStack() as servers:
        yield Fleet(tmp_path, servers)


def outcomes(checks: ServerChecks) -> dict[str, str]:
    """Return how each check ended, by name."""
    return {check.name: check.outcome.value for check in checks.checks}


def evaluated(results: JobResults) -> int:
    """Return how often a test was run."""
    assert results.spent is not None, results.failure
    return results.spent.evaluated


def test_good_server_is_good_whatever_the_settings_around_say(fleet: Fleet) -> None:
    fleet.start("a")
    assert outcomes(fleet.run(GOOD).servers["a"]) == {
        "test_it::test_folder[/etc]": "passed",
        "test_it::test_folder[/usr]": "passed",
        "test_it::test_variable": "passed",
        "test_it::test_environment_of_its_own": "passed",
    }


def test_every_way_in_which_a_test_ends_is_told_as_pytest_tells_it(fleet: Fleet) -> None:
    folder = fleet.start("a")
    checks = {check.name.removeprefix("test_it::"): check for check in fleet.run(EVERY_END).servers["a"].checks}
    told = {name: (check.outcome.value, check.message.splitlines()[:1]) for name, check in checks.items()}
    assert told == {
        "test_passes": ("passed", []),
        "test_fails": ("failed", ["AssertionError: nginx is not there"]),
        "test_raises": ("failed", ["ValueError: what"]),
        "test_skipped": ("skipped", ["not here"]),
        "test_skipped_if": ("skipped", ["never"]),
        "test_skips": ("skipped", ["not today"]),
        "test_expected": ("skipped", ["expected to fail: known"]),
        "test_unexpected": ("failed", ["[XPASS(strict)] "]),
        "test_expects": ("skipped", ["expected to fail: so it is"]),
        "test_error": ("error", ["failed on setup with AssertionError: Unexpected exit code 3 for " + UNEXPECTED]),
        "test_untidy": ("error", ["failed on teardown with AssertionError: left behind"]),
        "test_exits": ("failed", ["Failed: told to"]),
        "TestClass::test_method[a-b]": ("passed", []),
        "TestClass::test_method[c]": ("passed", []),
        "TestOld::test_without_a_server": ("passed", []),
        "TestOld::test_unequal": ("failed", ["AssertionError: 1 != 2"]),
        "TestOld::test_left_out": ("skipped", ["not with this"]),
        "test_parts": ("failed", ["a subtest failed: AssertionError: assert False"]),
    }
    assert "def test_fails(host)" in checks["test_fails"].detail
    assert not (folder / "skipped").exists()


def test_failed_comparison_says_how_both_sides_differ_in_the_suites_own_words_too(fleet: Fleet) -> None:
    fleet.start("a")
    (fleet.folder / "specs" / "conftest.py").write_text(COMPARISONS_CONFTEST)
    checks = {check.name: check for check in fleet.run(COMPARISONS).servers["a"].checks}
    assert "At index 1 diff: 2 != 3" in checks["test_it::test_lists"].detail
    assert "At index 1 diff: 2 != 3" in checks["test_it::test_lists"].message
    assert "the word is another one" in checks["test_it::test_words"].message


def test_command_with_a_servers_own_address_is_asked_of_that_server_alone(fleet: Fleet) -> None:
    folders = {name: fleet.start(name, {"address": f"127.0.0.{10 + number}"}) for number, name in enumerate("abc")}
    found = fleet.run(OWN_ADDRESS)
    assert {name: outcomes(one)["test_it::test_own"] for name, one in found.servers.items()} == dict.fromkeys(
        "abc", "passed"
    )
    for folder in folders.values():
        own = (folder / "address").read_text()
        assert set((folder / "asked").read_text().split()) == {own}


def test_test_is_run_once_for_servers_that_answer_alike(fleet: Fleet) -> None:
    for name in "abcde":
        fleet.start(name)
    alike = evaluated(fleet.run(WITHOUT_NAMES))
    fleet.hosts.pop("e")
    assert evaluated(fleet.run(WITHOUT_NAMES)) == alike


def test_verdicts_are_the_same_shared_or_not_whatever_a_test_keeps_to_itself(fleet: Fleet) -> None:
    fleet.start("a", {"state": "good", "parts": "0"})
    fleet.start("b", {"state": "bad", "parts": "2", "part0": "", "part1": ""})
    fleet.start("c", {"state": "good", "parts": "0"})
    fleet.start("d", {"state": "bad", "parts": "2", "excuse": "", "part0": ""})
    fleet.start("e", {"state": "good"})
    shared, alone = fleet.run(PITFALLS, proven=True), fleet.run(PITFALLS, shared=False)
    assert {name: outcomes(one) for name, one in shared.servers.items()} == {
        name: outcomes(one) for name, one in alone.servers.items()
    }
    assert shared.differing == ()
    good = outcomes(shared.servers["a"])
    ends = {name: outcomes(shared.servers[name]).items() for name in "abcde"}
    bad = {
        name: {test.removeprefix("test_it::") for test, end in some if end in ("failed", "error")}
        for name, some in ends.items()
    }
    by_state = {name.removeprefix("test_it::") for name in good} - {"test_in_turn", "test_loop"}
    assert bad == {
        "a": set(),
        "b": {*by_state, "test_in_turn"},
        "c": set(),
        "d": {*by_state, "test_loop"},
        "e": {"test_loop"},
    }
    assert any("commands were not foreseen on" in remark for remark in shared.remarks)


def test_hooks_that_judge_in_reports_are_asked_right_after_each_part(fleet: Fleet) -> None:
    fleet.start("a")
    (fleet.folder / "specs" / "conftest.py").write_text(CONFTEST)
    specs = """
def test_soft(host, soft):
    soft.append('off by one')
def test_hard(host):
    assert host.file('state').exists
"""
    checks = fleet.run(specs).servers["a"].checks
    assert [(check.name, check.outcome.value, check.message) for check in checks] == [
        ("test_it::test_soft", "failed", "off by one"),
        ("test_it::test_hard", "passed", ""),
    ]
    assert set((fleet.folder / "seen").read_text().splitlines()) == {
        "None"
    }  # runs that ended early are nobody's business


def test_tests_of_one_name_in_two_folders_are_told_apart(fleet: Fleet) -> None:
    fleet.start("a")
    for folder in ("one", "two"):
        (fleet.folder / "specs" / folder).mkdir()
        (fleet.folder / "specs" / folder / "__init__.py").touch()
        (fleet.folder / "specs" / folder / "test_x.py").write_text("def test_y(host): pass\n")
    assert list(outcomes(fleet.run("").servers["a"])) == ["specs/one/test_x.py::test_y", "specs/two/test_x.py::test_y"]


def test_verdict_that_rests_on_something_else_is_found_when_it_is_to_be_proven(fleet: Fleet) -> None:
    for name in "abc":
        fleet.start(name)
    runs = (
        "runs = []\ndef test_first_only(host):\n    runs.append(host.file('state').exists)\n    assert len(runs) == 1\n"
    )
    results = fleet.run(runs, proven=True)
    assert [outcomes(results.servers[name]) for name in "abc"] == [{"test_it::test_first_only": "passed"}] * 3
    assert results.differing == tuple(
        f"{name}: test_it::test_first_only: passed was shared, by itself it is failed" for name in "abc"
    )


def test_test_that_asks_something_else_each_time_is_not_shared_and_that_is_said(fleet: Fleet) -> None:
    for name in "abc":
        fleet.start(name)
    asks = "import itertools\nturn = itertools.count()\ndef test_it(host):\n    host.file(f'{next(turn) % 2}').exists\n"
    results = fleet.run(asks, shared=False)
    assert results.remarks == ("not shared, since it asks something else each time: test_it::test_it",)
    assert {one.checks[0].outcome for one in results.servers.values()} == {CheckOutcome.PASSED}


def test_test_that_changes_its_server_or_is_live_is_run_once_on_each(fleet: Fleet) -> None:
    folders = [fleet.start(name) for name in "abc"]
    specs = """
import pytest
def test_changes(host):
    host.check_output("echo once >> changed")
    assert host.file("changed").content_string == "once\\n"
@pytest.mark.live
def test_live(host):
    assert host.check_output("cat /proc/sys/kernel/random/uuid") != host.check_output("cat /proc/sys/kernel/random/uuid")
"""
    results = fleet.run(specs)
    assert {end for one in results.servers.values() for end in outcomes(one).values()} == {"passed"}
    assert [(folder / "changed").read_text() for folder in folders] == ["once\n"] * 3
    assert results.remarks == (
        "changes its server, so it was run live, as if marked so: test_it::test_changes: echo once >> changed",
    )


def test_server_that_does_not_answer_is_one_trouble_and_the_others_are_judged(fleet: Fleet) -> None:
    with sshd(in_folder(None)) as closed:
        pass
    fleet.hosts["a"] = reach(closed)
    fleet.start("b")
    results = fleet.run(GOOD)
    assert results.servers["a"] == ServerChecks(
        trouble=f"connection refused: no sshd listens on port {closed} of 127.0.0.1"
    )
    assert set(outcomes(results.servers["b"]).values()) == {"passed"}


def test_server_that_goes_away_during_the_checks_is_in_trouble_and_not_failed(fleet: Fleet) -> None:
    async def once(process: Process) -> None:
        process.stdout.write(b"\0goldfleet-agent 1\n")
        await process.stdin.read(1)
        process.exit(1)

    fleet.start_other("a", once)
    fleet.start("b")
    results = fleet.run(GOOD)
    assert results.servers["a"].trouble.startswith("the session ended early")
    assert results.servers["a"].checks == ()
    assert set(outcomes(results.servers["b"]).values()) == {"passed"}


def test_server_that_goes_away_during_a_live_test_is_in_trouble_whatever_the_test_makes_of_it(fleet: Fleet) -> None:
    folder = fleet.start("a")
    live = """
import contextlib, pytest
@pytest.mark.live
def test_dies(host):
    with contextlib.suppress(BaseException):
        host.run('touch here; kill -9 $PPID')
"""
    results = fleet.run(live)
    assert (folder / "here").exists()
    assert "the session ended" in results.servers["a"].trouble


@pytest.mark.parametrize(
    ("specs", "marker", "told"),
    [
        ("", "", "No check was run"),
        (GOOD, "golden", " holds none that golden"),
        ("def test_(:", "", "could not be run (pytest's exit code 2)"),
        ("import nowhere_at_all", "", "nowhere_at_all"),
    ],
    ids=["no spec", "marker matches none", "syntax error", "import error"],
)
def test_specs_that_do_not_run_are_told_and_no_verdict(fleet: Fleet, specs: str, marker: str, told: str) -> None:
    fleet.start("a")
    results = fleet.run(specs, marker=marker)
    assert told in results.failure
    assert (results.servers, results.spent) == ({}, None)


def test_lines_of_pytest_that_know_nothing_of_a_job_are_left_out(fleet: Fleet) -> None:
    fleet.start("a")
    fleet.start("b")
    fleet.run(GOOD)
    assert fleet.lines == ["asked 2 servers 2 commands", "judged 1 of 2 servers", "judged 2 of 2 servers"]


def test_test_that_is_no_function_is_an_error_and_not_passed_over(fleet: Fleet) -> None:
    fleet.start("a")
    (fleet.folder / "specs" / "conftest.py").write_text(ODD_ITEM)
    (fleet.folder / "specs" / "test_it.odd").touch()
    assert outcomes(fleet.run(GOOD).servers["a"])["test_it.odd::odd"] == "error"


def test_marker_selects_checks(fleet: Fleet) -> None:
    fleet.start("a")
    specs = GOOD + "\n@pytest.mark.golden\ndef test_seal():\n    pass\n"
    assert outcomes(fleet.run(specs, marker="golden").servers["a"]) == {"test_it::test_seal": "passed"}


def test_time_that_is_over_is_told_and_what_was_found_counts(fleet: Fleet) -> None:
    for name in "ab":
        fleet.start(name)
    (fleet.folder / "b" / "state").write_text("slow")
    slow = "import time\ndef test_slow(host):\n    if host.file('state').content_string == 'slow':\n        time.sleep(60)\n"
    results = fleet.run(slow, seconds=8)
    assert "not done within 8 s" in results.failure
    assert {name: outcomes(one) for name, one in results.servers.items()} == {"a": {"test_it::test_slow": "passed"}}


def test_job_may_end_with_the_first_server_that_is_not_good(fleet: Fleet) -> None:
    fleet.start("a")
    fleet.start("b", {"state": "bad"})
    fleet.start("c")
    state = "def test_state(host):\n    assert host.file('state').content_string == 'good'\n"
    results = fleet.run(state, fast=True)
    assert {name: outcomes(one) for name, one in results.servers.items()} == {
        "a": {"test_it::test_state": "passed"},
        "b": {"test_it::test_state": "failed"},
    }
    assert results.spent is not None


def test_job_may_end_with_the_first_server_that_does_not_answer(fleet: Fleet) -> None:
    fleet.start("a")
    with sshd(in_folder(None)) as closed:
        pass
    fleet.hosts["b"] = reach(closed)
    assert list(fleet.run(GOOD, fast=True).servers) == ["b"]


def test_stop_ends_the_checks_and_is_no_failure(fleet: Fleet) -> None:
    fleet.start("a")
    fleet.stop.set("SIGINT")
    assert fleet.run("import time\ndef test_slow():\n    time.sleep(60)\n") == JobResults({})


def test_server_with_another_key_is_refused(fleet: Fleet) -> None:
    fleet.start("a")
    stranger = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    host = fleet.hosts["a"]
    fleet.hosts["a"] = dataclasses.replace(host, known_hosts=f"[{host.address}]:{host.port} {stranger}\n")
    assert (
        fleet.run(GOOD)
        .servers["a"]
        .trouble.startswith(f"the host key of {host.address} is none of those pinned for it")
    )
