"""The next step, state by state."""

from dataclasses import replace

import pytest

from goldfleet.aws.model import LaunchSpec
from goldfleet.roll.invariants import check_step
from goldfleet.roll.model import (
    Done,
    Fit,
    GateResult,
    GateVerdict,
    Grow,
    Halt,
    Mutation,
    Progress,
    Roll,
    SetDesiredCapacity,
    SetMaxSize,
    Snapshot,
    State,
    Step,
    Stop,
    TerminateInstance,
    UseLaunch,
    Wait,
)
from goldfleet.roll.plan import next_step
from tests.unit.roll.fleets import NEW, NOW, OLD, instance, news, olds, progress, roll, snapshot


def step(seen: Snapshot, here: Roll, known: Progress | None = None, now: float = NOW) -> Step:
    """Return the next step, which no invariant may forbid."""
    known = known or progress()
    made = next_step(seen, here, known, now)
    if isinstance(made, Mutation):
        check_step(made, seen, here, known)
    return made


def test_group_on_the_old_launch_is_pointed_at_the_target() -> None:
    made = step(snapshot(olds(3), 3, launch=OLD), roll(0))
    assert isinstance(made, UseLaunch)
    assert made.fit == NEW


@pytest.mark.parametrize("state", [State.ROLLING, State.HALTING])
def test_launch_that_somebody_else_set_is_named_when_it_is_set_back(state: State) -> None:
    theirs = Fit(LaunchSpec("", "lt-0abc", "", "7"), "ami-7")
    made = step(snapshot([*olds(2), *news(1)], 3, launch=theirs), roll(0, state=state))
    assert isinstance(made, UseLaunch)
    assert made.why.startswith("somebody else set launch template lt-0abc version 7; ")


@pytest.mark.parametrize(("wanted", "desired"), [(1, 4), (2, 5), (9, 6), ("34%", 4), ("70%", 5)])
def test_no_new_instance_yet_raises_the_desired_capacity_by_the_surge(wanted: int | str, desired: int) -> None:
    made = step(snapshot(olds(3), 3), roll(0, wanted))
    assert isinstance(made, SetDesiredCapacity)
    assert made.desired_capacity == desired


def test_little_room_takes_what_there_is() -> None:
    made = step(snapshot(olds(3), 3, sizes=(1, 4)), roll(0, 3))
    assert isinstance(made, SetDesiredCapacity)
    assert made.desired_capacity == 4


def test_no_room_waits() -> None:
    made = step(snapshot(olds(3), 3, sizes=(1, 3)), roll(0))
    assert made.why == "no room for the surge: desired capacity 3 of 3"


def test_no_room_and_a_raised_maximum_raises_it() -> None:
    made = step(snapshot(olds(3), 3, sizes=(1, 20)), roll(0, raised_max=21))
    assert isinstance(made, SetMaxSize)
    assert made.max_size == 21


def test_surge_that_is_not_launched_yet_waits() -> None:
    assert isinstance(step(snapshot(olds(3), 4), roll(1)), Wait)


def test_new_instance_that_is_not_ready_waits_until_its_warm_up_ends() -> None:
    known = progress(good=["i-new0"])
    made = step(snapshot([*olds(3), *news(1)], 4), roll(1), known, NOW - 31)
    assert made == Wait("i-new0 is not ready: it was not healthy for the whole warm-up", 1.0)


def test_ready_instance_lets_one_old_one_go_that_is_replaced() -> None:
    made = step(snapshot([*olds(3), *news(1)], 4), roll(1), progress(["i-new0"]))
    assert isinstance(made, TerminateInstance)
    assert (made.instance_id, made.decrements) == ("i-old1", False)


def test_last_old_instance_goes_with_decrement() -> None:
    ready = ["i-new0", "i-new1", "i-new2"]
    made = step(snapshot([*olds(1), *news(3)], 4), roll(1), progress(ready))
    assert isinstance(made, TerminateInstance)
    assert (made.instance_id, made.decrements) == ("i-old0", True)


def test_unhealthy_old_instance_keeps_the_others() -> None:
    made = step(snapshot([*olds(3), *news(1)], 4, unhealthy=["i-old0", "i-old1"]), roll(1), progress(["i-new0"]))
    assert isinstance(made, Wait)


def test_old_instance_that_does_not_serve_goes_first() -> None:
    made = step(snapshot([*olds(3), *news(1)], 4, unhealthy=["i-old2"]), roll(1), progress(["i-new0"]))
    assert isinstance(made, TerminateInstance)
    assert made.instance_id == "i-old2"


def test_oldest_goes_among_equals() -> None:
    launched = {"i-old0": 50.0, "i-old1": 30.0, "i-old2": 20.0}
    known = progress(["i-new0"], launched_at=launched)
    made = step(snapshot([*olds(3, "b"), *news(1, "a")], 4), roll(1), known)
    assert isinstance(made, TerminateInstance)
    assert made.instance_id == "i-old2"


def test_group_that_ends_some_by_itself_is_not_helped_below_the_floor() -> None:
    made = step(snapshot([*olds(3), *news(1)], 3), roll(1), progress(["i-new0"]))
    assert isinstance(made, TerminateInstance | Wait)
    assert not (isinstance(made, TerminateInstance) and made.decrements)


def test_everything_new_and_ready_is_done() -> None:
    made = step(snapshot(news(3), 3), roll(0), progress(["i-new0", "i-new1", "i-new2"]))
    assert isinstance(made, Done)


def test_everything_new_but_one_unready_waits() -> None:
    assert isinstance(step(snapshot(news(3), 3), roll(0), progress(["i-new0", "i-new1"])), Wait)


def test_done_with_a_raised_maximum_puts_it_back() -> None:
    known = progress(["i-new0", "i-new1", "i-new2"])
    made = step(snapshot(news(3), 3, sizes=(1, 21)), roll(0, raised_max=21), known)
    assert made == SetMaxSize(20, "the maximum size that it had before the roll")


def test_maximum_that_somebody_changed_meanwhile_stays() -> None:
    known = progress(["i-new0", "i-new1", "i-new2"])
    assert isinstance(step(snapshot(news(3), 3, sizes=(1, 25)), roll(0, raised_max=21), known), Done)


def test_own_surge_with_nothing_old_left_goes() -> None:
    ready = ["i-new0", "i-new1", "i-new2"]
    made = step(snapshot(news(4), 4), roll(1), progress(ready, ["i-new3"]))
    assert isinstance(made, Wait)  # i-new3 serves, and with it gone nothing is lost but it is not proven yet
    made = step(snapshot(news(4), 4), roll(1), progress([*ready, "i-new3"]))
    assert isinstance(made, TerminateInstance)
    assert made.decrements


def test_failed_check_halts() -> None:
    gate = {"i-new0": GateResult("i-new0", GateVerdict.FAILED, "ami-2", "test_nginx")}
    made = step(snapshot([*olds(3), *news(1)], 4), roll(1), progress(gate=gate))
    assert made == Halt("i-new0 failed its checks: test_nginx", ("i-new0",))


def test_other_image_halts() -> None:
    gate = {"i-new0": GateResult("i-new0", GateVerdict.GOOD, "ami-9")}
    made = step(snapshot([*olds(3), *news(1)], 4), roll(1), progress(gate=gate))
    assert made.why == "i-new0 runs ami-9, wanted ami-2"


@pytest.mark.parametrize(
    ("known", "told"),
    [
        (
            progress(first_seen={"i-new0": NOW - 900}),
            "it is not in service and healthy in every target group (InService)",
        ),
        (progress(first_seen={"i-new0": NOW - 900}, healthy_since={"i-new0": NOW}), "its checks have not ended"),
        (
            progress(
                first_seen={"i-new0": NOW - 900},
                healthy_since={"i-new0": NOW},
                gate={"i-new0": GateResult("i-new0", GateVerdict.UNREACHABLE, "", "unreachable: closed")},
            ),
            "unreachable: closed",
        ),
    ],
    ids=["unhealthy", "unchecked", "unreachable"],
)
def test_instance_that_is_late_halts_and_tells_what_it_lacks(known: Progress, told: str) -> None:
    made = step(snapshot([*olds(3), *news(1)], 4), roll(1), known)
    assert made == Halt(f"i-new0 was not proven within 15 min: {told}", ("i-new0",))


@pytest.mark.parametrize(("lost", "kind"), [(("i-x",), Wait), (("i-x", "i-y"), Halt)], ids=["one", "two"])
def test_lost_instances_halt_from_the_second_on(lost: tuple[str, ...], kind: type) -> None:
    assert isinstance(step(snapshot(olds(3), 4), roll(1), progress(lost=lost)), kind)


def test_launch_that_never_comes_halts() -> None:
    made = step(snapshot(olds(3), 4), roll(1), progress(owed_since=NOW - 900))
    assert isinstance(made, Halt)


def test_announced_change_that_does_not_show_waits() -> None:
    assert isinstance(step(snapshot(olds(3), 3), roll(0, intent=Grow(1, 3))), Wait)


def test_nothing_that_changes_stops_after_a_time() -> None:
    made = step(snapshot(olds(3), 3, sizes=(1, 3)), roll(0), progress(changed_at=NOW - 990))
    assert made == Stop("nothing has changed for 16 min: no room for the surge: desired capacity 3 of 3")


def test_halted_roll_is_done() -> None:
    assert isinstance(step(snapshot(olds(3), 3), roll(0, state=State.HALTED)), Done)


def test_retreat_begins_with_the_previous_launch() -> None:
    made = step(snapshot([*olds(3), *news(1)], 4), roll(1, state=State.HALTING))
    assert isinstance(made, UseLaunch)
    assert made.fit == OLD


def test_retreat_ends_the_unproven_instance_with_decrement() -> None:
    seen = snapshot([*olds(2), *news(2)], 4, launch=OLD)
    made = step(seen, roll(1, state=State.HALTING), progress(["i-new0"]))
    assert isinstance(made, TerminateInstance)
    assert (made.instance_id, made.decrements) == ("i-new1", True)


def test_retreat_without_surge_leaves_the_proven_alone() -> None:
    seen = snapshot([*olds(2), *news(1)], 3, launch=OLD)
    assert isinstance(step(seen, roll(0, state=State.ABORTING), progress(["i-new0"])), Done)


def test_retreat_lets_what_it_came_from_replace_an_instance_that_does_not_serve() -> None:
    seen = snapshot([*olds(2), *news(1)], 3, launch=OLD, unhealthy=["i-new0"])
    made = step(seen, roll(0, state=State.HALTING), progress())
    assert isinstance(made, TerminateInstance)
    assert not made.decrements


def test_retreat_from_surge_that_never_came_up_lowers_the_desired_capacity() -> None:
    seen = snapshot(olds(3), 4, launch=OLD)
    assert isinstance(step(seen, roll(1, state=State.HALTING), progress(owed_since=NOW - 10)), Wait | TerminateInstance)
    tight = snapshot(olds(3), 4, launch=OLD, unhealthy=[])
    made = step(tight, roll(1, state=State.HALTING), progress(owed_since=NOW - 100))
    assert made == SetDesiredCapacity(3, "1 of own surge never came up")


def test_second_run_on_a_finished_group_is_done_at_once() -> None:
    seen = snapshot([instance("a", NEW), instance("b", NEW)], 2)
    assert isinstance(step(seen, replace(roll(0), sizes=roll().sizes), progress(["i-a", "i-b"])), Done)
