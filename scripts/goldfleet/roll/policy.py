"""What the operator wants, as numbers for a group of a given size; pure."""

from goldfleet.roll.model import Policy


def surge_limit(policy: Policy, desired_capacity: int) -> int:
    """Return how many instances a roll may add to a group of this desired capacity, 1 or more.

    A percentage rounds down, but never below 1.
    """
    if isinstance(policy.surge, int):
        return max(1, policy.surge)
    return max(1, desired_capacity * int(policy.surge.rstrip("%")) // 100)
