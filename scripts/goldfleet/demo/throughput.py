"""Picture 2: requests per second by the version that answered, worked out to pixels. Pure; the template draws it.

Failed requests stand on top of the good ones and once more in a lane of their own: one among thousands must be seen.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, pairwise
from math import floor

from goldfleet.demo.drawing import (
    AXIS_HEIGHT,
    TOP,
    Box,
    Frame,
    Mark,
    Picture,
    Size,
    area_path,
    box,
    frame_of,
    picture_of,
    round_up,
    value_marks,
)
from goldfleet.demo.facts import DemoFacts
from goldfleet.demo.traffic import Second
from goldfleet.demo.wording import colour_of, count_of, elapsed, version_name

HEIGHT = 330.0
LANE_HEIGHT = 44.0
LANE_GAP = 34.0
LOWEST = 0.12  # of the lane: a lower bar would not be seen beside a high one


@dataclass(frozen=True)
class Area:
    """The requests that one version answered."""

    path: str
    colour: int
    name: str


@dataclass(frozen=True)
class Throughput(Picture):
    """The picture: an area for each version, the failed ones on top, and the lane of the failed ones below."""

    lane: Frame
    values: tuple[Mark, ...]
    areas: tuple[Area, ...]
    failed: str
    failures: tuple[Box, ...]
    most_failed: int


def draw_throughput(facts: DemoFacts, size: Size) -> Throughput:
    """Work out the picture of the requests."""
    seconds = facts.requests.per_second(facts.start, facts.end)
    versions = [seen.version for seen in facts.requests.versions]
    whole = seconds[
        : floor(facts.end - facts.start)
    ]  # in half a second half the requests are sent: no drop is to be seen
    edges = stack(whole, versions)
    bottom = HEIGHT - AXIS_HEIGHT - LANE_HEIGHT - LANE_GAP
    frame = frame_of(facts, size, TOP, bottom, round_up(max(edges[-1], default=0)))
    most_failed = max((second.failed for second in seconds), default=0)
    lane = frame_of(facts, size, HEIGHT - AXIS_HEIGHT - LANE_HEIGHT, HEIGHT - AXIS_HEIGHT, most_failed)
    areas = [area_path(frame, lower, upper) for lower, upper in pairwise(edges)]
    return Throughput(
        **picture_of(facts, size, HEIGHT, frame),
        lane=lane,
        values=value_marks(frame, 5),
        areas=tuple(
            Area(path, colour_of(facts, version), version_name(facts, version))
            for path, version in zip(areas, versions, strict=False)
        ),
        failed=areas[-1],
        failures=failures(facts, lane, seconds),
        most_failed=most_failed,
    )


def stack(seconds: Sequence[Second], versions: Sequence[str]) -> list[list[int]]:
    """Return the edges between the areas, from the zero line up: one row of values an edge, the failed ones last."""
    columns = [
        list(accumulate([0, *(second.answered.get(version, 0) for version in versions), second.failed]))
        for second in seconds
    ]
    return [[column[edge] for column in columns] for edge in range(len(versions) + 2)]


def failures(facts: DemoFacts, lane: Frame, seconds: Sequence[Second]) -> tuple[Box, ...]:
    """Return a bar in the lane for each second in which requests failed."""
    return tuple(
        box(
            lane,
            (second.start, second.start + 1),
            0,
            max(second.failed, lane.highest * LOWEST),
            "failed",
            f"{count_of(second.failed, 'request')} failed at {elapsed(second.start - facts.start)}",
        )
        for second in seconds
        if second.failed
    )
