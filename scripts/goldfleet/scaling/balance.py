"""Bring a group to what is wanted: replace the unhealthy, launch what lacks, terminate what is over, even out the zones.

Every step is taken from what is there now; nothing remembers a plan. The group is within min and max except: under min while an
unhealthy or terminated member is replaced, over max by 10 percent (or one) while zones are balanced, and over max after max was
lowered below protected members or with Terminate suspended. Source: EC2 Auto Scaling user guide, "Health checks", "Availability
Zone distribution", "Use instance scale-in protection", "How suspended processes affect other processes".
"""

from goldfleet.scaling import health, launching, placement, terminating
from goldfleet.scaling.group import Group
from goldfleet.scaling.lifecycle import PENDING_STATES, LifecycleState
from goldfleet.scaling.termination import Preference, choose_victims

S = LifecycleState

ALL_PROTECTED = "Could not scale to desired capacity because all remaining instances are protected from scale-in."


def settle(group: Group) -> None:
    """Do all that the sizes ask for now. Each round either changes a member's state or finds nothing more to do."""
    while not group.is_settled and not group.is_deleting:
        group.is_settled = True
        health.replace_unhealthy(group)
        lacking = group.spec.desired_capacity - group.capacity
        if lacking > 0:
            grow(group, lacking)
        elif lacking < 0:
            shrink(group, -lacking)
        else:
            finish(group)
            rebalance(group)


def finish(group: Group) -> None:
    """Forget what led to a capacity that is now reached."""
    group.reasons.clear()
    group.replacements_due = 0
    group.is_blocked_by_protection = False


def can_launch(group: Group) -> bool:
    """Say whether launches are allowed, and not paused after a failure."""
    return group.is_active("Launch") and group.now >= group.next_launch_at


def grow(group: Group, lacking: int) -> None:
    """Launch what lacks; successors of unhealthy members first, as their activities say so."""
    if not can_launch(group):
        return
    successors = min(group.replacements_due, lacking)
    if successors:
        cause = group.say("an instance was launched in response to an unhealthy instance needing to be replaced")
        group.replacements_due -= launching.launch_members(group, successors, cause, group.spec.zones)
    have, want = group.capacity, group.spec.desired_capacity
    if have < want and can_launch(group):
        cause = group.take_cause(
            "an instance was started in response to a difference between desired and actual capacity, increasing the "
            f"capacity from {have} to {want}"
        )
        launching.launch_members(group, want - have, cause, group.spec.zones)


def shrink(group: Group, surplus: int) -> None:
    """Terminate what is over, but for instances that are only here until the zones are even."""
    joining = group.roster.within(*PENDING_STATES)
    surplus -= sum(member.is_rebalancing for member in joining)
    if surplus <= 0:
        return
    if not group.is_active("Terminate"):
        rebalance(group)
        return
    spec = group.spec
    preference = Preference(
        frozenset(zone.name for zone in spec.zones), spec.termination_policies, spec.source, group.now
    )
    victims = choose_victims(
        [*joining, *group.roster.within(S.IN_SERVICE)], surplus, group.roster.count_by_zone(), preference
    )
    if not victims:
        report_protection(group)
        return
    have = group.capacity
    cause = group.take_cause(
        "an instance was taken out of service in response to a difference between desired and actual capacity, "
        f"shrinking the capacity from {have} to {have - len(victims)}",
        *(f"instance {victim.instance_id} was selected for termination" for victim in victims),
    )
    for victim in victims:
        terminating.begin_termination(group, victim, cause)


def report_protection(group: Group) -> None:
    """Say once that a scale-in cannot go on."""
    if not group.is_blocked_by_protection:
        group.is_blocked_by_protection = True
        activity = group.journal.open(group.now, ALL_PROTECTED, group.take_cause(), group.spec.zones[0])
        group.journal.close(activity, group.now, "Cancelled")


def rebalance(group: Group) -> None:
    """Launch one instance in the emptiest zone if another zone has two more; the surplus then goes from the fullest.

    Not while a member is on its way in, nor if every member of the overfull zones is protected: nothing could move.
    """
    if not (group.is_active("AZRebalance") and can_launch(group)) or group.roster.count(*PENDING_STATES):
        return
    counts = group.roster.count_by_zone()
    overfull = placement.overfull_zones(counts, group.spec.zones)
    if not overfull or group.capacity >= placement.rebalancing_limit(group.spec.max_size):
        return
    if any(member.zone in overfull and not member.is_protected for member in group.roster.within(S.IN_SERVICE)):
        fewest = min(counts[zone.name] for zone in group.spec.zones)
        zones = [zone for zone in group.spec.zones if counts[zone.name] == fewest]
        cause = group.say("an instance was launched to aid in balancing the group's zones")
        launching.launch_members(group, 1, cause, zones, is_rebalancing=True)
