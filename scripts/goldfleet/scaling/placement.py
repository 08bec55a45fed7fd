"""When the Availability Zones are out of balance, and how far balancing may go: pure.

Source: EC2 Auto Scaling user guide, "Auto Scaling group Availability Zone distribution" (balanced best effort).
"""

from collections import Counter
from collections.abc import Sequence

from goldfleet.scaling.model import Zone


def overfull_zones(counts: Counter[str], zones: Sequence[Zone]) -> frozenset[str]:
    """Return the zones from which one member should move: two or more above the emptiest, or no longer the group's."""
    names = {zone.name for zone in zones}
    fewest = min(counts[name] for name in names)
    return frozenset(name for name, count in counts.items() if count and (name not in names or count >= fewest + 2))


def rebalancing_limit(max_size: int) -> int:
    """Return how many instances a group may have while it rebalances: 10 percent or one above max, whichever is more.

    Source: user guide, "Availability Zone distribution": "temporarily exceed … by a 10 percent margin (or by a margin of one
    instance, whichever is greater)".
    """
    return max_size + max(1, max_size // 10)
