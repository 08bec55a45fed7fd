"""`goldfleet roll` as people and programs see it: exit codes, one JSON document, words."""

import json

import pytest

from goldfleet.aws.model import LaunchSpec
from goldfleet.aws.session import CallCounter
from goldfleet.cli import roll_report
from goldfleet.cli.output import UnfinishedError
from goldfleet.roll.model import Count, Fit, Outcome, Policy, Roll, SetDesiredCapacity, Sizes
from goldfleet.roll.report import Plan, Status
from tests.functional.cli.test_app import ISOLATED, goldfleet

OLD = Fit(LaunchSpec("", "lt-0abc", "web", "1"), "ami-1")
NEW = Fit(LaunchSpec("", "lt-0abc", "web", "2"), "ami-2")
ROLL = Roll("20261123-141530-a1b2c3", NEW, OLD, Sizes(1, 4, 3), Policy("25%", 30, 900), surge=1)


class SessionThatCounted:
    """A session that made three calls."""

    def __init__(self) -> None:
        self.counter = CallCounter()
        for operation in ("DescribeAutoScalingGroups", "DescribeAutoScalingGroups", "SetDesiredCapacity"):
            self.counter.count(operation)


def outcome(action: str) -> Outcome:
    return Outcome(action, "web", ROLL.roll_id, "ami-2", "ami-1", str(NEW.launch), 3, 61.2345, notes=("A note.",))


def show(action: str, *, as_json: bool) -> None:
    roll_report.show_outcome(outcome(action), SessionThatCounted(), as_json)  # type: ignore[arg-type]


def test_finished_roll_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    show("rolled", as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "A note.",
        "web: rolled in 61.2 s, 3 instances replaced, launches from launch template web version 2, 3 AWS calls",
    ]


def test_finished_roll_is_one_document(capsys: pytest.CaptureFixture[str]) -> None:
    show("rolled", as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert (document["action"], document["image_id"], document["seconds"]) == ("rolled", "ami-2", 61.234)
    assert (document["aws_calls"], document["aws_calls_by_operation"]["SetDesiredCapacity"]) == (3, 1)


@pytest.mark.parametrize("as_json", [False, True])
def test_finished_rollback_is_exit_7_with_its_facts(as_json: bool, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnfinishedError) as caught:
        show("rolled back", as_json=as_json)
    assert caught.value.error.exit_code == 7
    assert caught.value.facts["action"] == "rolled back"
    assert str(caught.value.error) == "web was rolled back: the fleet is on the previous image ami-2."
    assert (capsys.readouterr().out == "") == as_json


def test_plan_says_that_only_its_first_step_is_certain(capsys: pytest.CaptureFixture[str]) -> None:
    made = Plan("web", "ami-2", OLD, None, (), ("A note.",), (SetDesiredCapacity(4, "1 more"),))
    roll_report.show_plan(made, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "web: ami-1 (launch template web version 1) -> ami-2 (a new copy of it, made at the start)",
        "Only the first step is certain: each later one depends on what is then seen.",
        "A note.",
        "  1. set the desired capacity to 4: 1 more",
    ]
    roll_report.show_plan(made, as_json=True)
    assert json.loads(capsys.readouterr().out)["steps"] == ["set the desired capacity to 4: 1 more"]


def test_plan_with_obstacles_is_exit_3_with_all_of_them() -> None:
    with pytest.raises(UnfinishedError) as caught:
        roll_report.show_plan(Plan("web", "ami-2", OLD, NEW.launch, ("one", "two"), (), ()), as_json=True)
    assert caught.value.error.exit_code == 3
    assert caught.value.facts["obstacles"] == ["one", "two"]


@pytest.mark.parametrize("in_progress", [None, ROLL], ids=["no roll", "roll"])
def test_status_is_shown_with_and_without_a_roll(in_progress: Roll | None, capsys: pytest.CaptureFixture[str]) -> None:
    seen = Status("web", 1, 4, 4, 3, NEW.launch, in_progress, Count(1, 3, 0), OLD, "ann@host", ("A note.",))
    roll_report.show_status(seen, as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert (document["roll"], document["serving"], document["holder"]) == (
        "rolling" if in_progress else None,
        3,
        "ann@host",
    )
    assert document["tags"].get("goldfleet:roll:surge") == ("1" if in_progress else None)
    roll_report.show_status(seen, as_json=False)
    assert "launch template web version 2" in capsys.readouterr().out


@pytest.mark.parametrize("command", ["plan", "start", "status", "resume", "abort", "rollback"])
def test_cloud_that_is_not_there_is_exit_4_and_one_document(command: str) -> None:
    credentials = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
    ended = goldfleet("roll", command, "web", "--json", environment={**ISOLATED, **credentials})
    assert ended.returncode == 4
    assert json.loads(ended.stdout)["error"]["kind"] == "AwsError"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("start",), "Missing argument 'group'"),
        (("start", "web", "--surge", "none"), "--surge: seen 'none', wanted a whole number of instances such as 2"),
        (("start", "web", "--project", "/nowhere"), "There is no /nowhere/goldfleet.toml."),
    ],
)
def test_wrong_command_line_is_exit_2(arguments: tuple[str, ...], told: str) -> None:
    ended = goldfleet("roll", *arguments)
    assert ended.returncode == 2
    assert told in ended.stderr
