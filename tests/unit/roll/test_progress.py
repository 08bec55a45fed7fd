"""What is kept between looks: readiness, losses, and how an announced change is settled."""

import pytest

from goldfleet.roll.model import GateResult, GateVerdict, Grow, Intent, Progress, Shrink
from goldfleet.roll.progress import LONGEST_LAG_SECONDS, settle, watch
from tests.unit.roll.fleets import NEW, NOW, instance, news, olds, roll, snapshot

GOOD = {"i-new0": GateResult("i-new0", GateVerdict.GOOD, NEW.image_id)}


@pytest.mark.parametrize(
    ("intent", "desired", "is_sent", "surge"),
    [
        (None, 4, False, 1),
        (Grow(1, 3), 4, False, 2),
        (Grow(1, 3), 3, False, 1),
        (Grow(1, 3), 6, False, 0),
        (Grow(1, 3), 6, True, 0),
        (Grow(1, 3), 3, True, None),
        (Grow(-1, 4), 3, False, 0),
        (Grow(-1, 4), 4, False, 1),
        (Shrink("i-old0", 4), 4, False, 1),
        (Shrink("i-old0", 4), 3, False, 0),
        (Shrink("i-old0", 4), 4, True, None),
        (Shrink("i-old0", 4), 3, True, 0),
        (Shrink("i-gone", 4), 3, False, 0),
        (Shrink("i-gone", 4), 4, False, 0),
        (Shrink("i-gone", 4), 6, False, 0),
        (Shrink("i-gone", 4), 4, True, 1),
    ],
    ids=[
        "nothing announced",
        "killed after it was done",
        "killed before it was done",
        "killed, and somebody set another number: none of it is own",
        "done, and somebody set another number: none of it is own",
        "done, not shown yet",
        "lowering done",
        "lowering not done",
        "still there, not decremented: not done",
        "still there, and somebody lowered it: none of it is own",
        "asked, not shown yet",
        "asked and shown",
        "gone and decremented: done",
        "gone, and perhaps somebody raised it: less surge",
        "gone, and somebody changed it: less surge",
        "was ending already when it was asked",
    ],
)
def test_announced_change_is_settled_by_what_is_seen(
    intent: Intent | None, desired: int, is_sent: bool, surge: int | None
) -> None:
    settled = settle(roll(1, intent=intent), snapshot(olds(3), desired), is_sent, LONGEST_LAG_SECONDS)
    assert (settled.surge if settled else None) == surge
    assert settled is None or settled.intent is None


def test_instance_on_its_way_out_counts_as_gone() -> None:
    seen = snapshot([*olds(3), instance("x", NEW, state="Terminating")], 3)
    settled = settle(roll(1, intent=Shrink("i-x", 4)), seen, is_sent=False)
    assert settled is not None
    assert settled.surge == 0


def watched(*looks: tuple[float, bool], gate: dict[str, GateResult]) -> Progress:
    known = Progress(gate=gate)
    for at, is_healthy in looks:
        seen = snapshot([*olds(3), *news(1)], 4, unhealthy=[] if is_healthy else ["i-new0"])
        known = watch(known, seen, roll(1), NOW + at)
    return known


@pytest.mark.parametrize(
    ("looks", "is_ready"),
    [
        (((0, True),), False),
        (((0, True), (29, True)), False),
        (((0, True), (30, True)), True),
        (((0, True), (15, False), (30, True)), False),
        (((0, True), (15, False), (30, True), (60, True)), True),
        (((0, False), (40, True)), False),
    ],
    ids=["first look", "one second short", "whole warm-up", "flapping", "flapping, then steady", "late"],
)
def test_instance_is_ready_after_a_warm_up_without_a_break(
    looks: tuple[tuple[float, bool], ...], is_ready: bool
) -> None:
    assert ("i-new0" in watched(*looks, gate=GOOD).ready) == is_ready


@pytest.mark.parametrize("verdict", [GateVerdict.FAILED, GateVerdict.UNREACHABLE])
def test_instance_that_the_gate_does_not_find_good_is_not_ready(verdict: GateVerdict) -> None:
    gate = {"i-new0": GateResult("i-new0", verdict, NEW.image_id)}
    assert watched((0, True), (30, True), gate=gate).ready == frozenset()
    assert watched((0, True), (30, True), gate={}).ready == frozenset()


def test_instance_with_another_image_is_not_ready() -> None:
    gate = {"i-new0": GateResult("i-new0", GateVerdict.GOOD, "ami-9")}
    assert watched((0, True), (30, True), gate=gate).ready == frozenset()


def test_time_of_an_instance_that_was_ready_starts_anew_when_it_is_not_any_more() -> None:
    known = watched((0, True), (30, True), (500, True), (501, False), gate=GOOD)
    assert known.first_seen == {"i-new0": NOW + 501}


def test_new_instance_that_vanishes_unasked_is_lost() -> None:
    known = watched((0, False), gate={})
    assert watch(known, snapshot(olds(3), 4), roll(1), NOW + 5).lost == ("i-new0",)


def test_new_instance_that_was_ready_once_is_not_lost() -> None:
    known = watched((0, True), (30, True), (31, False), gate=GOOD)
    assert watch(known, snapshot(olds(3), 4), roll(1), NOW + 35).lost == ()


def test_new_instance_that_goes_when_somebody_wants_fewer_is_not_lost() -> None:
    known = watched((0, False), gate={})
    assert watch(known, snapshot(olds(2), 3), roll(1), NOW + 5).lost == ()


def test_time_without_a_launch_is_kept_until_it_comes() -> None:
    first = watch(Progress(), snapshot(olds(3), 4), roll(1), NOW)
    second = watch(first, snapshot(olds(3), 4), roll(1), NOW + 9)
    assert second.owed_since == NOW
    assert watch(second, snapshot([*olds(3), *news(1)], 4), roll(1), NOW + 10).owed_since is None


def test_look_that_shows_the_same_is_no_change() -> None:
    first = watch(Progress(), snapshot(olds(3), 3), roll(0), NOW)
    assert watch(first, snapshot(olds(3), 3), roll(0), NOW + 9).changed_at == NOW
    assert watch(first, snapshot(olds(3), 4), roll(1), NOW + 9).changed_at == NOW + 9
