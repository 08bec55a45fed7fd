"""Picture 1: healthy targets against floor and ceiling over time, worked out to pixels. Pure; the template draws it."""

from dataclasses import dataclass

from goldfleet.demo.drawing import (
    AXIS_HEIGHT,
    TOP,
    Box,
    Frame,
    Mark,
    Picture,
    Size,
    box,
    frame_of,
    picture_of,
    step_path,
    value_marks,
)
from goldfleet.demo.facts import DemoFacts
from goldfleet.demo.wording import elapsed

HEIGHT = 260.0


@dataclass(frozen=True)
class Capacity(Picture):
    """The picture: three step lines, what is forbidden, and where that was entered."""

    values: tuple[Mark, ...]
    healthy: str
    floor: str
    ceiling: str
    forbidden: tuple[Box, ...]
    below: tuple[Box, ...]


def draw_capacity(facts: DemoFacts, size: Size) -> Capacity:
    """Work out the picture of capacity."""
    lines = [facts.healthy, facts.ceiling, facts.floor]
    highest = max(line.highest(facts.start, facts.end) or 0 for line in lines)
    frame = frame_of(facts, size, TOP, HEIGHT - AXIS_HEIGHT, highest + 1)
    healthy, ceiling, floor = (step_path(frame, line.stretches(frame.start, frame.end)) for line in lines)
    return Capacity(
        **picture_of(facts, size, HEIGHT, frame),
        values=value_marks(frame, 6),
        healthy=healthy,
        floor=floor,
        ceiling=ceiling,
        forbidden=forbidden(facts, frame),
        below=shortfalls(facts, frame),
    )


def forbidden(facts: DemoFacts, frame: Frame) -> tuple[Box, ...]:
    """Return what lies under the floor and over the ceiling."""
    under = [
        box(frame, (part.start, part.end), 0, part.value, "under")
        for part in facts.floor.stretches(frame.start, frame.end)
        if part.value is not None
    ]
    over = [
        box(frame, (part.start, part.end), part.value, frame.highest, "over")
        for part in facts.ceiling.stretches(frame.start, frame.end)
        if part.value is not None
    ]
    return (*under, *over)


def shortfalls(facts: DemoFacts, frame: Frame) -> tuple[Box, ...]:
    """Return what lies between the healthy targets and a floor that they are under."""
    found = []
    for low in facts.below_floor:
        for part in facts.healthy.stretches(low.start, low.end):
            title = f"{part.value} healthy, below the floor, from {elapsed(part.start - facts.start)}"
            promised = facts.floor.value_at(part.start) or 0
            found.append(box(frame, (part.start, part.end), part.value or 0, promised, "breach", title))
    return tuple(found)
