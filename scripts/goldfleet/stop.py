"""Ctrl-C and SIGTERM, turned into a flag that is looked at where stopping is safe.

A signal never interrupts a clean-up: it sets the flag, waits end with StoppedError, and whoever runs a child process
looks at the flag and passes the signal on.
"""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from types import FrameType

from goldfleet.clock import Clock
from goldfleet.errors import StoppedError

STOPPING_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class StopFlag:
    """Says whether somebody asked this process to stop, and with which signal."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self.signal_name = ""

    @property
    def is_set(self) -> bool:
        """Tell whether stopping was asked for."""
        return self._event.is_set()

    def set(self, signal_name: str) -> None:
        """Ask for a stop; only the first signal's name is kept."""
        if not self._event.is_set():
            self.signal_name = signal_name
            self._event.set()

    def wait(self, seconds: float) -> bool:
        """Wait until a stop is asked for, at most so many seconds; tell whether it was."""
        return self._event.wait(seconds)

    def check(self) -> None:
        """Raise StoppedError when a stop was asked for."""
        if self.is_set:
            raise StoppedError(f"Stopped by {self.signal_name}.")


class StoppableClock:
    """A clock whose sleep ends with StoppedError as soon as a stop is asked for."""

    def __init__(self, clock: Clock, stop: StopFlag) -> None:
        self._clock = clock
        self._stop = stop

    def now(self) -> datetime:
        """Return the time of day, aware, in UTC."""
        return self._clock.now()

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return self._clock.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait, or raise StoppedError."""
        self._stop.wait(seconds)
        self._stop.check()


@contextmanager
def catch_signals(stop: StopFlag) -> Iterator[None]:
    """Set the flag on SIGINT, SIGTERM and SIGHUP inside the block; the old handlers are back after it.

    Outside the main thread Python allows no handlers: there nothing is caught, and the caller sets the flag itself.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def remember(number: int, _frame: FrameType | None) -> None:
        stop.set(signal.Signals(number).name)

    old = {number: signal.signal(number, remember) for number in STOPPING_SIGNALS}
    try:
        yield
    finally:
        for number, handler in old.items():
            signal.signal(number, handler)
