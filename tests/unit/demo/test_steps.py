"""Step functions of time."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfleet.demo.steps import Steps, Stretch, stretches_below

times = st.integers(0, 50).map(float)
values = st.none() | st.integers(0, 5)
steps = st.lists(st.tuples(times, values), max_size=12).map(lambda changes: Steps.of(*changes))
windows = st.tuples(times, times).filter(lambda window: window[0] < window[1])
MOMENTS = [number / 2 for number in range(101)]


def test_value_changes_at_the_moment_of_a_change() -> None:
    found = Steps.of((10, 3), (20, 4))
    assert [found.value_at(time) for time in (9.9, 10, 19.9, 20, 99)] == [None, 3, 3, 4, 4]


def test_last_of_several_changes_at_one_moment_counts() -> None:
    assert Steps.of((10, 3), (20, 2), (20, 3)).lowest(0, 30) == 3


@pytest.mark.parametrize(
    ("start", "end", "lowest", "highest"),
    [(0, 5, None, None), (0, 10, 3, 3), (12, 30, 2, 4), (25, 30, 4, 4), (12, 20, 2, 3)],
    ids=["before all", "up to the first change", "across", "within one", "end is included"],
)
def test_lowest_and_highest_of_a_window(start: float, end: float, lowest: int | None, highest: int | None) -> None:
    found = Steps.of((10, 3), (20, 2), (22, 4))
    assert (found.lowest(start, end), found.highest(start, end)) == (lowest, highest)


@given(steps, windows)
def test_stretches_cover_the_window_without_gap_and_say_the_value(found: Steps, window: tuple[float, float]) -> None:
    stretches = found.stretches(*window)
    assert (stretches[0].start, stretches[-1].end) == window
    assert all(one.end == other.start for one, other in pairwise(stretches))
    assert all(one.value != other.value for one, other in pairwise(stretches))
    for moment in (moment for moment in MOMENTS if window[0] <= moment < window[1]):
        [holding] = [stretch for stretch in stretches if stretch.start <= moment < stretch.end]
        assert holding.value == found.value_at(moment)


@given(steps, windows)
def test_extremes_are_those_of_all_moments(found: Steps, window: tuple[float, float]) -> None:
    seen = [found.value_at(moment) for moment in MOMENTS if window[0] <= moment <= window[1]]
    known = [value for value in seen if value is not None]
    assert found.lowest(*window) == min(known, default=None)
    assert found.highest(*window) == max(known, default=None)


@given(steps, steps, windows)
def test_below_is_exactly_when_the_value_is_under_a_known_limit(
    value: Steps, limit: Steps, window: tuple[float, float]
) -> None:
    below = stretches_below(value, limit, *window)
    for moment in (moment for moment in MOMENTS if window[0] <= moment < window[1]):
        seen, bound = value.value_at(moment), limit.value_at(moment)
        is_under = seen is not None and bound is not None and seen < bound
        assert is_under == any(stretch.start <= moment < stretch.end for stretch in below)


def test_below_says_the_lowest_of_each_dip() -> None:
    value = Steps.of((0, 3), (10, 2), (12, 1), (15, 3), (20, 2), (21, 3))
    below = stretches_below(value, Steps.of((0, 3)), 0, 30)
    assert below == (Stretch(10, 15, 1), Stretch(20, 21, 2))


def test_dip_to_zero_is_kept_as_zero() -> None:
    value = Steps.of((0, 3), (10, 0), (12, 2), (15, 3))
    assert stretches_below(value, Steps.of((0, 3)), 0, 30) == (Stretch(10, 15, 0),)
