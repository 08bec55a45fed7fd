"""Measure how many instance-events a second the model of Auto Scaling does on a virtual clock; gates nothing.

Medians of three, by CPU time. An instance-event is one lifecycle transition of one instance, with what belongs to it:
activities, target registration, hooks, timers. Looks that change nothing and health checks are work too, but no events;
health checks have a line of their own. Run: python -m tests.bench.scaling
"""

import statistics
import time
from collections.abc import Callable

from goldfleet.scaling import hooks, sizes
from goldfleet.scaling.group import Group
from goldfleet.scaling.model import ActionResult, GroupSpec, Hook, Settings, Transition
from tests.unit.scaling.world import TEMPLATE, ZONES, Cloud, in_service

ROUNDS = 3
SIZE = 1000
TARGET = 100_000


def main() -> None:
    """Run every measurement ROUNDS times and print the table."""
    figures = {
        "scale out and in, plain": lambda: scale(has_hooks=False),
        "scale out and in, hooks and target group": lambda: scale(has_hooks=True),
        "replace every instance, one a second": roll,
        "health checks (not events)": check,
    }
    print(f"group of {SIZE:,} instances; per second:")
    for name, measure in figures.items():
        rates = [measure() for _ in range(ROUNDS)]
        print(f"{name:42} {statistics.median(rates):12,.0f}  target {TARGET:,}")


def make(*, has_hooks: bool) -> tuple[Cloud, Group]:
    """Return a cloud and its empty group."""
    cloud = Cloud(Settings(health_check_seconds=30))
    target_groups = ("tg",) if has_hooks else ()
    group = cloud.scaling.create_group(GroupSpec("web", 0, SIZE * 2, 0, TEMPLATE, ZONES, target_groups))
    if has_hooks:
        for name, transition in (("in", Transition.LAUNCHING), ("out", Transition.TERMINATING)):
            hooks.put_hook(group, Hook(name, transition, 30, ActionResult.CONTINUE))
    return cloud, group


def rate(group: Group, act: Callable[[], None]) -> float:
    """Return how many transitions a second an act makes."""
    before, started = group.roster.transitions, time.process_time()
    act()
    return (group.roster.transitions - before) / (time.process_time() - started)


def scale(*, has_hooks: bool) -> float:
    """Fill the group and empty it again, ten times over."""
    cloud, group = make(has_hooks=has_hooks)

    def act() -> None:
        for _ in range(10):
            for desired in (SIZE, 0):
                sizes.set_desired_capacity(group, desired)
                cloud.pass_time(60)

    return rate(group, act)


def roll() -> float:
    """Replace the whole group, launch first, one instance at a time."""
    cloud, group = make(has_hooks=False)
    sizes.set_desired_capacity(group, SIZE)
    cloud.pass_time(60)

    def act() -> None:
        for _ in range(SIZE):
            sizes.set_desired_capacity(group, SIZE + 1)
            cloud.pass_time(4)
            sizes.set_desired_capacity(group, SIZE)
            cloud.pass_time(1)

    return rate(group, act)


def check() -> float:
    """Check the health of a group at rest."""
    cloud, group = make(has_hooks=True)
    sizes.set_desired_capacity(group, SIZE)
    cloud.pass_time(120)
    started = time.process_time()
    cloud.pass_time(3000)
    return len(in_service(group)) * 100 / (time.process_time() - started)


if __name__ == "__main__":
    main()
