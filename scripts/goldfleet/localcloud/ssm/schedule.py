"""Acts that are due at a time, and workers to do what may take long: the only threads of Run Command."""

import heapq
import itertools
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

MOST_WORKERS = 2000  # no limit of its own: MaxConcurrency is the only one
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
        self._workers = ThreadPoolExecutor(MOST_WORKERS, thread_name_prefix="run command")

    def start(self) -> None:
        """Begin."""
        threading.Thread(target=self._run, name="run command", daemon=True).start()

    def stop(self) -> None:
        """Call nothing more, and wait for nothing."""
        with self._changed:
            self._stopped = True
            self._changed.notify()
        self._workers.shutdown(wait=False, cancel_futures=True)

    def at(self, when: float, act: Act) -> None:
        """Have an act called at a time; it must not wait for anything."""
        with self._changed:
            heapq.heappush(self._due, (when, next(self._numbers), act))
            if self._due[0][2] is act:
                self._changed.notify()

    def spawn(self, act: Act) -> None:
        """Have an act called now, beside all others; it may take its time."""
        if not self._stopped:
            self._workers.submit(_told, act)

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
