"""Pictures, worked out to pixels: what is drawn says what was measured."""

import re
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfleet.demo.capacity import draw_capacity
from goldfleet.demo.drawing import (
    SIZES,
    WIDE,
    Frame,
    Size,
    area_path,
    fit,
    frame_of,
    round_up,
    step_path,
    time_marks,
    value_marks,
)
from goldfleet.demo.facts import DemoFacts
from goldfleet.demo.steps import Stretch
from goldfleet.demo.targets import draw_targets
from goldfleet.demo.throughput import draw_throughput, stack
from goldfleet.demo.traffic import Second
from tests.doubles.demos import NEW, OLD, START, told_badly, told_well

FRAME = Frame(start=0, end=100, left=50, right=150, top=10, bottom=110, highest=10)
sizes = pytest.mark.parametrize("size", SIZES, ids=lambda size: size.name)
demos = pytest.mark.parametrize("facts", [told_well(), told_badly()], ids=["good", "bad"])


def numbers_in(path: str) -> list[float]:
    """Return all coordinates of a path."""
    return [float(number) for number in re.findall(r"-?[\d.]+", path)]


def test_step_line_has_a_gap_where_nothing_is_known() -> None:
    stretches = [Stretch(0, 20, 5), Stretch(20, 40, 6), Stretch(40, 60, None), Stretch(60, 100, 5)]
    assert step_path(FRAME, stretches) == "M50.0 60.0H70.0V50.0H90.0M110.0 60.0H150.0"


def test_area_lies_between_its_edges() -> None:
    assert area_path(FRAME, [0, 0, 0], [5, 5, 10]) == "M50 110.0V60.0H52.0V10.0H53.0V110.0H50.0Z"


def test_area_without_height_is_not_drawn() -> None:
    assert area_path(FRAME, [3, 3], [3, 3]) == ""


@given(st.floats(1, 90_000), st.floats(100, 2000))
def test_time_marks_do_not_run_into_each_other(length: float, width: float) -> None:
    frame = Frame(0, length, 0, width, 0, 100, 1)
    marks = time_marks(frame)
    assert marks[0].text == "0:00"
    assert all(later.at - mark.at >= 40 for mark, later in pairwise(marks))


@given(st.integers(0, 100_000))
def test_value_marks_are_few_whole_and_within_the_frame(highest: int) -> None:
    frame = replace(FRAME, highest=max(round_up(highest), 1))
    marks = value_marks(frame, 5)
    assert frame.highest > highest
    assert 2 <= len(marks) <= 6
    assert all(frame.top <= mark.at <= frame.bottom for mark in marks)


@pytest.mark.parametrize(
    ("width", "text"), [(200, "7 roll back"), (30, "7"), (5, "")], ids=["room", "little room", "no room"]
)
def test_stage_label_is_as_long_as_there_is_room(width: float, text: str) -> None:
    assert fit(7, "roll back", width) == text


@sizes
@demos
def test_everything_of_capacity_lies_in_its_frame(facts: DemoFacts, size: Size) -> None:
    picture = draw_capacity(facts, size)
    frame = picture.frame
    for box in (*picture.forbidden, *picture.below):
        assert frame.left <= box.x <= frame.right
        assert frame.top <= box.y
        assert box.y + box.height <= frame.bottom + 0.2
    for path in (picture.healthy, picture.floor, picture.ceiling):
        assert path.startswith("M")
        assert all(0 <= number <= size.width for number in numbers_in(path))


def test_dip_below_the_floor_is_drawn_and_none_without_one() -> None:
    assert draw_capacity(told_well(), WIDE).below == ()
    below = draw_capacity(told_badly(), WIDE).below
    assert [box.title for box in below] == ["2 healthy, below the floor, from 0:30"]
    frame = frame_of(told_badly(), WIDE, 0, 100, 1)
    assert below[0].width == pytest.approx(frame.x(START + 47.5) - frame.x(START + 30.4), abs=0.2)


def test_shortest_dip_is_wide_enough_to_be_seen() -> None:
    facts = told_badly()
    events = [event for event in facts.health.events if event.time < START + 47]
    back = [replace(event, time=event.time + 0.41, state="healthy") for event in events if event.state == "unhealthy"]
    short = replace(facts, health=replace(facts.health, events=(*events, *back)), end=START + 36_000)
    [box] = draw_capacity(short, WIDE).below
    assert box.width >= 2


def test_stages_carry_the_numbers_of_the_table() -> None:
    bands = draw_capacity(told_well(), WIDE).stages
    assert [(band.number, band.title) for band in bands] == [
        (6, "bake image 2"), (7, "roll"), (8, "verify"), (9, "roll back"), (10, "verify"),
    ]  # fmt: skip


@sizes
@demos
def test_each_target_has_a_row_with_its_image(facts: DemoFacts, size: Size) -> None:
    picture = draw_targets(facts, size)
    targets = [row.label.split()[0] for row in picture.rows]
    assert targets == list(dict.fromkeys(span.target for span in facts.health.spans(facts.start, facts.end)))
    assert picture.rows[0].label == f"{OLD[0]} (image A)"
    assert all(row.x >= picture.frame.left for row in picture.rows)
    kinds = {box.kind for row in picture.rows for box in row.boxes}
    assert kinds <= {"version-0", "version-1", "healthy", "initial", "draining", "unhealthy"}


def test_target_that_was_never_checked_is_healthy_without_an_image() -> None:
    [row] = [row for row in draw_targets(told_badly(), WIDE).rows if row.label.startswith(NEW[0])]
    assert [box.kind for box in row.boxes] == ["initial", "healthy"]


def test_no_failure_is_an_empty_lane() -> None:
    picture = draw_throughput(told_well(), WIDE)
    assert (picture.failed, picture.failures, picture.most_failed) == ("", (), 0)
    assert [area.name for area in picture.areas] == ["image A", "image B"]


def test_failures_are_drawn_on_top_and_in_their_lane() -> None:
    picture = draw_throughput(told_badly(), WIDE)
    assert picture.failed.startswith("M")
    assert sum(int(box.title.split()[0]) for box in picture.failures) == told_badly().requests.failed
    assert all(box.height >= 5 and box.width >= 2 for box in picture.failures)


def test_edges_stand_on_each_other_and_failed_is_the_last() -> None:
    seconds = [Second(0, {"one": 2, "two": 1}, 0), Second(1, {"two": 3}, 4)]
    assert stack(seconds, ["one", "two"]) == [[0, 0], [2, 0], [3, 3], [3, 7]]


@sizes
@pytest.mark.parametrize("length", [0.0, 0.4, 1.0, 60.5], ids=str)
def test_demo_of_any_length_and_without_facts_can_be_drawn(length: float, size: Size) -> None:
    facts = DemoFacts("web", 3, 60, (), "B", START, START + length)
    assert draw_capacity(facts, size).floor == ""
    assert draw_targets(facts, size).rows == ()
    assert draw_throughput(facts, size).areas == ()
