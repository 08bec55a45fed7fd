"""What a told demo came to, as frozen values: the whole input of the page. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any

from goldfleet.demo.events import HealthTimeline
from goldfleet.demo.steps import Change, Steps, Stretch, stretches_below
from goldfleet.demo.traffic import RequestLog

GOOD_VERDICT = "good"
OUTCOMES = ("error", "failed", "passed", "skipped")  # of verify.model.CheckOutcome, the worst first


@dataclass(frozen=True)
class Image:
    """A golden image: what the page calls it ("A"), its AMI, and the version that its servers' pages name."""

    label: str
    image_id: str
    version: str


@dataclass(frozen=True)
class Stage:
    """A chapter of the story, from start to end (epoch seconds); `is_part` when it belongs to the one before it."""

    title: str
    start: float
    end: float
    is_part: bool = False

    @property
    def seconds(self) -> float:
        """Return how long it took."""
        return self.end - self.start


@dataclass(frozen=True)
class BadCheck:
    """A check that failed, or could not run, and what it said."""

    name: str
    message: str


@dataclass(frozen=True)
class Part:
    """The checks of a host that ended in one way, and how many others stand before them."""

    outcome: str
    count: int
    before: int


@dataclass(frozen=True)
class HostChecks:
    """What `goldfleet verify` said about one host; `unreachable` says why nothing could be checked."""

    host: str
    verdict: str
    instance_id: str = ""
    image_id: str = ""
    counts: tuple[tuple[str, int], ...] = ()
    bad: tuple[BadCheck, ...] = ()
    unreachable: str = ""

    @property
    def is_good(self) -> bool:
        """Tell whether the host is proven."""
        return self.verdict == GOOD_VERDICT

    @property
    def total(self) -> int:
        """Return how many checks there were."""
        return sum(count for _, count in self.counts)

    @property
    def parts(self) -> tuple[Part, ...]:
        """Return the checks by how they ended, side by side: what failed stands first."""
        ranked = sorted(self.counts, key=lambda item: OUTCOMES.index(item[0]))
        before = accumulate((count for _, count in ranked), initial=0)
        return tuple(Part(outcome, count, skip) for (outcome, count), skip in zip(ranked, before, strict=False))

    @property
    def summary(self) -> str:
        """Return the counts in words, or why there are none."""
        return self.unreachable or ", ".join(f"{part.count} {part.outcome}" for part in self.parts) or "no check ran"


@dataclass(frozen=True)
class CheckRun:
    """One run of `goldfleet verify`, at one moment of the story."""

    title: str
    hosts: tuple[HostChecks, ...]

    @property
    def is_good(self) -> bool:
        """Tell whether every host is proven; no host at all is no proof."""
        return bool(self.hosts) and all(host.is_good for host in self.hosts)


@dataclass(frozen=True)
class DemoFacts:
    """Everything that the page shows.

    `rolled` is the label of the image that was rolled through the group. The pictures go from start to end (epoch seconds),
    which is when the load ran. Floor and ceiling have None where nothing was promised. `problem` says why the story stopped
    before its end, and is empty when it did not.
    """

    group: str
    servers: int
    rate: float
    images: tuple[Image, ...]
    rolled: str
    start: float
    end: float
    stages: tuple[Stage, ...] = ()
    health: HealthTimeline = field(default_factory=HealthTimeline)
    floor: Steps = field(default_factory=Steps)
    ceiling: Steps = field(default_factory=Steps)
    requests: RequestLog = field(default_factory=RequestLog)
    checks: tuple[CheckRun, ...] = ()
    problem: str = ""

    @property
    def lowest_healthy(self) -> int:
        """Return the lowest number of healthy targets while a floor was promised; in all the time if none ever was."""
        promised = [part for part in self.floor.stretches(self.start, self.end) if part.value is not None]
        times = [(part.start, part.end) for part in promised] or [(self.start, self.end)]
        return min(self.health.lowest(start, end) for start, end in times)

    @property
    def below_floor(self) -> tuple[Stretch, ...]:
        """Return when there were fewer healthy targets than promised."""
        return stretches_below(self.healthy, self.floor, self.start, self.end)

    @property
    def healthy(self) -> Steps:
        """Return the number of healthy targets over time; before the balancer's first event it is 0."""
        counted = self.health.healthy.changes
        before = min(self.start, *(change.time for change in counted[:1])) if counted else self.start
        return Steps((Change(before, 0), *counted))

    @property
    def is_good(self) -> bool:
        """Tell whether every promise was kept: the story ended, requests were sent and none failed, never below the floor,
        every host is proven wherever checks ran.
        """
        return (
            not self.problem
            and self.requests.sent > 0
            and self.requests.failed == 0
            and not self.below_floor
            and all(run.is_good for run in self.checks)
        )

    def image_of_version(self, version: str) -> Image | None:
        """Return the image whose servers name this version; None for a version that no image has."""
        return next((image for image in self.images if image.version == version), None)

    def image_of_id(self, image_id: str) -> Image | None:
        """Return the image with this AMI id; None when it is none of the story's."""
        return next((image for image in self.images if image.image_id == image_id), None)

    def image_of_target(self, instance_id: str) -> Image | None:
        """Return the image that the checks found on an instance; None when no check ran there."""
        found = {host.instance_id: host.image_id for run in self.checks for host in run.hosts}
        return self.image_of_id(found.get(instance_id, ""))


def parse_checks(title: str, document: Mapping[str, Any]) -> CheckRun:
    """Build a check run from the document that `goldfleet verify` writes (verify/reports.verdict_document)."""
    return CheckRun(title, tuple(parse_host(host, document["checks"]) for host in document["hosts"]))


def parse_host(fields: Mapping[str, Any], checks: Sequence[Mapping[str, Any]]) -> HostChecks:
    """Build one host's checks from its part of the document, and the checks that the document has for all hosts."""
    own = [checks[number] for number in fields["checks"]]
    counts = Counter(str(check["outcome"]) for check in own)
    bad = [check for check in own if check["outcome"] in ("failed", "error")]
    return HostChecks(
        str(fields["host"]),
        str(fields["verdict"]),
        str(fields.get("instance_id") or ""),
        str(fields.get("image_id") or ""),
        tuple(sorted(counts.items())),
        tuple(BadCheck(str(check["name"]), str(check["message"])) for check in bad),
        str(fields["unreachable"] or ""),
    )
