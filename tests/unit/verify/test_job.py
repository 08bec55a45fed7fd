"""A job and what it found pass between two processes as text, and come out as they went in."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfleet.transport.model import Cost, Limits, SshHost
from goldfleet.verify.job import (
    Job,
    ServerChecks,
    Spent,
    check_line,
    decode_job,
    encode_job,
    end_line,
    read_results,
    server_line,
)
from goldfleet.verify.model import CheckOutcome, CheckResult

TEXTS = st.text(max_size=20)
HOSTS = st.builds(
    SshHost, TEXTS, TEXTS, TEXTS, st.none() | st.integers(1, 65535), TEXTS, TEXTS, st.tuples(TEXTS, TEXTS)
)
JOBS = st.builds(
    Job,
    st.dictionaries(TEXTS, HOSTS, max_size=3),
    TEXTS,
    st.builds(Limits),
    st.tuples(TEXTS),
    st.booleans(),
    st.booleans(),
)
CHECKS = st.builds(CheckResult, TEXTS, st.sampled_from(CheckOutcome), st.just(0.25), TEXTS, TEXTS)
SPENT = Spent(Cost(2, 2, 10, 20), 5, 2, 7, 0.5, 0.25, 0.125)
PASSED = CheckResult("test_x::test_y", CheckOutcome.PASSED, 0.25)


@given(JOBS)
def test_job_comes_out_as_it_went_in(job: Job) -> None:
    assert decode_job(encode_job(job)) == job


@given(st.lists(CHECKS, min_size=1, max_size=5), st.data())
def test_results_come_out_as_they_went_in(checks: list[CheckResult], data: st.DataObject) -> None:
    rows = data.draw(st.dictionaries(TEXTS, st.lists(st.integers(0, len(checks) - 1), max_size=4), max_size=4))
    lines = [
        *map(check_line, checks),
        *(server_line(name, row) for name, row in rows.items()),
        end_line(SPENT, ["a"], ["b"]),
    ]
    results = read_results("".join(lines))
    assert results.servers == {name: ServerChecks(tuple(checks[one] for one in row)) for name, row in rows.items()}
    assert (results.spent, results.remarks, results.differing, results.failure) == (SPENT, ("a",), ("b",), "")


def test_servers_that_agree_share_what_was_found() -> None:
    text = check_line(PASSED) + server_line("a", [0, 0]) + server_line("b", [0, 0])
    servers = read_results(text).servers
    assert servers["a"].checks is servers["b"].checks


@pytest.mark.parametrize("cut", range(1, 30))
def test_line_that_was_cut_off_says_nothing_and_those_before_count(cut: int) -> None:
    last = server_line("b", trouble="SSH is closed")
    results = read_results(check_line(PASSED) + server_line("a", [0]) + last[:-cut])
    assert (results.servers, results.spent) == ({"a": ServerChecks((PASSED,))}, None)


def test_ends_of_lines_in_what_was_said_are_no_ends_of_lines() -> None:
    odd = CheckResult("test_x::test_y", CheckOutcome.FAILED, 0.25, "a\nb\r\u2028\x85c", "d\x0be")
    assert read_results(check_line(odd) + server_line("a", [0])).servers["a"].checks == (odd,)
    assert json.loads(check_line(odd))
