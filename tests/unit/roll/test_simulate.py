"""A plan shows what a roll would do, and ends."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfleet.roll.model import Done, Halt, SetDesiredCapacity, Stop, TerminateInstance, UseLaunch, Wait
from goldfleet.roll.render import describe
from goldfleet.roll.simulate import simulate
from tests.unit.roll.fleets import NEW, OLD, instance, news, olds, roll, snapshot


def test_plan_of_three_by_one_names_every_step() -> None:
    steps = simulate(snapshot(olds(3), 3, launch=OLD), roll(0))
    assert [describe(step) for step in steps] == [
        "launch from launch template lt-0abc version 2: new instances are to run ami-2",
        "set the desired capacity to 4: 1 more before old ones go",
        "terminate i-old1: old; a ready new one has taken its place, the group launches the next",
        "terminate i-old2: old; a ready new one has taken its place, the group launches the next",
        "terminate i-old0 and lower the desired capacity: old; a ready new one has taken its place",
        "done: every instance is of ami-2",
    ]


def test_plan_of_a_finished_group_is_done_at_once() -> None:
    assert [type(step) for step in simulate(snapshot(news(3), 3), roll(0))] == [Done]


def test_plan_skips_protected_instances() -> None:
    steps = simulate(snapshot([*olds(2), instance("p", OLD, is_protected=True)], 3, launch=OLD), roll(0))
    assert "i-p" not in {step.instance_id for step in steps if isinstance(step, TerminateInstance)}
    assert isinstance(steps[-1], Done)


@given(st.integers(1, 20), st.integers(1, 5), st.integers(1, 3))
def test_every_plan_ends_and_replaces_each_instance_once(size: int, surge: int, zones: int) -> None:
    steps = simulate(snapshot(olds(size, "abc"[:zones]), size, sizes=(1, 40), launch=OLD), roll(0, surge))
    gone = [step.instance_id for step in steps if isinstance(step, TerminateInstance)]
    assert sorted(gone) == sorted(f"i-old{number}" for number in range(size))
    assert isinstance(steps[0], UseLaunch)
    assert isinstance(steps[-1], Done)
    assert sum(isinstance(step, SetDesiredCapacity) for step in steps) == 1


@pytest.mark.parametrize(
    ("step", "told"),
    [
        (Wait("x"), "wait: x"),
        (Halt("x"), "halt: x"),
        (Stop("x"), "stop: x"),
        (Done("x"), "done: x"),
        (UseLaunch(NEW, "x"), "launch from launch template lt-0abc version 2: x"),
    ],
)
def test_step_is_one_line(step: Wait | Halt | Stop | Done | UseLaunch, told: str) -> None:
    assert describe(step) == told
