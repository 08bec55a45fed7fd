"""Groups for unit tests, in few words."""

from collections.abc import Iterable

from goldfleet.aws.model import AutoScalingGroup, GroupInstance, LaunchSpec, TargetHealth
from goldfleet.roll.model import Fit, GateResult, GateVerdict, Policy, Progress, Roll, Sizes, Snapshot

ARN = "tg-1"
OLD = Fit(LaunchSpec("", "lt-0abc", "", "1"), "ami-1")
NEW = Fit(LaunchSpec("", "lt-0abc", "", "2"), "ami-2")
NOW = 1000.0


def instance(
    name: str, fit: Fit, zone: str = "a", state: str = "InService", *, is_protected: bool = False
) -> GroupInstance:
    """Return an instance called i-<name>."""
    return GroupInstance(f"i-{name}", state, "Healthy", fit.launch, zone, is_protected)


def snapshot(
    instances: Iterable[GroupInstance],
    desired: int,
    *,
    launch: Fit = NEW,
    sizes: tuple[int, int] = (1, 20),
    unhealthy: Iterable[str] = (),
) -> Snapshot:
    """Return a look at a group; all instances in service are healthy, but those named."""
    here = tuple(instances)
    group = AutoScalingGroup("web", sizes[0], sizes[1], desired, launch.launch, here, (ARN,))
    bad = set(unhealthy)
    health = {
        one.instance_id: TargetHealth(
            one.instance_id, "unhealthy" if one.instance_id in bad else "healthy", "Target.FailedHealthChecks"
        )
        for one in here
        if one.lifecycle_state == "InService"
    }
    return Snapshot(group, {ARN: health})


def roll(surge: int = 1, wanted: int | str = 1, **changes: object) -> Roll:
    """Return a roll from version 1 to version 2 that has so much own surge."""
    made = Roll("20261123-141530-a1b2c3", NEW, OLD, Sizes(1, 20, 3), Policy(wanted, 30, 900), surge=surge)
    for name, value in changes.items():
        object.__setattr__(made, name, value)
    return made


def progress(ready: Iterable[str] = (), good: Iterable[str] = (), **changes: object) -> Progress:
    """Return a progress in which these instances are ready; all that are named were seen long ago."""
    known = [*ready, *good]
    made = Progress(
        first_seen=dict.fromkeys(known, NOW - 60),
        healthy_since=dict.fromkeys(known, NOW - 60),
        gate={one: GateResult(one, GateVerdict.GOOD, NEW.image_id) for one in known},
        ready=frozenset(ready),
        changed_at=NOW,
        live_desired=3,
    )
    for name, value in changes.items():
        object.__setattr__(made, name, value)
    return made


def olds(count: int, zones: str = "abc") -> list[GroupInstance]:
    """Return so many old instances, spread over zones."""
    return [instance(f"old{number}", OLD, zones[number % len(zones)]) for number in range(count)]


def news(count: int, zones: str = "abc", state: str = "InService") -> list[GroupInstance]:
    """Return so many new instances, spread over zones."""
    return [instance(f"new{number}", NEW, zones[number % len(zones)], state) for number in range(count)]
