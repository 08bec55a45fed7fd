"""Acts that are due at a time, and threads for what may take long: the only ones that Run Command starts."""

import heapq
import itertools
import logging
import threading
from collections.abc import Callable

Act = Callable[[], None]
log = logging.getLogger("goldfleet.localcloud.ssm")


class Schedule:
    """Calls what is due in a thread of its own; `spawn` does so in another. A failing act is told and stops nothing."""

    def __init__(self, now: Callable[[], float]) -> None:
        self._now = now
        self._due: list[tuple[float, int, Act]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._stopped = False

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="run command", daemon=True).start()

    def stop(self) -> None:
        """Call nothing more, and wait for nothing."""
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def at(self, when: float, act: Act) -> None:
        """Have an act called at a time; it must not wait for anything."""
        with self._changed:
            heapq.heappush(self._due, (when, next(self._numbers), act))
            if self._due[0][2] is act:
                self._changed.notify()

    def spawn(self, act: Act) -> None:
        """Have an act called now, beside all others, in a thread that nobody waits for; it may take its time."""
        threading.Thread(target=_told, args=(act,), name="run command act", daemon=True).start()

    def _run(self) -> None:
        while (act := self._next()) is not None:
            _told(act)

    def _next(self) -> Act | None:
        with self._changed:
            while not self._stopped:
                wait = self._due[0][0] - self._now() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                self._changed.wait(wait)
        return None


def _told(act: Act) -> None:
    try:
        act()
    except Exception:  # one faulty step must not stop every command for good
        log.exception("an act failed")
