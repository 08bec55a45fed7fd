"""Scale-in takes the instances that AWS documents: tables over the pure choice."""

from collections import Counter

import pytest

from goldfleet.scaling.lifecycle import LifecycleState
from goldfleet.scaling.model import Launch, LaunchSource, Member
from goldfleet.scaling.termination import Preference, choose_victims
from tests.unit.scaling.world import CONFIGURATION, TEMPLATE

OLD, NEW = (
    Launch(launch_configuration_name="web-1", created_at=1),
    Launch(launch_configuration_name="web-2", created_at=2),
)
V1, V2 = (Launch(launch_template_name="web", launch_template_version=n) for n in (1, 2))
OTHER = Launch(launch_template_name="db", launch_template_version=9)
NOW = 100_000.0


def member(name: str, zone: str = "a", launch: Launch | None = None, age: float = 0, **more: bool) -> Member:
    state = LifecycleState.PENDING if more.get("is_pending") else LifecycleState.IN_SERVICE
    return Member(name, zone, launch, NOW - age, more.get("is_protected", False), state)


def victims(
    members: list[Member], surplus: int, policy: str = "Default", source: LaunchSource = TEMPLATE, zones: str = "abc"
) -> list[str]:
    counts = Counter(each.zone for each in members)
    preference = Preference(frozenset(zones), tuple(policy.split("+")), source, NOW)
    return [victim.instance_id for victim in choose_victims(members, surplus, counts, preference)]


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("OldestInstance", "old"), ("NewestInstance", "new"), ("ClosestToNextInstanceHour", "hour")],
)
def test_policy_by_age_takes_its_instance(policy: str, expected: str) -> None:
    members = [member("middle", age=4000), member("old", age=9000), member("new", age=10), member("hour", age=3590)]
    assert victims(members, 1, policy) == [expected]


@pytest.mark.parametrize(
    ("launches", "policy", "source", "expected"),
    [
        ([NEW, OLD, NEW], "OldestLaunchConfiguration", CONFIGURATION, "1"),
        ([V2, NEW, V1], "OldestLaunchConfiguration", CONFIGURATION, "1"),
        ([V2, V1, V2], "OldestLaunchTemplate", TEMPLATE, "1"),
        ([V1, OTHER, V1], "OldestLaunchTemplate", TEMPLATE, "1"),
        ([OTHER, NEW, V1], "OldestLaunchTemplate", TEMPLATE, "1"),
        ([V2, V1, V2], "Default", TEMPLATE, "1"),
        ([NEW, OLD, NEW], "Default", CONFIGURATION, "1"),
        ([V1, None, V1], "Default", TEMPLATE, "1"),
        ([V1, V1, V1], "OldestLaunchConfiguration", TEMPLATE, "0"),
    ],
    ids=[
        "oldest configuration", "template is no configuration", "oldest version", "other template first",
        "configuration before other template", "default with a template", "default with a configuration",
        "attached without a template", "none has a configuration",
    ],
)  # fmt: skip
def test_outdated_launch_goes_first(
    launches: list[Launch | None], policy: str, source: LaunchSource, expected: str
) -> None:
    members = [member(str(index), launch=launch) for index, launch in enumerate(launches)]
    assert victims(members, 1, policy, source) == [expected]


def test_second_policy_decides_between_equals() -> None:
    members = [member("a", launch=V1, age=5), member("b", launch=V1, age=9), member("c", launch=V2, age=99)]
    assert victims(members, 2, "OldestLaunchTemplate+OldestInstance") == ["b", "a"]


def test_balance_goes_before_every_policy() -> None:
    members = [member("old", "b", age=9000), member("x", "a", age=1), member("y", "a", age=2)]
    assert victims(members, 1, "OldestInstance") == ["y"]


def test_even_zones_compete_under_the_policy() -> None:
    members = [member("x", "a", age=1), member("old", "b", age=9000)]
    assert victims(members, 1, "OldestInstance") == ["old"]


def test_several_victims_keep_the_zones_even() -> None:
    members = [member(f"{zone}{n}", zone, age=n) for zone in "abc" for n in range(4)]
    assert sorted(name[0] for name in victims(members, 6, "NewestInstance")) == ["a", "a", "b", "b", "c", "c"]


def test_zone_that_the_group_left_goes_first() -> None:
    members = [member("x", "a"), member("y", "a"), member("z", "a"), member("stray", "d")]
    assert victims(members, 1) == ["stray"]


def test_protected_members_count_for_balance_and_stay() -> None:
    members = [
        member("kept", "a", is_protected=True),
        member("x", "a"),
        member("y", "b"),
        member("z", "b", is_protected=True),
    ]
    assert victims(members, 4) == ["x", "y"]


def test_fullest_zone_with_an_unprotected_member_is_taken_from() -> None:
    members = [
        member("k1", "a", is_protected=True),
        member("k2", "a", is_protected=True),
        member("y", "b"),
        member("z", "c"),
    ]
    assert victims(members, 1) == ["y"]


def test_pending_members_go_before_working_ones() -> None:
    members = [member("working", "a", age=9), member("also", "a", age=9), member("pending", "b", is_pending=True)]
    assert victims(members, 2, "OldestInstance") == ["pending", "working"]
