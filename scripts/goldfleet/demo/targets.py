"""Picture 1, second half: which target was in which state when, worked out to pixels. Pure; the template draws it."""

from dataclasses import dataclass, replace

from goldfleet.demo.drawing import (
    AXIS_HEIGHT,
    TEXT_WIDTH,
    TOP,
    Box,
    Frame,
    Picture,
    Size,
    box,
    frame_of,
    picture_of,
)
from goldfleet.demo.events import HEALTHY, TargetSpan
from goldfleet.demo.facts import DemoFacts
from goldfleet.demo.wording import colour_of, elapsed

ROW = 34.0
ABOVE = 17.0  # what a label above its bar takes
GAP = 4.0


@dataclass(frozen=True)
class Row:
    """One target: where its label stands, and its spans."""

    label: str
    x: float
    y: float
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Targets(Picture):
    """The picture: a row for each target."""

    rows: tuple[Row, ...]


def draw_targets(facts: DemoFacts, size: Size) -> Targets:
    """Work out the picture of the targets; its time axis lies as in the other pictures."""
    by_target: dict[str, list[TargetSpan]] = {}
    for span in facts.health.spans(facts.start, facts.end):
        by_target.setdefault(span.target, []).append(span)
    frame = frame_of(facts, size, TOP, TOP + ROW * len(by_target), 1)
    tops = [TOP + ROW * number for number in range(len(by_target))]
    rows = [draw_row(facts, frame, top, spans) for top, spans in zip(tops, by_target.values(), strict=True)]
    return Targets(**picture_of(facts, size, frame.bottom + AXIS_HEIGHT, frame), rows=tuple(rows))


def draw_row(facts: DemoFacts, frame: Frame, top: float, spans: list[TargetSpan]) -> Row:
    """Work out the row of one target; its label stands above the beginning of its bar, or as near as there is room."""
    target = spans[0].target
    image = facts.image_of_target(target)
    label = f"{target} (image {image.label})" if image else target
    bar = replace(frame, top=top + ABOVE, bottom=top + ROW - GAP)
    boxes = [box(bar, (span.start, span.end), 0, 1, kind_of(facts, span), describe(facts, span)) for span in spans]
    x = max(frame.left, min(boxes[0].x, round(frame.right - len(label) * TEXT_WIDTH, 1)))
    return Row(label, x, top + ABOVE - GAP, tuple(boxes))


def kind_of(facts: DemoFacts, span: TargetSpan) -> str:
    """Return how a span is drawn: a healthy one in the colour of its image, any other one by its state."""
    if span.state != HEALTHY:
        return span.state
    image = facts.image_of_target(span.target)
    return f"version-{colour_of(facts, image.version)}" if image else HEALTHY


def describe(facts: DemoFacts, span: TargetSpan) -> str:
    """Return what a span says to who points at it."""
    reason = f" ({span.reason})" if span.reason else ""
    times = f"{elapsed(span.start - facts.start)} to {elapsed(span.end - facts.start)}"
    return f"{span.target}: {span.state}{reason}, {times}"
