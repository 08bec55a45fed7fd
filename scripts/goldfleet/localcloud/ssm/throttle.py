"""A token bucket for each API action: pure, told the time.

AWS throttles Run Command and publishes neither rates nor bursts: these numbers are the local cloud's own, no hint of AWS's.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Rate:
    """How many calls a second an action bears for long, and how many at once."""

    per_second: float
    burst: int


GENEROUS = Rate(per_second=200.0, burst=1000)


@dataclass
class Throttle:
    """Admits calls by action; `calls` and `throttled` count all of them and the refused ones."""

    rates: Mapping[str, Rate] = field(default_factory=dict)
    otherwise: Rate = GENEROUS
    calls: Counter[str] = field(default_factory=Counter)
    throttled: Counter[str] = field(default_factory=Counter)
    _buckets: dict[str, tuple[float, float]] = field(default_factory=dict)  # tokens, and when they were counted

    def admits(self, action: str, now: float) -> bool:
        """Say whether a call may be answered now, and count it."""
        rate = self.rates.get(action, self.otherwise)
        tokens, since = self._buckets.get(action, (float(rate.burst), now))
        tokens = min(float(rate.burst), tokens + max(0.0, now - since) * rate.per_second)
        is_admitted = tokens >= 1.0
        self._buckets[action] = (tokens - 1.0 if is_admitted else tokens, now)
        self.calls[action] += 1
        if not is_admitted:
            self.throttled[action] += 1
        return is_admitted
