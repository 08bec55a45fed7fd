"""What became of the requests: which failed, which version answered when. Pure.

A request is one GET of goldfleet.demo.load. It failed if anything but the expected status and body came within its time.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from math import ceil, floor
from typing import Any


@dataclass(frozen=True, slots=True)
class Request:
    """One request: when it was due (epoch seconds), how long it took from then, what came back.

    `error` says why it failed and is empty otherwise; `status` is 0 when no answer came; `version` is what the body named.
    `connection` is new or kept.
    """

    time: float
    latency: float
    ok: bool
    status: int = 0
    error: str = ""
    version: str = ""
    connection: str = "new"

    def to_document(self) -> dict[str, Any]:
        """Return the request as plain JSON values, times to the tenth of a millisecond."""
        return {**asdict(self), "time": round(self.time, 4), "latency": round(self.latency, 4)}


@dataclass(frozen=True)
class Second:
    """The requests that were due within one second: good ones by version, and how many failed."""

    start: float
    answered: Mapping[str, int] = field(default_factory=dict)
    failed: int = 0


@dataclass(frozen=True)
class VersionSeen:
    """When a version first and last answered, and how many requests."""

    version: str
    first: float
    last: float
    count: int


@dataclass(frozen=True)
class Failure:
    """How many requests failed for one reason, and when the first one did."""

    error: str
    count: int
    first: float


@dataclass(frozen=True)
class RequestLog:
    """All requests of one run of the load."""

    requests: tuple[Request, ...] = ()

    @property
    def sent(self) -> int:
        """Return how many were sent."""
        return len(self.requests)

    @property
    def failed(self) -> int:
        """Return how many failed."""
        return sum(not request.ok for request in self.requests)

    @property
    def kept(self) -> int:
        """Return how many went over a connection that had carried another request before."""
        return sum(request.connection == "kept" for request in self.requests)

    @property
    def versions(self) -> tuple[VersionSeen, ...]:
        """Return the versions that answered well, in the order in which they first did."""
        times: dict[str, list[float]] = {}
        for request in self.requests:
            if request.ok:
                times.setdefault(request.version, []).append(request.time)
        seen = [VersionSeen(version, min(at), max(at), len(at)) for version, at in times.items()]
        return tuple(sorted(seen, key=lambda version: (version.first, version.version)))

    @property
    def failures(self) -> tuple[Failure, ...]:
        """Return why requests failed, the most frequent reason first."""
        times: dict[str, list[float]] = {}
        for request in self.requests:
            if not request.ok:
                times.setdefault(request.error, []).append(request.time)
        return tuple(
            Failure(error, len(at), min(at))
            for error, at in sorted(times.items(), key=lambda item: (-len(item[1]), item[0]))
        )

    def latency(self, share: float) -> float:
        """Return the seconds within which this share (0 < share <= 1) of the good requests was answered; 0 when none was.

        The nearest-rank percentile: always a latency that was measured.
        """
        latencies = sorted(request.latency for request in self.requests if request.ok)
        return latencies[ceil(share * len(latencies)) - 1] if latencies else 0.0

    def per_second(self, start: float, end: float) -> tuple[Second, ...]:
        """Return each second from start to end, those without a request too; the last one may be shorter."""
        count = max(0, ceil(end - start))
        answered: list[Counter[str]] = [Counter() for _ in range(count)]
        failed = [0] * count
        for request in self.requests:
            index = floor(request.time - start)
            if not 0 <= index < count:
                continue
            if request.ok:
                answered[index][request.version] += 1
            else:
                failed[index] += 1
        return tuple(Second(start + index, dict(answered[index]), failed[index]) for index in range(count))


def parse_request(fields: Mapping[str, Any]) -> Request:
    """Build a request from one object of the load's log. Raises KeyError, TypeError or ValueError for anything else."""
    return Request(
        float(fields["time"]),
        float(fields["latency"]),
        bool(fields["ok"]),
        int(fields["status"]),
        str(fields["error"]),
        str(fields["version"]),
        str(fields["connection"]),
    )
