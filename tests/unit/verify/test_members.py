import pytest

from goldfleet.aws.model import AutoScalingGroup, GroupInstance, LaunchSpec
from goldfleet.errors import RefusedError
from goldfleet.verify.members import choose_members, not_checked

LAUNCH = LaunchSpec("web-1")


def group_of(*states: str) -> AutoScalingGroup:
    instances = tuple(GroupInstance(f"i-{number}", state, "Healthy", LAUNCH) for number, state in enumerate(states))
    return AutoScalingGroup("web", 0, 9, 3, LAUNCH, instances)


def test_instances_in_service_are_checked_and_others_told_apart() -> None:
    states = ("InService", "Pending:Wait", "Standby", "InService", "Terminating")
    members = choose_members("web", group_of(*states), [])
    assert members.checked == ("i-0", "i-3")
    assert [not_checked(one) for one in members.others] == [
        "not checked: Pending:Wait",
        "not checked: Standby",
        "not checked: Terminating",
    ]


def test_unknown_group_is_refused_and_the_known_ones_are_named() -> None:
    with pytest.raises(RefusedError, match=r"no Auto Scaling group web: nothing was verified. .*: api, www\."):
        choose_members("web", None, ["api", "www"])


@pytest.mark.parametrize(
    ("states", "reasons"), [((), ()), (("Pending",), ("i-0 not checked: Pending",))], ids=["empty", "none in service"]
)
def test_group_with_nothing_in_service_is_refused(states: tuple[str, ...], reasons: tuple[str, ...]) -> None:
    with pytest.raises(RefusedError, match=r"no instance in service \(desired capacity 3\)") as refused:
        choose_members("web", group_of(*states), [])
    assert refused.value.reasons == reasons
