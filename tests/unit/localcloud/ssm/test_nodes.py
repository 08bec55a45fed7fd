"""Which nodes a command or a description means."""

from typing import Any

import pytest

from goldfleet.localcloud.ssm.model import CommandSpec, Target
from goldfleet.localcloud.ssm.nodes import chosen, described
from goldfleet.localcloud.ssm.ports import Node, Reach
from goldfleet.localcloud.ssm.refusals import CallRefusedError

GROUP = "aws:autoscaling:groupName"
NODES = [
    Node("i-1", tags={GROUP: "web", "role": "app"}),
    Node("i-2", tags={GROUP: "web", "role": "db", "empty": ""}),
    Node("i-3", tags={GROUP: "jobs", "role": "app"}),
    Node("i-4", tags={GROUP: "web", "role": "app"}, reach=Reach.STOPPED),
    Node("i-5", reach=Reach.LOST),
]


@pytest.mark.parametrize(
    ("targets", "meant"),
    [
        ([(f"tag:{GROUP}", "web")], ["i-1", "i-2", "i-4"]),
        ([(f"tag:{GROUP}", "web", "jobs"), ("tag:role", "app")], ["i-1", "i-3", "i-4"]),
        ([("tag-key", "empty", "other")], ["i-2"]),
        ([("tag:empty", "")], ["i-2"]),
        ([("tag:role", "nobody")], []),
        ([("InstanceIds", "i-3", "i-1")], ["i-1", "i-3"]),
        ([("instanceids", "i-3", "i-1"), ("tag:role", "app")], ["i-1", "i-3"]),
        ([("tag:role", "App")], []),
    ],
)
def test_targets_are_all_met_by_any_of_their_values(targets: list[tuple[str, ...]], meant: list[str]) -> None:
    spec = CommandSpec(("true",), targets=tuple(Target(key, tuple(values)) for key, *values in targets))
    assert [node.instance_id for node in chosen(spec, NODES)] == meant


@pytest.mark.parametrize(
    "spec",
    [
        CommandSpec(("true",), instance_ids=("i-1", "i-9")),
        CommandSpec(("true",), targets=(Target("InstanceIds", ("i-1", "i-9")),)),
    ],
)
def test_a_named_instance_that_is_no_node_refuses_all(spec: CommandSpec) -> None:
    with pytest.raises(CallRefusedError, match=r"Instances \[\[i-9\]\] not in a valid state") as refused:
        chosen(spec, NODES)
    assert refused.value.code == "InvalidInstanceId"


def test_a_stopped_instance_may_be_named() -> None:
    assert [one.instance_id for one in chosen(CommandSpec((), instance_ids=("i-4",)), NODES)] == ["i-4"]


@pytest.mark.parametrize(
    ("parameters", "listed"),
    [
        ({}, ["i-1", "i-2", "i-3", "i-5"]),
        ({"Filters": [{"Key": f"tag:{GROUP}", "Values": ["web"]}]}, ["i-1", "i-2"]),
        ({"Filters": [{"Key": "tag-key", "Values": ["role"]}]}, ["i-1", "i-2", "i-3"]),
        ({"Filters": [{"Key": "InstanceIds", "Values": ["i-1", "i-4"]}]}, ["i-1"]),
        ({"Filters": [{"Key": "PingStatus", "Values": ["ConnectionLost"]}]}, ["i-5"]),
        ({"Filters": [{"Key": "PlatformTypes", "Values": ["Windows"]}]}, []),
        ({"InstanceInformationFilterList": [{"key": "InstanceIds", "valueSet": ["i-3"]}]}, ["i-3"]),
    ],
)
def test_running_nodes_are_described(parameters: dict[str, Any], listed: list[str]) -> None:
    assert [node.instance_id for node in described(parameters, NODES)] == listed


@pytest.mark.parametrize(
    ("filters", "code"),
    [
        ([{"Key": "Colour", "Values": ["red"]}], "InvalidFilterKey"),
        ([{"Key": "tag:role", "Values": ["app"]}, {"Key": "PingStatus", "Values": ["Online"]}], "ValidationException"),
    ],
)
def test_filters_that_aws_refuses_are_refused(filters: list[dict[str, Any]], code: str) -> None:
    with pytest.raises(CallRefusedError) as refused:
        described({"Filters": filters}, NODES)
    assert refused.value.code == code
