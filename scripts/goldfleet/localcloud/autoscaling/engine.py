"""Auto Scaling on the wall clock: a thread that ticks the model when it wants to be, and after every call.

Neighbours: actions, which call the model under the same lock and then `changed`; install, which builds it.
"""

import logging
import threading
import time

from goldfleet.scaling.service import AutoScaling

AFTER_A_FAULT_SECONDS = 5.0
log = logging.getLogger("goldfleet.localcloud.autoscaling")


class WallClock:
    """Seconds since the epoch that never go back, whatever is done to the system's clock."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        """Return the time."""
        return time.monotonic() + self._offset


class Engine:
    """Drives one AutoScaling; every tick is under the lock that API calls hold."""

    def __init__(self, scaling: AutoScaling, lock: threading.RLock) -> None:
        self.scaling = scaling
        self._lock = lock
        self._changed = threading.Event()
        self._stopped = False

    def start(self) -> None:
        """Begin to tick."""
        threading.Thread(target=self._run, name="autoscaling", daemon=True).start()

    def stop(self) -> None:
        """Tick no more."""
        self._stopped = True
        self._changed.set()

    def changed(self) -> None:
        """Have the model act on what a call has just changed."""
        self._changed.set()

    def _run(self) -> None:
        while not self._stopped:
            wait = self._tick()
            self._changed.wait(wait)
            self._changed.clear()

    def _tick(self) -> float | None:
        """Tick once and return how many seconds to wait for the next one; None for as long as nothing changes."""
        try:
            with self._lock:
                wake = self.scaling.tick()
                return None if wake is None else max(0.0, wake - self.scaling.world.clock.now())
        except Exception:  # one faulty step must not stop every group for good
            log.exception("a tick failed")
            return AFTER_A_FAULT_SECONDS
