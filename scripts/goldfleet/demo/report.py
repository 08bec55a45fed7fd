"""The page of a told demo: one HTML file that needs no network, with pictures as SVG, made from DemoFacts alone.

What a picture looks like is worked out in capacity, targets and throughput; what is said about it, in wording. The templates
only place it, and escape every text.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from goldfleet.demo import wording
from goldfleet.demo.capacity import draw_capacity
from goldfleet.demo.drawing import SIZES
from goldfleet.demo.facts import DemoFacts, Stage
from goldfleet.demo.targets import draw_targets
from goldfleet.demo.throughput import draw_throughput
from goldfleet.demo.traffic import VersionSeen

MOST_FINDINGS = 12


@dataclass(frozen=True)
class Number:
    """One figure of the summary."""

    name: str
    value: str
    note: str = ""
    is_bad: bool = False


@dataclass(frozen=True)
class StageRow:
    """A row of the table of stages; parts of a stage have no number."""

    number: str
    stage: Stage


@dataclass(frozen=True)
class VersionRow:
    """A row of the table of versions."""

    name: str
    image_id: str
    seen: VersionSeen
    first: str
    last: str


def render(facts: DemoFacts) -> str:
    """Return the page."""
    environment = Environment(
        loader=PackageLoader("goldfleet.demo"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    began = datetime.fromtimestamp(facts.start, UTC)
    return environment.get_template("report.html.j2").render(
        facts=facts,
        began=began,
        axis_title=f"minutes:seconds since {began:%H:%M:%S} UTC",
        headline=wording.headline(facts),
        findings=wording.findings(facts),
        most_findings=MOST_FINDINGS,
        numbers=numbers(facts),
        capacities=[draw_capacity(facts, size) for size in SIZES],
        target_rows=[draw_targets(facts, size) for size in SIZES],
        throughputs=[draw_throughput(facts, size) for size in SIZES],
        unknown_targets=[event for event in facts.health.events if not facts.image_of_target(event.target)],
        capacity_text=wording.describe_capacity(facts),
        targets_text=wording.describe_targets(facts),
        requests_text=wording.describe_requests(facts),
        most_checks=max((host.total for run in facts.checks for host in run.hosts), default=1) or 1,
        stages=stage_rows(facts),
        versions=version_rows(facts),
        seconds=seconds_document(facts),
        colour_of=wording.colour_of,
        version_name=wording.version_name,
    )


def numbers(facts: DemoFacts) -> tuple[Number, ...]:
    """Return the figures of the summary."""
    requests = facts.requests
    hosts = [host for run in facts.checks for host in run.hosts]
    good = sum(host.is_good for host in hosts)
    promised = wording.span_of(facts.floor.stretches(facts.start, facts.end))
    return (
        Number("lowest healthy", str(facts.lowest_healthy), f"targets; floor {promised}", bool(facts.below_floor)),
        Number("requests failed", f"{requests.failed:,}", f"of {requests.sent:,} sent", requests.failed > 0),
        Number(
            "requests per second",
            f"{requests.sent / (facts.end - facts.start):.1f}" if facts.end > facts.start else "0",
            f"{facts.rate:g} wanted; {requests.kept:,} over kept connections",
        ),
        Number(
            "answered within",
            f"{requests.latency(0.5) * 1000:.1f} ms",
            f"median; 99 % {requests.latency(0.99) * 1000:.0f} ms, slowest {requests.latency(1) * 1000:.0f} ms",
        ),
        Number(
            "hosts proven", f"{good} of {len(hosts)}", f"in {len(facts.checks)} runs of the checks", good < len(hosts)
        ),
        Number("whole story", f"{story_seconds(facts):.0f} s", wording.count_of(len(chapters(facts)), "stage")),
    )


def chapters(facts: DemoFacts) -> list[Stage]:
    """Return the stages that are not parts of others."""
    return [stage for stage in facts.stages if not stage.is_part]


def story_seconds(facts: DemoFacts) -> float:
    """Return the seconds from the start of the first stage to the end of the last."""
    if not facts.stages:
        return facts.end - facts.start
    return max(stage.end for stage in facts.stages) - min(stage.start for stage in facts.stages)


def stage_rows(facts: DemoFacts) -> list[StageRow]:
    """Return the table of stages, numbered as in the pictures."""
    rows, number = [], 0
    for stage in facts.stages:
        number += not stage.is_part
        rows.append(StageRow("" if stage.is_part else str(number), stage))
    return rows


def version_rows(facts: DemoFacts) -> list[VersionRow]:
    """Return the table of versions, in the order in which they first answered."""
    rows = []
    for seen in facts.requests.versions:
        image = facts.image_of_version(seen.version)
        times = (wording.elapsed(seen.first - facts.start), wording.elapsed(seen.last - facts.start))
        rows.append(
            VersionRow(wording.version_name(facts, seen.version), image.image_id if image else "", seen, *times)
        )
    return rows


def seconds_document(facts: DemoFacts) -> dict[str, Any]:
    """Return what the page's script shows, a row a second: lowest healthy, floor, ceiling, failed, answered by version."""
    healthy = facts.healthy
    versions = [seen.version for seen in facts.requests.versions]
    rows = [
        [
            healthy.lowest(second.start, second.start + 1),
            facts.floor.value_at(second.start),
            facts.ceiling.value_at(second.start),
            second.failed,
            *(second.answered.get(version, 0) for version in versions),
        ]
        for second in facts.requests.per_second(facts.start, facts.end)
    ]
    return {
        "length": max(facts.end - facts.start, 1),
        "names": [wording.version_name(facts, version) for version in versions],
        "rows": rows,
    }
