"""Which instances a scale-in takes: pure.

First the zones (balance goes before every policy), then the policies in their order. A policy is a rank: the lowest
goes first, and the next policy decides between equals. Protected members are never taken. Source: EC2 Auto Scaling user
guide, "Configure termination policies" and "Use instance scale-in protection".
"""

from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from goldfleet.scaling.lifecycle import LifecycleState
from goldfleet.scaling.model import Launch, LaunchSource, Member

HOUR_SECONDS = 3600
DEFAULT = "Default"

Rank = Callable[[Member, LaunchSource, float], float | tuple[float, float]]
Ranked = tuple[list[float | tuple[float, float]], int, Member]


@dataclass(frozen=True, slots=True)
class Preference:
    """What decides between members: the group's zones, policies and launch source, and the time."""

    zones: frozenset[str]
    policies: tuple[str, ...]
    source: LaunchSource
    now: float

    def in_order(self, members: Sequence[tuple[int, Member]]) -> deque[Ranked]:
        """Return numbered members with their ranks, the first to go first; equals by number."""
        ranks = [rank for name in self.policies for rank in ranks_of(name, self.source)]
        source, now = self.source, self.now
        ranked = [([rank(member, source, now) for rank in ranks], index, member) for index, member in members]
        return deque(sorted(ranked))


def choose_victims(
    candidates: Sequence[Member], surplus: int, counts: Counter[str], preference: Preference
) -> list[Member]:  # fmt: skip
    """Return up to `surplus` members to terminate, fewer if the rest is protected.

    candidates are members of the group that are pending or in service, counts how many of those each zone has,
    protected ones too. Members that are not in service yet go first, so that a scale-in keeps as much working capacity
    as it can. Where AWS picks at random between equals, the longest in the group goes, so that the model answers alike
    every time.
    """
    left = counts.copy()
    free = [member for member in candidates if not member.is_protected]
    early = [member for member in free if member.state is not LifecycleState.IN_SERVICE]
    victims = take(early, surplus, left, preference)
    if len(victims) == surplus:
        return victims
    working = [member for member in free if member.state is LifecycleState.IN_SERVICE]
    return victims + take(working, surplus - len(victims), left, preference)


def take(members: Sequence[Member], wanted: int, counts: Counter[str], preference: Preference) -> list[Member]:
    """Return up to `wanted` members, each from a zone that is fullest at that moment; counts are brought up to date.

    A zone's members are put in order only once it is its turn: most scale-ins take one member of one zone.
    """
    by_zone: dict[str, list[tuple[int, Member]]] = {}
    for index, member in enumerate(members):
        by_zone.setdefault(member.zone, []).append((index, member))
    queues: dict[str, deque[Ranked]] = {}
    taken: list[Member] = []
    while by_zone and len(taken) < wanted:
        fullest = max(fullness(zone, counts, preference) for zone in by_zone)
        zones = [zone for zone in by_zone if fullness(zone, counts, preference) == fullest]
        for zone in zones:
            if zone not in queues:
                queues[zone] = preference.in_order(by_zone[zone])
        zone = min(zones, key=lambda zone: queues[zone][0])
        taken.append(queues[zone].popleft()[2])
        counts[zone] -= 1
        if not queues[zone]:
            del by_zone[zone]
    return taken


def fullness(zone: str, counts: Counter[str], preference: Preference) -> tuple[bool, int]:
    """Return how full a zone is; all zones that the group has left are alike, and above the others."""
    is_stray = zone not in preference.zones
    return is_stray, 0 if is_stray else counts[zone]


def rank_oldest_instance(member: Member, _source: LaunchSource, _now: float) -> float:
    """Launched first goes first."""
    return member.launched_at


def rank_newest_instance(member: Member, _source: LaunchSource, _now: float) -> float:
    """Launched last goes first."""
    return -member.launched_at


def rank_oldest_launch_configuration(member: Member, _source: LaunchSource, _now: float) -> tuple[float, float]:
    """The launch configuration made first goes first; members without one come after."""
    launch = launch_of(member)
    return (0, launch.created_at) if launch.launch_configuration_name else (1, 0)


def rank_oldest_launch_template(member: Member, source: LaunchSource, _now: float) -> tuple[float, float]:
    """A launch configuration goes first, then another template than the group's, then its oldest version."""
    launch = launch_of(member)
    if launch.launch_configuration_name:
        return (0, 0)
    return (2, launch.launch_template_version) if is_of(launch, source) else (1, 0)


def rank_closest_to_next_hour(member: Member, _source: LaunchSource, now: float) -> float:
    """The one whose next full hour since launch is nearest goes first."""
    return HOUR_SECONDS - (now - member.launched_at) % HOUR_SECONDS


def ranks_of(policy: str, source: LaunchSource) -> tuple[Rank, ...]:
    """Return what a policy goes by. Default: an outdated configuration first, then the one closest to the next hour."""
    if policy != DEFAULT:
        return (POLICIES[policy],)
    outdated = rank_oldest_launch_configuration if source.launch_configuration_name else rank_oldest_launch_template
    return outdated, rank_closest_to_next_hour


def launch_of(member: Member) -> Launch:
    """Return what a member was launched from; an empty Launch for one that was attached."""
    return member.launch or Launch()


def is_of(launch: Launch, source: LaunchSource) -> bool:
    """Say whether a launch used the launch template that a group names, by id or by name."""
    if source.launch_template_id:
        return launch.launch_template_id == source.launch_template_id
    return launch.launch_template_name == source.launch_template_name


POLICIES: dict[str, Rank] = {
    "OldestInstance": rank_oldest_instance,
    "NewestInstance": rank_newest_instance,
    "OldestLaunchConfiguration": rank_oldest_launch_configuration,
    "OldestLaunchTemplate": rank_oldest_launch_template,
    "ClosestToNextInstanceHour": rank_closest_to_next_hour,
}
