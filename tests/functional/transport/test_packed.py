"""A packed command, run here by /bin/sh as Run Command's agent does: its line says what the agent in a session says."""

import subprocess
from collections.abc import Mapping, Sequence

import pytest

from goldfleet.transport.model import Answer
from goldfleet.transport.packing import CutOffError, Packed, packed_command, read_packed
from tests.functional.transport.test_agent import ASKED, NATIVE, ask, by_shell, said, without_python

MOST = 24_000
__all__ = ["without_python"]  # a fixture

NOT_STEADY = ("cat /proc/self/comm", "echo $HOME", "ulimit -n", "head -c 300000 /dev/zero")
STEADY = [one for one in NATIVE + ASKED if one not in NOT_STEADY]
"""Questions whose answers are the same each time, and not too long."""


def run(
    questions: Sequence[str], expected: Mapping[str, Answer] | None = None, path: str = "", most: int = MOST
) -> str:
    """Return what the command says, as Run Command would keep it: standard output, cut off."""
    command = packed_command(questions, 20, expected or {}, most)
    done = subprocess.run(
        ["/bin/sh", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
        env={"PATH": path} if path else None,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout[:most]


def answers(packed: Packed, questions: Sequence[str]) -> dict[str, Answer]:
    return {questions[number]: answer for number, answer in packed.answers.items()}


def test_answers_are_those_of_a_session() -> None:
    found = answers(read_packed(run(STEADY), len(STEADY)), STEADY)
    assert {one: said(answer) for one, answer in found.items()} == {
        one: said(answer) for one, answer in zip(STEADY, ask(STEADY), strict=True)
    }


def test_answers_without_python_are_the_shells(without_python: str) -> None:
    questions = ["uname -s", "cat /etc/os-release", "exit 7", "echo a; echo b >&2; exit 3", "printf '\\377\\000\\n'"]
    found = answers(read_packed(run(questions, path=without_python), len(questions)), questions)
    assert {one: said(answer) for one, answer in found.items()} == {
        one: by_shell(one, without_python) for one in questions
    }


def test_what_is_expected_does_not_come_back() -> None:
    expected = dict(zip(STEADY, ask(STEADY), strict=True))
    line = run(STEADY, expected)
    packed = read_packed(line, len(STEADY))
    assert packed.same == frozenset(range(len(STEADY)))
    assert packed.answers == {}
    assert len(line) < 100


def test_what_is_not_as_expected_comes_back() -> None:
    questions = ["echo a", "echo b", "exit 3"]
    expected = {"echo a": Answer(0, b"a\n", b""), "echo b": Answer(0, b"c\n", b""), "exit 3": Answer(0, b"", b"")}
    packed = read_packed(run(questions, expected), 3)
    assert packed.same == {0}
    assert {one: said(answer) for one, answer in answers(packed, questions).items()} == {
        "echo b": (0, b"b\n", b""),
        "exit 3": (3, b"", b""),
    }


def test_largest_answers_are_left_out_until_the_line_is_short_enough() -> None:
    noise = "head -c {} /dev/urandom"
    questions = ["echo a", noise.format(40_000), noise.format(9_000), noise.format(9_001), noise.format(3_000)]
    line = run(questions)
    found = answers(read_packed(line, len(questions)), questions)
    assert len(line) <= MOST
    assert [found[one].killed for one in questions] == ["", "cut", "", "cut", ""]


def test_line_that_is_too_long_is_cut_off_where_there_is_no_python(without_python: str) -> None:
    line = run(["head -c 40000 /dev/urandom"], path=without_python)
    with pytest.raises(CutOffError):
        read_packed(line, 1)


def test_command_that_hangs_is_killed_and_the_others_are_answered() -> None:
    questions = ["echo a", "sleep 30", "echo b"]
    command = packed_command(questions, 0.5, {}, MOST)
    done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=True, timeout=20)
    found = answers(read_packed(done.stdout, 3), questions)
    assert [found[one].killed for one in questions] == ["", "late", ""]
