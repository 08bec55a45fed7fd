"""What a run comes to: how output is read, what is wrong with the list of survivors, the table, and verdicts kept on disk."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.mutation.basis import Basis, digest_tests
from tests.mutation.findings import CONVERGE, SETTINGS, SPEC, Finding
from tests.mutation.machines import ToolError
from tests.mutation.mutants import Mutant, make_mutants
from tests.mutation.plays import first_failure, read_play, without_machine
from tests.mutation.results import Shelf, Verdict, problems, read_reasons
from tests.mutation.table import render

TASKS = {"tasks/main.yml": "- name: Write a file\n  a.b.template: {src: a, dest: /a, mode: '0644'}\n"}
DELETED, WIDENED, EMPTIED = make_mutants("base", TASKS)
CAUGHT = Finding(SPEC, "test_file", "default, specs")

OUTPUT = """
TASK [Apply the role] **********************************************************
changed: [server]

TASK [base : Write a file] *****************************************************
[ERROR]: Task failed: no such folder
fatal: [server]: FAILED! => {"changed": false}

RUNNING HANDLER [base : Reload] ************************************************
changed: [server] => (item=a)
""".splitlines()


def verdicts(*found: tuple[Mutant, Finding | None]) -> list[Verdict]:
    return [Verdict(mutant, finding, 1.0) for mutant, finding in found]


def test_failed_play_names_the_task() -> None:
    assert read_play(2, OUTPUT).failed_at == "base : Write a file"


def test_play_that_came_to_its_end_has_not_failed_whatever_it_printed() -> None:
    assert read_play(0, OUTPUT).failed_at == ""


def test_play_names_the_tasks_that_changed_something() -> None:
    assert read_play(0, OUTPUT).changed == ("Apply the role", "base : Reload")


def test_play_that_fails_without_a_word_still_fails() -> None:
    assert read_play(4, []).failed_at == "exit code 4"


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("FAILED tests/fleet/test_a.py::test_b[podman://m-1-x.y]", "test_b[x.y]"),
        ("FAILED tests/fleet/test_a.py::test_b[podman://m-1] - AssertionError: assert 1", "test_b"),
        ("ERROR tests/fleet/test_a.py::test_b[x-podman://m-1]", "test_b[x]"),
    ],
)
def test_first_failure_is_named_without_the_machine(line: str, name: str) -> None:
    assert without_machine(first_failure(1, ["..F", line, "FAILED tests/fleet/test_a.py::test_c"]), "m-1") == name


@pytest.mark.parametrize("code", [0, 5])
def test_tests_that_passed_or_were_not_chosen_are_no_failure(code: int) -> None:
    assert first_failure(code, []) == ""


@pytest.mark.parametrize("code", [1, 2, 3, 4, -9])
def test_tests_that_did_not_run_give_no_verdict(code: int) -> None:
    with pytest.raises(ToolError):
        first_failure(code, ["no such file"])


def test_survivor_without_a_reason_is_a_problem() -> None:
    (problem,) = problems(verdicts((DELETED, None), (WIDENED, CAUGHT)), {}, ["base"])
    assert "nobody has said why" in problem
    assert "deleted" in problem


def test_survivor_with_a_reason_is_none() -> None:
    assert problems(verdicts((DELETED, None)), {DELETED.key: "because"}, ["base"]) == []


def test_reason_for_what_is_caught_is_a_problem() -> None:
    (problem,) = problems(verdicts((DELETED, CAUGHT)), {DELETED.key: "because"}, ["base"])
    assert "caught now by test_file" in problem


@pytest.mark.parametrize(("roles", "count"), [(["base"], 1), ([], 0)])
def test_reason_for_what_is_no_mutant_is_a_problem_where_the_whole_role_was_tried(roles: list[str], count: int) -> None:
    assert len(problems([], {("base", "gone", "deleted"): "because"}, roles)) == count


@pytest.mark.parametrize(
    "text",
    [
        "- {role: a, task: b, mutation: c}",
        "- {role: a, task: b, mutation: c, reason: ''}",
        "- {role: a, task: b, mutation: c, reason: d, more: e}",
        "- {role: a, task: b, mutation: c, reason: d}\n- {role: a, task: b, mutation: c, reason: e}",
    ],
)
def test_list_of_survivors_that_is_not_whole_is_refused(text: str, tmp_path: Path) -> None:
    file = tmp_path / "survivors.yml"
    file.write_text(text)
    with pytest.raises(ValueError, match=r"survivors\.yml"):
        read_reasons(file)


def test_the_list_of_survivors_is_whole() -> None:
    assert all(reason for reason in read_reasons().values())


def test_table_counts_each_mutant_once_and_tells_the_reason() -> None:
    table = render(verdicts((DELETED, None), (WIDENED, CAUGHT), (EMPTIED, CAUGHT)), {DELETED.key: "the reason"})
    row = next(line for line in table.splitlines() if line.startswith("base"))
    assert row.split() == ["base", "1", "3", "0", "2", "0", "0", "1"]
    assert "the reason" in table


SCENARIOS = {"default": "nothing", "alternative": "everything"}
BASIS = Basis(how="how", scenarios=SCENARIOS, specs="specs", settings="settings", tests={"test_file": "its text"})
"""What the verdicts below rest on."""


@pytest.mark.parametrize("finding", [CAUGHT, None])
def test_verdict_is_kept_for_its_own_change(finding: Finding | None, tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "verdicts")
    shelf.write(Verdict(DELETED, finding, 2.0), BASIS)
    assert shelf.read([DELETED, WIDENED], BASIS) == {DELETED: Verdict(DELETED, finding, 0.0, was_kept=True)}
    assert shelf.read([replace(DELETED, content="another change")], BASIS) == {}


@pytest.mark.parametrize(
    ("finding", "changed", "holds"),
    [
        (CAUGHT, {"how": "edited"}, False),
        (CAUGHT, {"scenarios": SCENARIOS | {"default": "edited"}}, False),
        (CAUGHT, {"scenarios": SCENARIOS | {"alternative": "edited"}}, True),
        (
            replace(CAUGHT, step="default, then alternative"),
            {"scenarios": SCENARIOS | {"alternative": "edited"}},
            False,
        ),
        (CAUGHT, {"specs": "edited"}, True),
        (CAUGHT, {"settings": "edited"}, True),
        (CAUGHT, {"tests": {"test_file": "edited"}}, False),
        (CAUGHT, {"tests": {}}, False),
        (CAUGHT, {"tests": {"test_file": "its text", "test_new": "text"}}, True),
        (replace(CAUGHT, proof="test_file[a]"), {"specs": "edited"}, True),
        (replace(CAUGHT, proof="test_file[a]"), {"tests": {}}, False),
        (Finding(CONVERGE, "base : Write a file", "default, first run"), {"specs": "edited", "tests": {}}, True),
        (Finding(SETTINGS, "test_refused", "settings"), {"settings": "edited"}, False),
        (Finding(SETTINGS, "test_refused", "settings"), {"specs": "edited", "how": "edited"}, True),
        (None, {"specs": "edited"}, False),
        (None, {"settings": "edited"}, False),
        (None, {"how": "edited"}, False),
        (None, {"scenarios": SCENARIOS | {"php": "new"}}, False),
    ],
)
def test_verdict_holds_while_what_it_rests_on_is_the_same(
    finding: Finding | None, changed: dict[str, Any], holds: bool, tmp_path: Path
) -> None:
    shelf = Shelf(tmp_path)
    shelf.write(Verdict(DELETED, finding, 2.0), BASIS)
    assert bool(shelf.read([DELETED], replace(BASIS, **changed))) is holds


def test_what_is_no_mutant_any_more_is_forgotten(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    for mutant in (DELETED, WIDENED):
        shelf.write(Verdict(mutant, CAUGHT, 2.0), BASIS)
    shelf.write_defects("base", BASIS, ["it does not pass"])
    shelf.tidy("base", [DELETED])
    assert list(shelf.read([DELETED, WIDENED], BASIS)) == [DELETED]
    assert shelf.read_defects("base", BASIS) == ["it does not pass"]
    assert shelf.read_defects("base", replace(BASIS, specs="edited")) == []


SPECS = """
LIMIT = 3
OTHER = 4
@pytest.fixture
def server(host):
    return helper(host)
def helper(host):
    return host
def test_a(server):
    assert server == LIMIT
def test_b(host):
    assert host
"""


@pytest.mark.parametrize(
    ("edit", "changed"),
    [
        (("LIMIT = 3", "LIMIT = 5"), {"test_a"}),
        (("OTHER = 4", "OTHER = 5"), set()),
        (("    return host", "    return host.x"), {"test_a"}),
        (("assert host\n", "assert not host\n"), {"test_b"}),
        (("def test_b", "# a comment\ndef test_b"), set()),
    ],
)
def test_spec_rests_on_itself_and_on_all_that_it_names(edit: tuple[str, str], changed: set[str]) -> None:
    before, after = digest_tests(SPECS), digest_tests(SPECS.replace(*edit))
    assert before.keys() == after.keys() == {"test_a", "test_b"}
    assert {name for name in before if before[name] != after[name]} == changed


def test_mutants_without_a_verdict_are_counted() -> None:
    assert "no verdict yet: 2 of base" in render(verdicts((DELETED, None)), {}, [WIDENED, EMPTIED])
