"""The course of a command, step by step and under random worlds."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfleet.localcloud.ssm.model import (
    CANCELLED,
    CANCELLING,
    DELAYED,
    DELIVERY_TIMED_OUT,
    ERRORS,
    EXECUTION_TIMED_OUT,
    FAILED,
    IN_PROGRESS,
    INCOMPLETE,
    NO_INSTANCES_IN_TAG,
    OPEN,
    PENDING,
    SUCCESS,
    TERMINATED,
    UNDELIVERABLE,
    Command,
    CommandSpec,
    Invocation,
    Result,
    State,
)

OK = Result(0, "", "")
BAD = Result(1, "", "")
SLOW = Result(137, "", "", timed_out=True)
KILLED = Result(137, "", "", cancelled=True)
SPEC = CommandSpec(("true",), timeout_seconds=60, execution_timeout_seconds=40)


def command(count: int, concurrency: int = 100, errors: int = 100) -> Command:
    """Return a command to so many instances."""
    invocations = {f"i-{number}": Invocation(f"i-{number}") for number in range(count)}
    return Command("c", SPEC, 0.0, invocations, concurrency, errors)


def run(asked: Command, *results: Result | None) -> None:
    """Send it, and let one instance after the other end so; None gives up on one."""
    ended = 0
    while sent := asked.send(1.0):
        for invocation in sent:
            result = results[ended]
            ended += 1
            if result is None:
                asked.give_up(invocation, 2.0)
            else:
                asked.start(invocation, 1.0)
                asked.finish(invocation, 2.0, result)


@pytest.mark.parametrize(
    ("errors", "results", "state"),
    [
        (0, [OK, OK], SUCCESS),
        (0, [OK, BAD], FAILED),
        (1, [OK, BAD], INCOMPLETE),
        (2, [BAD, BAD], INCOMPLETE),
        (0, [SLOW, OK], EXECUTION_TIMED_OUT),
        (1, [SLOW, BAD], FAILED),
        (1, [SLOW, OK], INCOMPLETE),
        (0, [None, None, None, None, OK], SUCCESS),
        (0, [None, None], FAILED),
        (1, [None, BAD], INCOMPLETE),
    ],
    ids=str,
)
def test_invocations_make_the_commands_state(errors: int, results: list[Result | None], state: State) -> None:
    asked = command(len(results), errors=errors)
    run(asked, *results)
    if asked.state == state:  # past MaxErrors the rest is terminated, which changes nothing
        assert not asked.is_open
    assert asked.state == state


def test_it_is_pending_until_an_agent_has_it_and_in_progress_until_all_are_over() -> None:
    asked = command(2)
    assert asked.state == PENDING
    (first,) = asked.send(0.0)
    assert asked.state == PENDING
    asked.start(first, 1.0)
    assert (asked.state, first.started_at) == (IN_PROGRESS, 1.0)
    (second,) = asked.send(1.0)
    asked.finish(first, 2.0, OK)
    assert (asked.state, asked.completed, first.ended_at) == (IN_PROGRESS, 1, 2.0)
    asked.start(second, 2.0)
    asked.finish(second, 3.0, OK)
    assert (asked.state, asked.completed, asked.is_open) == (SUCCESS, 2, False)


def test_it_begins_with_one_node_and_each_that_has_it_lets_it_go_to_two_more() -> None:
    asked = command(16, concurrency=10)
    waves = []
    while sent := asked.send(0.0):
        waves.append(len(sent))
        for invocation in sent:
            asked.start(invocation, 0.0)
    assert waves == [1, 2, 4, 3]  # none has ended: ten run at once
    for invocation in [one for one in asked.invocations.values() if one.state == IN_PROGRESS]:
        asked.finish(invocation, 1.0, OK)
    assert len(asked.send(1.0)) == 6


def test_past_max_errors_nothing_more_goes_out_and_what_runs_may_end() -> None:
    asked = command(5, concurrency=2, errors=1)
    run_first = asked.send(0.0)[0]
    asked.start(run_first, 0.0)
    second = asked.send(0.0)[0]
    asked.start(second, 0.0)
    asked.finish(run_first, 1.0, BAD)
    (third,) = asked.send(1.0)
    asked.start(third, 1.0)
    asked.finish(second, 2.0, BAD)  # one beyond MaxErrors
    assert asked.send(2.0) == []
    assert [one.state for one in asked.invocations.values()] == [FAILED, FAILED, IN_PROGRESS, TERMINATED, TERMINATED]
    assert asked.state == IN_PROGRESS
    asked.finish(third, 3.0, OK)
    assert (asked.state, asked.completed, asked.errors) == (FAILED, 5, 2)


def test_delivery_timeouts_and_undeliverables_do_not_count_as_errors() -> None:
    asked = command(2, errors=0)
    (first,) = asked.send(0.0)
    asked.give_up(first, 0.0)
    assert asked.send(0.0)
    asked.expire(100.0)
    assert (asked.errors, asked.delivery_timed_out) == (0, 1)
    assert asked.state == DELIVERY_TIMED_OUT


def test_what_is_late_is_not_started_and_is_over_when_the_total_time_is() -> None:
    asked = command(3)
    assert (asked.deliver_by, asked.expires_at) == (60.0, 100.0)
    (first,) = asked.send(59.0)
    assert not asked.start(first, 60.0)
    assert asked.send(60.0) == []
    asked.expire(100.0)
    assert {one.state for one in asked.invocations.values()} == {DELIVERY_TIMED_OUT}


def test_a_node_that_never_answers_is_in_progress_until_the_command_expires() -> None:
    asked = command(1, errors=1)
    (lost,) = asked.send(0.0)
    asked.start(lost, 1.0)
    asked.expire(100.0)
    assert (lost.state, lost.result, asked.state) == (DELIVERY_TIMED_OUT, None, INCOMPLETE)
    asked.finish(lost, 101.0, OK)
    assert lost.state == DELIVERY_TIMED_OUT


def test_a_delayed_node_may_still_start_and_holds_nobody_up() -> None:
    asked = command(2)
    (first,) = asked.send(0.0)
    asked.delay(first)
    assert first.state == DELAYED
    assert asked.send(0.0) == [asked.invocations["i-1"]]
    assert asked.start(first, 5.0)
    assert first.state == IN_PROGRESS


def test_cancel_ends_what_waits_and_names_what_runs() -> None:
    asked = command(3, concurrency=1)
    (first,) = asked.send(0.0)
    asked.start(first, 0.0)
    assert asked.cancel(1.0) == [first]
    assert (asked.state, first.state) == (CANCELLING, CANCELLING)
    asked.finish(first, 2.0, KILLED)
    assert asked.send(2.0) == []
    assert {one.state for one in asked.invocations.values()} == {CANCELLED}
    assert asked.state == CANCELLED


def test_cancel_of_some_leaves_the_others() -> None:
    asked = command(2)
    asked.cancel(1.0, ["i-1"])
    run(asked, OK)
    assert [one.state for one in asked.invocations.values()] == [SUCCESS, CANCELLED]


def test_one_that_is_cancelled_on_its_way_holds_nobody_up() -> None:
    asked = command(2)
    (first,) = asked.send(0.0)
    asked.cancel(0.0, [first.instance_id])
    assert not asked.start(first, 1.0)
    assert asked.send(1.0) == [asked.invocations["i-1"]]


def test_a_script_that_ends_before_it_is_killed_has_ended_well() -> None:
    asked = command(1)
    (first,) = asked.send(0.0)
    asked.start(first, 0.0)
    asked.cancel(1.0)
    asked.finish(first, 1.0, OK)
    assert first.state == SUCCESS


def test_nothing_to_run_on_is_no_instances_in_tag_once_that_was_seen() -> None:
    asked = command(0)
    assert (asked.state, asked.is_open) == (PENDING, True)
    asked.settle()
    assert (asked.state, asked.is_open) == (NO_INSTANCES_IN_TAG, False)


STEPS = st.sampled_from(["start", "delay", "give up", "good", "bad", "slow", "vanish", "cancel one"])


@given(st.data(), st.integers(1, 30), st.integers(1, 12), st.integers(0, 5))
def test_whatever_happens_limits_hold_and_counts_are_right(
    data: st.DataObject, count: int, concurrency: int, errors: int
) -> None:
    asked = command(count, concurrency, errors)
    flying: list[Invocation] = []
    for _ in range(300):
        before = asked.errors
        sent = asked.send(1.0)
        assert before <= errors or not sent
        flying = [one for one in [*flying, *sent] if one.is_open]
        assert len(flying) <= concurrency
        active = [one for one in flying if one.result is None]
        if not active:
            assert not asked.is_open, "nothing is on its way, and yet it is not over"
            break
        _happen(asked, data.draw(st.sampled_from(active)), data.draw(STEPS))
        states = [one.state for one in asked.invocations.values()]
        assert asked.completed == sum(state not in OPEN for state in states)
        assert asked.errors == sum(state in ERRORS for state in states)
    asked.expire(100.0)
    assert not asked.is_open
    assert asked.completed == count
    assert asked.state not in OPEN
    if asked.errors > errors:
        assert asked.state in (FAILED, EXECUTION_TIMED_OUT)


def _happen(asked: Command, invocation: Invocation, step: str) -> None:
    results = {"good": OK, "bad": BAD, "slow": SLOW}
    if step == "start":
        asked.start(invocation, 1.0)
    elif step == "delay":
        asked.delay(invocation)
    elif step == "give up":
        asked.give_up(invocation, 1.0)
    elif step == "cancel one":
        asked.cancel(1.0, [invocation.instance_id])
    elif step in results and invocation.started_at is not None:
        asked.finish(invocation, 1.0, replace(results[step]))


@pytest.mark.parametrize(
    ("state", "ends"),
    [(OK, SUCCESS), (BAD, FAILED), (SLOW, EXECUTION_TIMED_OUT), (KILLED, CANCELLED), (Result(137, "", ""), FAILED)],
)
def test_results_have_their_states(state: Result, ends: State) -> None:
    assert state.state == ends


def test_undeliverable_and_terminated_are_details_of_documented_states() -> None:
    assert (UNDELIVERABLE.status, TERMINATED.status) == ("Failed", "Cancelled")
