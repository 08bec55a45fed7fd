"""One group's state, and the few steps that every behaviour is made of: note, wake, move.

The behaviours (launching, terminating, waiting, health, balance, membership, schedule) are functions on a Group in
modules of their own.
"""

import heapq
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from goldfleet.scaling.journal import Journal, cause_of, sentence
from goldfleet.scaling.lifecycle import COUNTED_STATES, LifecycleState
from goldfleet.scaling.model import GroupSpec, Hook, Member, ScheduledAction, Settings, Transition, Zone
from goldfleet.scaling.ports import Clock, Ids, Launches, LoadBalancer, Machines
from goldfleet.scaling.roster import Roster


@dataclass(frozen=True, slots=True)
class World:
    """The ports, and how quick Auto Scaling is."""

    clock: Clock
    machines: Machines
    balancer: LoadBalancer
    launches: Launches
    ids: Ids
    settings: Settings = Settings()  # noqa: RUF009 - frozen


class Group:
    """A group as it is. Read anything; change it only through the functions of goldfleet.scaling."""

    def __init__(self, spec: GroupSpec, world: World) -> None:
        self.spec = spec
        self.world = world
        self.created_at = world.clock.now()
        self.roster = Roster()
        self.journal = Journal(world.ids, world.settings.keep_activities_seconds)
        self.hooks: dict[str, Hook] = {}
        self.scheduled_actions: dict[str, ScheduledAction] = {}
        self.suspended: dict[str, str] = {}  # process -> SuspensionReason
        self.removing_targets: dict[str, set[str]] = {}  # detached target group -> instances still draining
        self.is_deleting = False
        self.is_settled = False  # nothing has changed since the sizes were last looked at
        self.reasons: list[str] = []  # sentences for the next scaling activity's Cause
        self.unhealthy: dict[str, Member] = {}
        self.replacements_due = 0  # unhealthy members on their way out whose successors are to be launched
        self.is_blocked_by_protection = False  # a scale-in found only protected members, and said so
        self.failed_launches = 0  # in a row
        self.failing_since: float | None = None
        self.next_launch_at = 0.0
        self.next_look_at = 0.0
        self.next_health_check_at = 0.0
        self._timers: list[tuple[float, int, Callable[[], None]]] = []
        self._timer_count = 0

    @property
    def now(self) -> float:
        """Return the time."""
        return self.world.clock.now()

    @property
    def capacity(self) -> int:
        """Return how many members count toward the desired capacity: those on their way in and those in service."""
        return self.roster.count(*COUNTED_STATES)

    def is_active(self, process: str) -> bool:
        """Say whether a process is not suspended."""
        return process not in self.suspended

    def hooks_for(self, transition: Transition) -> list[Hook]:
        """Return the hooks of a transition."""
        return [hook for hook in self.hooks.values() if hook.transition is transition]

    def zone_of(self, member: Member) -> Zone:
        """Return a member's zone with its subnet, as far as the group still knows it."""
        return next((zone for zone in self.spec.zones if zone.name == member.zone), Zone(member.zone))

    def note(self, text: str) -> None:
        """Remember why the capacity is to change, for the Cause of the activities that follow."""
        self.reasons.append(sentence(self.now, text))
        self.is_settled = False

    def say(self, text: str) -> str:
        """Return a Cause of one sentence."""
        return sentence(self.now, text)

    def take_cause(self, *texts: str) -> str:
        """Return the noted reasons and the given sentences as one Cause; the reasons are used up."""
        told, self.reasons = self.reasons, []
        return cause_of([*told, *(sentence(self.now, text) for text in texts)])

    def move(self, member: Member, state: LifecycleState) -> None:
        """Put a member into its next lifecycle state; sizes are looked at again."""
        self.roster.move(member, state)
        self.is_settled = False

    def wake_at(self, seconds: float, action: Callable[[], None]) -> None:
        """Call `action` in the first tick at or after a time."""
        self._timer_count += 1
        heapq.heappush(self._timers, (seconds, self._timer_count, action))

    def due_actions(self) -> Iterable[Callable[[], None]]:
        """Yield what is due now, and forget it."""
        while self._timers and self._timers[0][0] <= self.now:
            yield heapq.heappop(self._timers)[2]

    def next_timer(self) -> float | None:
        """Return when the next action is due."""
        return self._timers[0][0] if self._timers else None
