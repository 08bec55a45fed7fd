"""What the balancer saw, as counts over time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfleet.demo.events import HealthTimeline, TargetEvent, TargetSpan, parse_event, timeline
from goldfleet.errors import UsageError

STATES = ("initial", "healthy", "unhealthy", "draining", "unused", "gone")
events = st.lists(
    st.builds(
        TargetEvent, st.integers(0, 40).map(float), st.sampled_from(["i-1", "i-2", "i-3"]), st.sampled_from(STATES)
    ),
    max_size=30,
).map(timeline)

LAUNCHED_FIRST = timeline(
    [
        TargetEvent(10, "i-1", "initial"),
        TargetEvent(12, "i-1", "healthy"),
        TargetEvent(20, "i-2", "initial"),
        TargetEvent(22, "i-2", "healthy"),
        TargetEvent(30, "i-1", "draining", reason="Target.DeregistrationInProgress"),
        TargetEvent(33, "i-1", "gone"),
    ]
)


def state_at(found: HealthTimeline, target: str, time: float) -> str:
    """Return a target's state the slow way: that of its last event."""
    return next((event.state for event in reversed(found.events) if event.target == target and event.time <= time), "")


def test_launch_first_never_has_fewer_than_before() -> None:
    assert LAUNCHED_FIRST.lowest(12, 40) == 1
    assert [LAUNCHED_FIRST.healthy.value_at(time) for time in (10, 12, 22, 30)] == [0, 1, 2, 1]
    assert LAUNCHED_FIRST.healthy_at(25) == {"i-1", "i-2"}
    assert LAUNCHED_FIRST.healthy_at(30) == {"i-2"}


def test_nothing_is_healthy_before_the_first_event() -> None:
    assert LAUNCHED_FIRST.lowest(5, 40) == 0
    assert LAUNCHED_FIRST.healthy_at(5) == frozenset()
    assert HealthTimeline().lowest(0, 1) == 0


def test_moment_of_a_change_belongs_to_the_new_state() -> None:
    assert LAUNCHED_FIRST.lowest(22, 29.9) == 2
    assert LAUNCHED_FIRST.lowest(22, 30) == 1


def test_spans_are_cut_to_the_window_and_end_when_the_target_is_gone() -> None:
    assert LAUNCHED_FIRST.spans(11, 31) == (
        TargetSpan("i-1", "initial", 11, 12),
        TargetSpan("i-1", "healthy", 12, 30),
        TargetSpan("i-1", "draining", 30, 31, "Target.DeregistrationInProgress"),
        TargetSpan("i-2", "initial", 20, 22),
        TargetSpan("i-2", "healthy", 22, 31),
    )


def test_one_target_on_two_ports_counts_twice_but_is_one_name() -> None:
    found = timeline([TargetEvent(1, "i-1", "healthy", port=80), TargetEvent(2, "i-1", "healthy", port=8080)])
    assert found.lowest(2, 3) == 2
    assert found.healthy_at(2) == {"i-1"}


def test_other_target_group_is_left_out() -> None:
    mixed = [TargetEvent(1, "i-1", "healthy", "arn:web"), TargetEvent(2, "i-1", "healthy", "arn:api")]
    assert timeline(mixed, "arn:api").events == (mixed[1],)


def test_several_target_groups_and_none_named_is_refused() -> None:
    mixed = [TargetEvent(1, "i-1", "healthy", "arn:web"), TargetEvent(2, "i-1", "healthy", "arn:api")]
    with pytest.raises(UsageError, match=r"2 target groups: arn:api, arn:web\. Name the one to look at"):
        timeline(mixed)


@given(events, st.integers(0, 40).map(float), st.integers(0, 40).map(float))
def test_counts_are_those_of_each_target_looked_at_alone(found: HealthTimeline, one: float, other: float) -> None:
    start, end = sorted((one, other))
    moments = sorted({start, end} | {event.time for event in found.events if start <= event.time <= end})
    counts = [sum(state_at(found, target, time) == "healthy" for target in ("i-1", "i-2", "i-3")) for time in moments]
    assert found.lowest(start, end) == min(counts)
    healthy = {target for target in ("i-1", "i-2", "i-3") if state_at(found, target, end) == "healthy"}
    assert found.healthy_at(end) == healthy


@given(events)
def test_spans_of_a_target_never_overlap_and_agree_with_its_state(found: HealthTimeline) -> None:
    spans = found.spans(0, 41)
    for span in spans:
        assert span.start < span.end
        assert state_at(found, span.target, span.start) == span.state
        others = [other for other in spans if other.target == span.target and other is not span]
        assert all(other.end <= span.start or other.start >= span.end for other in others)


def test_line_of_the_balancers_log_becomes_an_event() -> None:
    fields = {
        "time": 12.5, "load_balancer": "web", "target_group": "arn:web", "target": "i-1", "port": 80,
        "state": "unhealthy", "reason": "Target.Timeout", "description": "Request timed out",
    }  # fmt: skip
    assert parse_event(fields) == TargetEvent(
        12.5, "i-1", "unhealthy", "arn:web", 80, "Target.Timeout", "Request timed out"
    )
    assert parse_event({**fields, "reason": None, "description": None}).reason == ""
