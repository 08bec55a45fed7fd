"""Where a time and a value lie on a picture, and the marks of its axes. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from goldfleet.demo.facts import DemoFacts
from goldfleet.demo.steps import Stretch
from goldfleet.demo.wording import elapsed

Span = tuple[float, float]  # from one moment to another, epoch seconds

TIME_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)
VALUE_STEPS: tuple[int, ...] = tuple(unit * 10**power for power in range(9) for unit in (1, 2, 5))
TEXT_WIDTH = 6.7  # of one letter of the labels, about
MARK_DISTANCE = 64.0  # between two marks of the time axis, at least


@dataclass(frozen=True)
class Size:
    """How wide a picture is, in CSS pixels, and the margin for its value axis. Pictures are drawn twice: text that is scaled
    down to a telephone cannot be read.
    """

    name: str
    width: float
    left: float


WIDE = Size("wide", 1040.0, 48.0)
NARROW = Size("narrow", 360.0, 34.0)
SIZES = (WIDE, NARROW)
RIGHT_MARGIN = 12.0
TOP = 30.0  # room for the stages' labels
AXIS_HEIGHT = 40.0  # room for the time axis and its title
NARROWEST = 2.5  # pixels: thinner than this a failure would not be seen


@dataclass(frozen=True)
class Frame:
    """The part of a picture in which values are drawn: pixels, and what their ends mean."""

    start: float
    end: float
    left: float
    right: float
    top: float
    bottom: float
    highest: float

    def x(self, time: float) -> float:
        """Return the pixel of a moment; what is outside goes to the edge."""
        inside = min(max(time, self.start), self.end)
        return round(self.left + (inside - self.start) / (self.end - self.start) * (self.right - self.left), 1)

    def y(self, value: float) -> float:
        """Return the pixel of a value from zero up."""
        return round(self.bottom - value / self.highest * (self.bottom - self.top), 1)


@dataclass(frozen=True)
class Mark:
    """A mark of an axis: pixel and text."""

    at: float
    text: str


@dataclass(frozen=True)
class Band:
    """A shaded stage of the story: its pixels, its number in the table, what it is called, and as much of that as has room."""

    left: float
    width: float
    number: int
    title: str
    label: str


@dataclass(frozen=True)
class Box:
    """A rectangle: pixels, the class that the template gives it, and a sentence for who points at it."""

    x: float
    y: float
    width: float
    height: float
    kind: str
    title: str


@dataclass(frozen=True)
class Picture:
    """What every picture has: its size, and the time axis with the stages on it."""

    size: Size
    height: float
    frame: Frame
    times: tuple[Mark, ...]
    stages: tuple[Band, ...]


def picture_of(facts: DemoFacts, size: Size, height: float, frame: Frame) -> dict[str, Any]:
    """Return the fields of a Picture, for one that has more."""
    return {"size": size, "height": height, "frame": frame, "times": time_marks(frame), "stages": bands(facts, frame)}


def box(frame: Frame, span: Span, lower: float, upper: float, kind: str, title: str = "") -> Box:
    """Return the rectangle of a span from one value up to another, never too narrow to be seen."""
    left, y = frame.x(span[0]), frame.y(upper)
    width = max(NARROWEST, frame.x(span[1]) - left)
    return Box(left, y, round(width, 1), round(frame.y(lower) - y, 1), kind, title)


def frame_of(facts: DemoFacts, size: Size, top: float, bottom: float, highest: float) -> Frame:
    """Return the frame for a picture of this demo; a demo without length gets a second."""
    end = max(facts.end, facts.start + 1)
    return Frame(facts.start, end, size.left, size.width - RIGHT_MARGIN, top, bottom, max(highest, 1))


def time_marks(frame: Frame) -> tuple[Mark, ...]:
    """Return marks at round times since the start, far enough apart for their texts."""
    length = frame.end - frame.start
    room = max(1.0, (frame.right - frame.left) / MARK_DISTANCE)
    step = next((step for step in TIME_STEPS if length / step <= room), TIME_STEPS[-1])
    return tuple(Mark(frame.x(frame.start + after), elapsed(after)) for after in range(0, int(length) + 1, step))


def value_marks(frame: Frame, most: int) -> tuple[Mark, ...]:
    """Return marks at round whole values from 0, so many steps at most."""
    step = next(step for step in VALUE_STEPS if frame.highest / step <= most)
    return tuple(Mark(frame.y(value), f"{value:,}") for value in range(0, int(frame.highest) + 1, step))


def round_up(value: float) -> float:
    """Return the next value above that leaves some room and has round marks: 60 becomes 80, 3 becomes 4."""
    step = next(step for step in VALUE_STEPS if value / step < 5)
    return (int(value / step) + 1) * step


def bands(facts: DemoFacts, frame: Frame) -> tuple[Band, ...]:
    """Return the stages that lie in the picture, numbered as in the table of stages; parts of stages are not shaded."""
    found = []
    chapters = [stage for stage in facts.stages if not stage.is_part]
    for number, stage in enumerate(chapters, start=1):
        left, right = frame.x(stage.start), frame.x(stage.end)
        if stage.start < frame.end and stage.end > frame.start and right > left:
            found.append(
                Band(left, round(right - left, 1), number, stage.title, fit(number, stage.title, right - left))
            )
    return tuple(found)


def fit(number: int, title: str, width: float) -> str:
    """Return as much of a stage's label as has room in so many pixels: number and title, the number, or nothing."""
    texts = (f"{number} {title}", str(number))
    return next((text for text in texts if (len(text) + 1) * TEXT_WIDTH <= width), "")


def step_path(frame: Frame, stretches: Iterable[Stretch]) -> str:
    """Return the SVG path of a step line, with gaps where nothing is known."""
    parts, is_drawing = [], False
    for stretch in stretches:
        if stretch.value is None:
            is_drawing = False
            continue
        y = frame.y(stretch.value)
        parts.append(f"V{y}" if is_drawing else f"M{frame.x(stretch.start)} {y}")
        parts.append(f"H{frame.x(stretch.end)}")
        is_drawing = True
    return "".join(parts)


def area_path(frame: Frame, lower: Sequence[int], upper: Sequence[int]) -> str:
    """Return the SVG path of the area between two rows of values, one a second from the frame's start; "" when it is empty."""
    if not any(above > below for below, above in zip(lower, upper, strict=True)):
        return ""
    forward = "".join(f"V{frame.y(value)}H{frame.x(frame.start + end)}" for value, _, end in runs(upper))
    back = "".join(f"V{frame.y(value)}H{frame.x(frame.start + begin)}" for value, begin, _ in reversed(runs(lower)))
    return f"M{frame.left} {frame.y(0)}{forward}{back}Z"


def runs(values: Sequence[int]) -> list[tuple[int, int, int]]:
    """Return (value, first index, index after the last) of each run of equal values."""
    found, begin = [], 0
    for value, group in groupby(values):
        length = len(list(group))
        found.append((value, begin, begin + length))
        begin += length
    return found
