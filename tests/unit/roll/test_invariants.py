"""A step that breaks a promise is not done, whoever came up with it."""

import pytest

from goldfleet.roll.invariants import InvariantError, check_step
from goldfleet.roll.model import (
    Fit,
    Mutation,
    Roll,
    SetDesiredCapacity,
    SetMaxSize,
    Snapshot,
    TerminateInstance,
    UseLaunch,
)
from tests.unit.roll.fleets import NEW, OLD, instance, news, olds, progress, roll, snapshot


@pytest.mark.parametrize(
    ("step", "seen", "here", "told"),
    [
        (SetDesiredCapacity(5, ""), snapshot(olds(3), 4), roll(1), "above the ceiling of 4"),
        (SetDesiredCapacity(2, ""), snapshot(olds(3), 3), roll(0), "below the floor of 3"),
        (SetDesiredCapacity(3, ""), snapshot(olds(4), 4), roll(1), "AWS would choose which instance ends"),
        (SetDesiredCapacity(4, ""), snapshot(olds(3), 3, sizes=(1, 3)), roll(0), "above the ceiling"),
        (TerminateInstance("i-old0", False, ""), snapshot(olds(3), 4), roll(1), "3 serve, the floor is 3"),
        (TerminateInstance("i-old0", False, ""), snapshot(olds(4), 4), roll(0), "4 serve, the floor is 4"),
        (TerminateInstance("i-old0", True, ""), snapshot(olds(4), 3), roll(0), "there is no own surge"),
        (TerminateInstance("i-old0", False, ""), snapshot(olds(4), 3), roll(0), "has no successor"),
        (TerminateInstance("i-new0", False, ""), snapshot([*olds(3), *news(2)], 4), roll(1), "did not fail"),
        (TerminateInstance("i-x", False, ""), snapshot(olds(4), 4), roll(1), "protected, leaving or not the group's"),
        (
            TerminateInstance("i-p", False, ""),
            snapshot([*olds(4), instance("p", OLD, is_protected=True)], 4),
            roll(1),
            "protected, leaving or not the group's",
        ),
        (UseLaunch(Fit(NEW.launch.__class__("web-9"), "ami-9"), ""), snapshot(olds(3), 3), roll(0), "is neither"),
        (SetMaxSize(2, ""), snapshot(olds(3), 3), roll(0), "would fall below the desired capacity"),
    ],
    ids=[
        "ceiling", "below floor", "aws would choose", "maximum", "floor", "floor without surge", "no surge",
        "no successor", "new one that is well", "stranger", "protected", "other launch", "maximum too small",
    ],
)  # fmt: skip
def test_step_that_breaks_a_promise_is_stopped(step: Mutation, seen: Snapshot, here: Roll, told: str) -> None:
    with pytest.raises(InvariantError, match="A roll of web was about to break its own rules") as caught:
        check_step(step, seen, here, progress())
    assert told in str(caught.value)
    assert caught.value.exit_code == 1


def test_instance_that_does_not_serve_may_go_at_the_floor() -> None:
    seen = snapshot([*olds(3), *news(1)], 4, unhealthy=["i-new0"])
    check_step(TerminateInstance("i-new0", True, ""), seen, roll(1), progress())
    with pytest.raises(InvariantError):
        check_step(TerminateInstance("i-old0", True, ""), seen, roll(1), progress())
