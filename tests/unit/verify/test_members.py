import pytest

from goldfleet.aws.model import AutoScalingGroup, GroupInstance, LaunchSpec
from goldfleet.errors import RefusedError, UsageError
from goldfleet.verify.members import (
    Choice,
    Members,
    NotChecked,
    Sample,
    appeared,
    choose_members,
    choose_some,
    not_checked,
    parse_sample,
)

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


MEMBERS = Members(("i-0", "i-1", "i-2"), (NotChecked("i-9", "Standby", "Standby"),))
IMAGES = {"i-0": "ami-1", "i-1": "ami-2"}  # i-2 has vanished


def test_instances_of_one_image_are_chosen_and_the_others_told_why_not() -> None:
    chosen = choose_some("web", MEMBERS, Choice("ami-1"), IMAGES)
    assert chosen.checked == ("i-0",)
    assert [f"{one.instance_id} {not_checked(one)}" for one in chosen.others] == [
        "i-9 not checked: Standby",
        "i-1 not checked: of another image",
        "i-2 not checked: of another image",
    ]


def test_image_of_no_instance_is_refused_and_those_there_are_named() -> None:
    with pytest.raises(
        RefusedError, match=r"launched from ami-3: nothing was verified. The images there: ami-1, ami-2\."
    ):
        choose_some("web", MEMBERS, Choice("ami-3"), IMAGES)


def test_sample_is_picked_among_the_instances_of_the_image() -> None:
    choice = Choice("ami-1", Sample(2), lambda ids, number: ids[-number:])
    assert choose_some("web", MEMBERS, choice, IMAGES | {"i-2": "ami-1"}).checked == ("i-0", "i-2")
    assert choose_some("web", MEMBERS, Choice(sample=Sample(1)), {}).checked == ("i-0",)


@pytest.mark.parametrize(
    ("text", "size", "number"), [("3", 10, 3), ("30", 10, 10), ("10%", 95, 10), ("1%", 5, 1), (" 100% ", 7, 7)]
)
def test_sample_is_a_number_or_per_cent_rounded_up(text: str, size: int, number: int) -> None:
    assert parse_sample(text).of(size) == number


@pytest.mark.parametrize("text", ["", "0", "0%", "101%", "-1", "1.5", "ten", "5 %x"])
def test_bad_sample_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--sample: seen"):
        parse_sample(text)


def test_instances_that_appeared_are_named() -> None:
    group = AutoScalingGroup(
        "web",
        0,
        9,
        3,
        LAUNCH,
        tuple(GroupInstance(one, "Pending", "Healthy", LAUNCH) for one in ("i-1", "i-9", "i-10")),
    )
    assert appeared(MEMBERS, group) == (NotChecked("i-10", "Pending", "appeared during the checks"),)
    assert appeared(MEMBERS, None) == ()
