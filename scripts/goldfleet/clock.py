"""Time, passed in: whatever waits or stamps takes a Clock.

The only module below the command line that sleeps. Tests pass a clock of their own, whose sleep returns at once.
"""

import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Protocol, TypeVar

Seen = TypeVar("Seen")

FIRST_PAUSE_SECONDS = 0.25
LONGEST_PAUSE_SECONDS = 5.0
PAUSE_GROWTH = 1.3


class Clock(Protocol):
    """What time it is, how much has passed, and waiting."""

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC."""
        ...

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait; a clock that can be stopped raises StoppedError instead of waiting on."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


def pauses() -> Iterator[float]:
    """Yield how long to wait between looks, in seconds: short at first, then longer, up to a limit."""
    pause = FIRST_PAUSE_SECONDS
    while True:
        yield pause
        pause = min(pause * PAUSE_GROWTH, LONGEST_PAUSE_SECONDS)


def wait_until(look: Callable[[], Seen | None], clock: Clock, timeout_seconds: float) -> Seen | None:
    """Look again and again until `look` returns something other than None; None when the time is over.

    It looks at least once, and once more at the very end.
    """
    deadline = clock.monotonic() + timeout_seconds
    for pause in pauses():
        seen = look()
        if seen is not None:
            return seen
        left = deadline - clock.monotonic()
        if left <= 0:
            break
        clock.sleep(min(pause, left))
    return None
