"""The members of one group, found by id and by lifecycle state without looking at all of them.

Every change of state goes through `move`, which holds the model to the documented lifecycle.
"""

from collections import Counter
from collections.abc import Iterator

from goldfleet.scaling.lifecycle import COUNTED_STATES, FOLLOWERS, IllegalTransitionError, LifecycleState
from goldfleet.scaling.model import Member


class Roster:
    """Members in the order in which they joined."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._by_state: dict[LifecycleState, dict[str, Member]] = {state: {} for state in LifecycleState}
        self._zone_counts: Counter[str] = Counter()
        self.transitions = 0  # how many were made; for measurements

    def __len__(self) -> int:
        return len(self._members)

    def __iter__(self) -> Iterator[Member]:
        return iter(self._members.values())

    def get(self, instance_id: str) -> Member | None:
        """Return a member by id."""
        return self._members.get(instance_id)

    def add(self, member: Member) -> None:
        """Take a new member in, in the state it has."""
        self._members[member.instance_id] = member
        self._by_state[member.state][member.instance_id] = member
        self._zone_counts[member.zone] += member.state in COUNTED_STATES
        self.transitions += 1

    def move(self, member: Member, state: LifecycleState) -> None:
        """Put a member into its next state; IllegalTransitionError if AWS documents no such step."""
        if state not in FOLLOWERS[member.state]:
            raise IllegalTransitionError(f"{member.instance_id} cannot go from {member.state} to {state}")
        del self._by_state[member.state][member.instance_id]
        self._zone_counts[member.zone] += (state in COUNTED_STATES) - (member.state in COUNTED_STATES)
        member.state = state
        self._by_state[state][member.instance_id] = member
        self.transitions += 1

    def remove(self, member: Member) -> None:
        """Forget a member that is Terminated or Detached."""
        del self._by_state[member.state][member.instance_id]
        del self._members[member.instance_id]

    def count(self, *states: LifecycleState) -> int:
        """Return how many members are in any of the states."""
        return sum(len(self._by_state[state]) for state in states)

    def count_by_zone(self) -> Counter[str]:
        """Return how many members each zone has that count toward the desired capacity."""
        return self._zone_counts.copy()

    def within(self, *states: LifecycleState) -> list[Member]:
        """Return the members in any of the states; a list of its own, safe to change the roster under."""
        return [member for state in states for member in self._by_state[state].values()]
