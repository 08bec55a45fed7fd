"""Verdicts are shared by servers that answered alike in all that a test looks at, and by no others."""

from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfleet.verify.specs.traces import Traces

QUESTIONS = 5
ANSWERS = st.lists(st.integers(0, 2), min_size=QUESTIONS, max_size=QUESTIONS)


def run(answers: Sequence[int], choices: Sequence[int]) -> tuple[str, list[tuple[int, int]]]:
    """A test whose next question rests on what it was told, as `choices` has it; its verdict names all that it saw."""
    asked: dict[int, int] = {}
    at = 0
    for step in range(3):
        if at in asked:
            break
        asked[at] = answers[at]
        at = choices[(at * 3 + answers[at] + step) % len(choices)]
    return repr(asked), list(asked.items())


@given(st.lists(ANSWERS, max_size=40), st.lists(st.integers(0, QUESTIONS - 1), min_size=1, max_size=9))
def test_found_verdict_is_the_one_that_a_run_comes_to(servers: list[list[int]], choices: list[int]) -> None:
    traces: Traces[str] = Traces()
    runs = 0
    for answers in servers:
        verdict, asked = run(answers, choices)
        found = traces.find(answers)
        if found is None:
            traces.add(asked, verdict)
            runs += 1
        assert traces.find(answers) == verdict
    assert runs == len({run(answers, choices)[0] for answers in servers})


def test_test_that_asks_nothing_is_run_once() -> None:
    traces: Traces[str] = Traces()
    assert traces.find([]) is None
    traces.add([], "passed")
    assert traces.find([7]) == "passed"


@pytest.mark.parametrize("second", [[(1, 0)], [(0, 0), (1, 0)], []])
def test_test_that_asks_something_else_after_the_same_answers_is_refused(second: list[tuple[int, int]]) -> None:
    traces: Traces[str] = Traces()
    traces.add([(0, 0)], "passed")
    with pytest.raises(ValueError, match=r"asked|came"):
        traces.add(second, "failed")


def test_other_verdict_after_the_same_answers_is_refused() -> None:
    traces: Traces[str] = Traces()
    traces.add([(0, 0)], "passed")
    with pytest.raises(ValueError, match="came to something else"):
        traces.add([(0, 0)], "failed")
