"""The gate of new instances: `goldfleet verify` in the background, while the roll goes on looking."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Protocol

from goldfleet.errors import GoldfleetError, StoppedError
from goldfleet.roll.model import GateResult, GateVerdict
from goldfleet.stop import StopFlag
from goldfleet.verify.model import HostResult, Verdict

MOST_BATCHES = 8
LONGEST_LIST = 3


class Checks(Protocol):
    """Checks instances; goldfleet.verify.fleet.FleetChecks is one."""

    def check(self, instance_ids: Sequence[str], on_line: Callable[[str, str], None]) -> Verdict: ...


class VerifyGate:
    """Checks instances, each once at a time; one that could not be reached may be begun again.

    `stop` ends the checks that run: it must be the flag that they were built with, and a flag of their own, so that
    the roll's end ends them. `on_line` gets an instance's id and a line, from other threads.
    """

    def __init__(self, checks: Checks, stop: StopFlag, on_line: Callable[[str, str], None]) -> None:
        self._checks = checks
        self._stop = stop
        self._on_line = on_line
        self._lock = threading.Lock()
        self._running: set[str] = set()
        self._results: dict[str, GateResult] = {}
        self._pool = ThreadPoolExecutor(MOST_BATCHES, "gate")

    def begin(self, instance_ids: Sequence[str]) -> None:
        """Start the checks of instances that are not being checked; returns at once."""
        with self._lock:
            for instance_id in instance_ids:
                if instance_id not in self._running:
                    self._running.add(instance_id)
                    self._pool.submit(self._check, instance_id)

    def results(self) -> Mapping[str, GateResult]:
        """Return what was found so far, by instance id."""
        with self._lock:
            return dict(self._results)

    def close(self) -> None:
        """End the checks that are still running, and wait for that."""
        self._stop.set("the end of the roll")
        self._pool.shutdown(wait=True, cancel_futures=True)

    def _check(self, instance_id: str) -> None:
        try:
            verdict = self._checks.check([instance_id], self._on_line)
            result = next((judge(instance_id, one) for one in verdict.hosts), None)
        except StoppedError:
            result = None
        except GoldfleetError as error:  # AWS did not answer: nothing is known about the instance
            result = GateResult(instance_id, GateVerdict.UNREACHABLE, why=error.message)
        except Exception as error:  # noqa: BLE001 - a bug in a thread would otherwise be a roll that waits in silence
            result = GateResult(instance_id, GateVerdict.FAILED, why=f"its checks broke: {error!r}")
        with self._lock:
            self._running.discard(instance_id)
            if result is not None:
                self._results[instance_id] = result


def judge(instance_id: str, host: HostResult) -> GateResult:
    """Return what the gate makes of a host's checks. One that was not reached may still come up: that is no failure."""
    if host.is_good:
        return GateResult(instance_id, GateVerdict.GOOD, host.image_id)
    if host.verdict == "unreachable":
        return GateResult(instance_id, GateVerdict.UNREACHABLE, host.image_id, f"unreachable: {host.unreachable}")
    names = [check.name for check in host.bad]
    more = f" and {len(names) - LONGEST_LIST} more" if len(names) > LONGEST_LIST else ""
    why = host.not_run or f"{', '.join(names[:LONGEST_LIST])}{more}" or "no check ran"
    return GateResult(instance_id, GateVerdict.FAILED, host.image_id, why.splitlines()[0])
