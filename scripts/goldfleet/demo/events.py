"""The balancer's own record of its targets: who was healthy when, and how many at the least. Pure.

An event says that a target of a target group came into a state. States are those of DescribeTargetHealth, and `gone` for
a target that is no longer registered. Source: ELBv2 API reference, TargetHealth.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from goldfleet.demo.steps import Steps, Stretch
from goldfleet.errors import UsageError

HEALTHY = "healthy"
ABSENT_STATES = frozenset({"unused", "gone"})


@dataclass(frozen=True)
class TargetEvent:
    """A target came into a state at a moment (epoch seconds)."""

    time: float
    target: str
    state: str
    target_group: str = ""
    port: int = 80
    reason: str = ""
    description: str = ""


@dataclass(frozen=True)
class TargetSpan:
    """A target was in one state for a while; `reason` is the code of the event that began it."""

    target: str
    state: str
    start: float
    end: float
    reason: str = ""


@dataclass(frozen=True)
class HealthTimeline:
    """Events of one target group, in order of time."""

    events: tuple[TargetEvent, ...] = ()

    @property
    def healthy(self) -> Steps:
        """Return how many targets are healthy over time; 0 from the first event on until one is."""
        healthy: set[tuple[str, int]] = set()
        counts: list[tuple[float, int | None]] = []
        for event in self.events:
            note_state(healthy, event)
            counts.append((event.time, len(healthy)))
        return Steps.of(*counts)

    def lowest(self, start: float, end: float) -> int:
        """Return the lowest number of healthy targets from start to end, both inclusive; before the first event it is 0."""
        known = self.healthy
        if not self.events or start < self.events[0].time:
            return 0
        return known.lowest(start, end) or 0

    def healthy_at(self, time: float) -> frozenset[str]:
        """Return the targets that were healthy at a moment."""
        healthy: set[tuple[str, int]] = set()
        for event in self.events:
            if event.time <= time:
                note_state(healthy, event)
        return frozenset(target for target, _ in healthy)

    def spans(self, start: float, end: float) -> tuple[TargetSpan, ...]:
        """Return what each target went through between two moments, target by target in order of their first event."""
        by_target: dict[str, list[TargetEvent]] = {}
        for event in self.events:
            by_target.setdefault(event.target, []).append(event)
        return tuple(span for events in by_target.values() for span in spans_of_one(events, start, end))


def note_state(healthy: set[tuple[str, int]], event: TargetEvent) -> None:
    """Enter an event into the set of healthy targets."""
    if event.state == HEALTHY:
        healthy.add((event.target, event.port))
    else:
        healthy.discard((event.target, event.port))


def spans_of_one(events: list[TargetEvent], start: float, end: float) -> list[TargetSpan]:
    """Return the spans of one target that last some time and lie between two moments, cut to them."""
    spans = []
    ends = [event.time for event in events[1:]] + [end]
    for event, until in zip(events, ends, strict=True):
        cut = Stretch(max(event.time, start), min(until, end), None)
        if cut.start < cut.end and event.state not in ABSENT_STATES:
            spans.append(TargetSpan(event.target, event.state, cut.start, cut.end, event.reason))
    return spans


def parse_event(fields: Mapping[str, Any]) -> TargetEvent:
    """Build an event from one object of the balancer's log. Raises KeyError, TypeError or ValueError for anything else."""
    return TargetEvent(
        float(fields["time"]),
        str(fields["target"]),
        str(fields["state"]),
        str(fields["target_group"]),
        int(fields["port"]),
        str(fields.get("reason") or ""),
        str(fields.get("description") or ""),
    )


def timeline(events: Iterable[TargetEvent], target_group: str | None = None) -> HealthTimeline:
    """Build the timeline of a target group (ARN); None when there is only one.

    Raises UsageError when none was named and there are several: their counts must not be added up.
    """
    found = sorted(events, key=lambda event: event.time)
    groups = sorted({event.target_group for event in found})
    if target_group is None and len(groups) > 1:
        raise UsageError(
            f"The balancer's log has {len(groups)} target groups: {', '.join(groups)}.", "Name the one to look at."
        )
    return HealthTimeline(tuple(event for event in found if target_group in (None, event.target_group)))
