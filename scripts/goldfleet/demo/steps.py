"""A number that changes at moments and stays the same between them: healthy targets, a floor, a ceiling. Pure."""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise


@dataclass(frozen=True)
class Change:
    """From `time` on (epoch seconds) the value is this; None means that nothing is known or promised."""

    time: float
    value: int | None


@dataclass(frozen=True)
class Stretch:
    """A time during which a value does not change: start inclusive, end exclusive."""

    start: float
    end: float
    value: int | None


@dataclass(frozen=True)
class Steps:
    """A step function of time, from changes in order of time; None before the first change.

    Of several changes at one moment the last one counts: what lasts no time was never there.
    """

    changes: tuple[Change, ...] = ()

    @classmethod
    def of(cls, *changes: tuple[float, int | None]) -> "Steps":
        """Build from (time, value) pairs in any order; pairs of the same time keep their order."""
        return cls(tuple(Change(*change) for change in sorted(changes, key=lambda change: change[0])))

    def value_at(self, time: float) -> int | None:
        """Return the value at a moment; at the moment of a change, the new one."""
        index = bisect_right(self.changes, time, key=lambda change: change.time)
        return self.changes[index - 1].value if index else None

    def stretches(self, start: float, end: float) -> tuple[Stretch, ...]:
        """Return the stretches between two moments, in order and without gap; neighbours differ in value."""
        moments = sorted({start, end} | {change.time for change in self.changes if start < change.time < end})
        return tuple(merge(Stretch(here, there, self.value_at(here)) for here, there in pairwise(moments)))

    def lowest(self, start: float, end: float) -> int | None:
        """Return the lowest known value from start to end, both inclusive; None when nothing is known in all that time."""
        seen = [stretch.value for stretch in self.stretches(start, end)]
        known = [value for value in (*seen, self.value_at(end)) if value is not None]
        return min(known, default=None)

    def highest(self, start: float, end: float) -> int | None:
        """Return the highest known value from start to end, both inclusive; None when nothing is known."""
        seen = [stretch.value for stretch in self.stretches(start, end)]
        known = [value for value in (*seen, self.value_at(end)) if value is not None]
        return max(known, default=None)


def merge(stretches: Iterable[Stretch]) -> list[Stretch]:
    """Join neighbours of the same value."""
    merged: list[Stretch] = []
    for stretch in stretches:
        if merged and merged[-1].value == stretch.value:
            merged[-1] = Stretch(merged[-1].start, stretch.end, stretch.value)
        else:
            merged.append(stretch)
    return merged


def stretches_below(value: Steps, limit: Steps, start: float, end: float) -> tuple[Stretch, ...]:
    """Return when a value is under its limit, as far as both are known; each stretch carries the lowest value in it."""
    found: list[Stretch] = []
    for stretch in value.stretches(start, end):
        for bound in limit.stretches(stretch.start, stretch.end):
            if stretch.value is None or bound.value is None or stretch.value >= bound.value:
                continue
            if found and found[-1].end == bound.start:
                lowest = min(stretch.value, found[-1].value or 0)
                found[-1] = Stretch(found[-1].start, bound.end, lowest)
            else:
                found.append(Stretch(bound.start, bound.end, stretch.value))
    return tuple(found)
