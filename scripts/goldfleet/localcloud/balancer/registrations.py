"""Which targets are registered, and what was last seen of them; every change of a state is told to the event log.

Registering and deregistering write an intention and return at once; a load balancer's worker carries it out and publishes what
it sees. Looking is answered from memory. Safe for threads.
"""

import itertools
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from goldfleet.localcloud.balancer.health import DRAINING, NOT_IN_USE, REGISTERING
from goldfleet.localcloud.balancer.model import Target, TargetHealth


@dataclass(frozen=True)
class Registration:
    """One registration of a target; the same target registered again is another."""

    target: Target
    number: int
    deregistered_at: float | None = None


@dataclass(frozen=True)
class StateChange:
    """A target's state has changed; no health means that the target has left."""

    target_group_arn: str
    target: Target
    health: TargetHealth | None


class Registrations:
    """The targets of all target groups."""

    def __init__(self, tell: Callable[[StateChange], None], now: Callable[[], float]) -> None:
        self._tell = tell
        self._now = now
        self._numbers = itertools.count(1)
        self._lock = threading.RLock()
        self._registered: dict[str, dict[Target, Registration]] = {}
        self._health: dict[str, dict[Target, TargetHealth]] = {}

    def register(self, arn: str, target: Target, *, is_in_use: bool) -> None:
        """Register a target; one that is registered stays as it is, one that drains starts anew."""
        with self._lock:
            known = self._registered.setdefault(arn, {})
            if target in known and known[target].deregistered_at is None:
                return
            known[target] = Registration(target, next(self._numbers))
            self._see(arn, target, REGISTERING if is_in_use else NOT_IN_USE)

    def deregister(self, arn: str, target: Target, *, is_in_use: bool) -> None:
        """Begin to take a target out; where no load balancer uses the target group it is out at once."""
        with self._lock:
            registration = self._registered.get(arn, {}).get(target)
            if registration is None:
                return
            if not is_in_use:
                self.remove(arn, registration)
            elif registration.deregistered_at is None:
                self._registered[arn][target] = replace(registration, deregistered_at=self._now())
                self._see(arn, target, DRAINING)

    def registered(self, arn: str) -> tuple[Registration, ...]:
        """Return the targets of a target group, leaving ones too."""
        with self._lock:
            return tuple(self._registered.get(arn, {}).values())

    def health(self, arn: str) -> Mapping[Target, TargetHealth]:
        """Return what was last seen of each target of a target group."""
        with self._lock:
            return dict(self._health.get(arn, {}))

    def publish(self, arn: str, registration_number: int, target: Target, health: TargetHealth) -> None:
        """Keep what was seen of a target, unless it was registered anew or deregistered meanwhile."""
        with self._lock:
            registration = self._registered.get(arn, {}).get(target)
            if registration is None or registration.number != registration_number:
                return
            if registration.deregistered_at is None or health == DRAINING:
                self._see(arn, target, health)

    def remove(self, arn: str, registration: Registration) -> None:
        """Forget a target that has left, unless it was registered anew meanwhile."""
        with self._lock:
            known = self._registered.get(arn, {}).get(registration.target)
            if known is not None and known.number == registration.number:
                del self._registered[arn][registration.target]
                self._health.get(arn, {}).pop(registration.target, None)
                self._tell(StateChange(arn, registration.target, None))

    def leave_unused(self, arn: str) -> None:
        """Settle a target group that no load balancer uses: who was leaving is gone, the others wait."""
        for registration in self.registered(arn):
            if registration.deregistered_at is not None:
                self.remove(arn, registration)
            else:
                self.publish(arn, registration.number, registration.target, NOT_IN_USE)

    def forget(self, arn: str) -> None:
        """Forget a deleted target group with its targets."""
        for registration in self.registered(arn):
            self.remove(arn, registration)

    def _see(self, arn: str, target: Target, health: TargetHealth) -> None:
        before = self._health.setdefault(arn, {}).get(target)
        self._health[arn][target] = health
        if before is None or before.state is not health.state:
            self._tell(StateChange(arn, target, health))
