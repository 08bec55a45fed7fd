"""What calls ask, as the model's values; and which groups and tags the filters want."""

from dataclasses import dataclass
from typing import Any

import pytest

from goldfleet.localcloud.autoscaling import requests
from goldfleet.localcloud.autoscaling.answers import Record, Tag
from goldfleet.localcloud.autoscaling.groups import has_tags, is_wanted_tag
from goldfleet.localcloud.autoscaling.launch_configurations import adjusted
from goldfleet.localcloud.autoscaling.requests import Subnets
from goldfleet.scaling.model import ActionResult, Hook, Transition, Zone
from goldfleet.scaling.refusals import CallRefusedError

CREATE: dict[str, Any] = {"AutoScalingGroupName": "web", "MinSize": 1, "MaxSize": 4}


@dataclass
class Subnet:
    """A subnet of EC2's."""

    id: str
    availability_zone: str


SUBNETS = {f"subnet-{letter}": Subnet(f"subnet-{letter}", f"us-east-1{letter[0]}") for letter in ("a", "b", "a2")}
LOOKUP = Subnets(
    SUBNETS.__getitem__, lambda: {one.availability_zone: one for one in SUBNETS.values() if len(one.id) == 8}
)


def test_nothing_given_has_the_defaults_of_create() -> None:
    spec = requests.group_spec(CREATE, (Zone("us-east-1a", "subnet-a"),))
    assert (spec.desired_capacity, spec.default_cooldown_seconds, spec.health_check_grace_seconds) == (1, 300, 0)
    assert spec.health_check_types == {"EC2"}
    assert spec.termination_policies == ("Default",)


def test_desired_of_zero_is_zero_and_not_the_minimum() -> None:
    assert requests.group_spec({**CREATE, "MinSize": 0, "DesiredCapacity": 0}, ()).desired_capacity == 0


def test_elb_health_check_keeps_ec2s() -> None:
    assert requests.group_spec({**CREATE, "HealthCheckType": "ELB"}, ()).health_check_types == {"EC2", "ELB"}


def test_target_groups_come_from_both_parameters_once() -> None:
    sources = [{"Identifier": "arn:b", "Type": "elbv2"}, {"Identifier": "arn:a"}, {"Identifier": "lb", "Type": "elb"}]
    assert requests.target_groups({"TargetGroupARNs": ["arn:a"], "TrafficSources": sources}) == ("arn:a", "arn:b")


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"VPCZoneIdentifier": "subnet-a, subnet-b"}, ("subnet-a", "subnet-b")),
        ({"VPCZoneIdentifier": "subnet-a,subnet-a2"}, ("subnet-a",)),
        ({"AvailabilityZones": ["us-east-1b"]}, ("subnet-b",)),
        ({"VPCZoneIdentifier": "subnet-a", "AvailabilityZones": ["us-east-1a"]}, ("subnet-a",)),
    ],
    ids=["subnets", "two in one zone", "zones", "both, alike"],
)
def test_zones_are_found(given: dict[str, Any], expected: tuple[str, ...]) -> None:
    zones = LOOKUP.zones(given)
    assert zones is not None
    assert tuple(zone.subnet_id for zone in zones) == expected


def test_neither_subnets_nor_zones_is_none() -> None:
    assert LOOKUP.zones({}) is None


@pytest.mark.parametrize(
    "given",
    [{"VPCZoneIdentifier": "subnet-a", "AvailabilityZones": ["us-east-1b"]}, {"AvailabilityZones": ["us-east-1z"]}],
    ids=["contradiction", "unknown zone"],
)
def test_impossible_zones_are_refused(given: dict[str, Any]) -> None:
    with pytest.raises(CallRefusedError, match="zone"):
        LOOKUP.zones(given)


def test_template_without_version_is_its_default_version() -> None:
    source = requests.launch_source({"LaunchTemplate": {"LaunchTemplateName": "web"}})
    assert source is not None
    assert source.launch_template_version == "$Default"


def test_mixed_instances_policy_is_refused_by_name() -> None:
    with pytest.raises(CallRefusedError, match="MixedInstancesPolicy"):
        requests.refuse_unsupported({"MixedInstancesPolicy": {"LaunchTemplate": {}}})


def test_hook_that_is_there_keeps_what_is_not_given() -> None:
    before = Hook("up", Transition.LAUNCHING, 60, ActionResult.CONTINUE, notification_metadata="kept")
    after = requests.hook({"LifecycleHookName": "up", "HeartbeatTimeout": 90}, before)
    assert after == Hook("up", Transition.LAUNCHING, 90, ActionResult.CONTINUE, notification_metadata="kept")


def test_new_hook_without_transition_is_refused() -> None:
    with pytest.raises(CallRefusedError, match="LifecycleTransition"):
        requests.hook({"LifecycleHookName": "up"}, None)


@pytest.mark.parametrize(
    ("filters", "matches"),
    [
        ([], True),
        ([{"Name": "tag:role", "Values": ["web", "db"]}], True),
        ([{"Name": "tag:role", "Values": ["db"]}], False),
        ([{"Name": "tag-key", "Values": ["role"]}, {"Name": "tag-value", "Values": ["other"]}], False),
    ],
)
def test_groups_are_filtered_by_tags(filters: list[dict[str, Any]], matches: bool) -> None:
    assert has_tags(Record(tags={"role": Tag("web", True)}), filters) is matches


def test_unknown_filter_is_refused() -> None:
    with pytest.raises(CallRefusedError, match="Allowed Filter types"):
        has_tags(Record(), [{"Name": "name", "Values": ["web"]}])


@pytest.mark.parametrize(
    ("wanted", "matches"),
    [({"key": ["role"]}, True), ({"auto-scaling-group": ["db"]}, False), ({"propagate-at-launch": ["TRUE"]}, True)],
)
def test_tags_are_filtered(wanted: dict[str, list[str]], matches: bool) -> None:
    tag = {"ResourceId": "web", "Key": "role", "Value": "app", "PropagateAtLaunch": True}
    assert is_wanted_tag(tag, wanted) is matches


@pytest.mark.parametrize(
    ("desired", "kind", "by", "expected"),
    [
        (4, "ExactCapacity", 9, 9),
        (4, "ChangeInCapacity", -1, 3),
        (10, "PercentChangeInCapacity", 25, 12),
        (4, "PercentChangeInCapacity", 10, 5),
        (4, "PercentChangeInCapacity", -10, 3),
    ],
    ids=["exact", "change", "percent rounds toward zero", "at least one up", "at least one down"],
)
def test_policies_adjust_as_documented(desired: int, kind: str, by: int, expected: int) -> None:
    assert adjusted(desired, kind, by) == expected
