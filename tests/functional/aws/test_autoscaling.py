"""Auto Scaling: exactly the calls that are said, exactly what AWS answers."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Any

import pytest
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.stub import Stubber
from urllib3 import HTTPResponse

from goldfleet.aws.autoscaling import AutoScaling
from goldfleet.aws.model import Activity, AutoScalingGroup, GroupInstance, LaunchSpec
from goldfleet.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient

TEMPLATE = {"LaunchTemplateId": "lt-0abc", "LaunchTemplateName": "web", "Version": "2"}
SPEC = LaunchSpec("", "lt-0abc", "web", "2")
MOMENT = datetime(2026, 11, 23, tzinfo=UTC)


@pytest.fixture
def stubs(autoscaling_client: "AutoScalingClient") -> Iterator[Stubber]:
    with Stubber(autoscaling_client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def groups(stubs: Stubber, autoscaling_client: "AutoScalingClient") -> AutoScaling:
    return AutoScaling(autoscaling_client)


def described(**more: Any) -> dict[str, Any]:
    usual = {
        "AutoScalingGroupName": "web",
        "MinSize": 1,
        "MaxSize": 4,
        "DesiredCapacity": 3,
        "DefaultCooldown": 300,
        "AvailabilityZones": ["us-east-1a"],
        "HealthCheckType": "ELB",
        "CreatedTime": MOMENT,
    }
    return {**usual, **more}


def test_group_is_read_whole_in_one_call(stubs: Stubber, groups: AutoScaling) -> None:
    instance = {
        "InstanceId": "i-1",
        "AvailabilityZone": "us-east-1a",
        "LifecycleState": "InService",
        "HealthStatus": "Healthy",
        "LaunchTemplate": TEMPLATE,
        "ProtectedFromScaleIn": True,
    }
    answer = described(
        LaunchTemplate=TEMPLATE,
        Instances=[instance],
        TargetGroupARNs=["tg-1"],
        SuspendedProcesses=[{"ProcessName": "Launch", "SuspensionReason": "User suspended"}],
        Tags=[{"Key": "Name", "Value": "web", "ResourceId": "web", "PropagateAtLaunch": True}],
        HealthCheckGracePeriod=30,
        MixedInstancesPolicy={},
        Status="Delete in progress",
    )
    wanted = {"AutoScalingGroupNames": ["web"]}
    stubs.add_response("describe_auto_scaling_groups", {"AutoScalingGroups": [answer]}, wanted)
    assert groups.group("web") == AutoScalingGroup(
        "web", 1, 4, 3, SPEC,
        instances=(GroupInstance("i-1", "InService", "Healthy", SPEC, "us-east-1a", True),),
        target_group_arns=("tg-1",),
        suspended={"Launch": "User suspended"},
        tags={"Name": "web"},
        health_check_types=("ELB",),
        health_check_grace_seconds=30,
        has_mixed_instances_policy=True,
        status="Delete in progress",
    )  # fmt: skip


def test_instance_of_a_deleted_configuration_has_none(stubs: Stubber, groups: AutoScaling) -> None:
    instance = {
        "InstanceId": "i-1",
        "AvailabilityZone": "us-east-1a",
        "LifecycleState": "InService",
        "HealthStatus": "Healthy",
        "ProtectedFromScaleIn": False,
    }
    answer = described(LaunchConfigurationName="web-2", Instances=[instance])
    stubs.add_response("describe_auto_scaling_groups", {"AutoScalingGroups": [answer]})
    found = groups.group("web")
    assert found is not None
    assert (str(found.launch), str(found.instances[0].launch)) == (
        "launch configuration web-2",
        "launch configuration (gone)",
    )


def test_unknown_group_is_none(stubs: Stubber, groups: AutoScaling) -> None:
    stubs.add_response("describe_auto_scaling_groups", {"AutoScalingGroups": []})
    assert groups.group("web") is None


def test_names_are_read_page_by_page(stubs: Stubber, groups: AutoScaling) -> None:
    first = {"AutoScalingGroups": [described()], "NextToken": "more"}
    stubs.add_response("describe_auto_scaling_groups", first, {})
    second = {"AutoScalingGroups": [described(AutoScalingGroupName="app")]}
    stubs.add_response("describe_auto_scaling_groups", second, {"NextToken": "more"})
    assert groups.group_names() == ("app", "web")


TAG = {"ResourceId": "web", "ResourceType": "auto-scaling-group", "Key": "goldfleet:roll:id"}


@pytest.mark.parametrize(
    ("act", "operation", "wanted"),
    [
        (
            lambda groups: groups.use_launch("web", SPEC),
            "update_auto_scaling_group",
            {"AutoScalingGroupName": "web", "LaunchTemplate": {"LaunchTemplateId": "lt-0abc", "Version": "2"}},
        ),
        (
            lambda groups: groups.use_launch("web", LaunchSpec("web-2")),
            "update_auto_scaling_group",
            {"AutoScalingGroupName": "web", "LaunchConfigurationName": "web-2"},
        ),
        (
            lambda groups: groups.set_max_size("web", 5),
            "update_auto_scaling_group",
            {"AutoScalingGroupName": "web", "MaxSize": 5},
        ),
        (
            lambda groups: groups.set_desired_capacity("web", 4),
            "set_desired_capacity",
            {"AutoScalingGroupName": "web", "DesiredCapacity": 4, "HonorCooldown": False},
        ),
        (
            lambda groups: groups.terminate("i-1", decrements=True),
            "terminate_instance_in_auto_scaling_group",
            {"InstanceId": "i-1", "ShouldDecrementDesiredCapacity": True},
        ),
        (
            lambda groups: groups.set_tags("web", {"goldfleet:roll:id": "run"}),
            "create_or_update_tags",
            {"Tags": [{**TAG, "Value": "run", "PropagateAtLaunch": False}]},
        ),
        (lambda groups: groups.remove_tags("web", ["goldfleet:roll:id"]), "delete_tags", {"Tags": [TAG]}),
    ],
    ids=["template", "configuration", "maximum", "desired", "terminate", "tags", "untag"],
)
def test_call_says_exactly_this(
    stubs: Stubber, groups: AutoScaling, act: Callable[[AutoScaling], None], operation: str, wanted: dict[str, Any]
) -> None:
    stubs.add_response(operation, {}, wanted)
    act(groups)
    stubs.assert_no_pending_responses()


@pytest.mark.parametrize(
    ("operation", "code", "message", "act"),
    [
        (
            "terminate_instance_in_auto_scaling_group",
            "ValidationError",
            "Instance Id not found - No managed instance found for instance ID: i-1",
            lambda groups: groups.terminate("i-1", decrements=False),
        ),
        (
            "create_launch_configuration",
            "AlreadyExists",
            "Launch Configuration by this name already exists",
            lambda groups: groups.create_launch_configuration({"LaunchConfigurationName": "web-2"}),
        ),
    ],
    ids=["instance that is gone", "configuration that is there"],
)
def test_refusal_that_means_it_is_so_already_is_fine(
    stubs: Stubber, groups: AutoScaling, operation: str, code: str, message: str, act: Callable[[AutoScaling], None]
) -> None:
    stubs.add_client_error(operation, code, message)
    act(groups)
    stubs.assert_no_pending_responses()


def test_termination_below_the_minimum_is_an_error(stubs: Stubber, groups: AutoScaling) -> None:
    message = "Currently, desiredSize equals minSize (1). Terminating instance without replacement will violate …"
    stubs.add_client_error("terminate_instance_in_auto_scaling_group", "ValidationError", message)
    with pytest.raises(AwsError, match="desiredSize equals minSize"):
        groups.terminate("i-1", decrements=True)


def test_launch_configuration_is_read_as_aws_describes_it(stubs: Stubber, groups: AutoScaling) -> None:
    description = {
        "LaunchConfigurationName": "web",
        "ImageId": "ami-1",
        "InstanceType": "t3.small",
        "CreatedTime": MOMENT,
    }
    wanted = {"LaunchConfigurationNames": ["web"]}
    stubs.add_response("describe_launch_configurations", {"LaunchConfigurations": [description]}, wanted)
    assert groups.launch_configuration("web") == description
    stubs.add_response("describe_launch_configurations", {"LaunchConfigurations": []})
    assert groups.launch_configuration("web") is None


def test_activities_come_newest_first_as_aws_gives_them(stubs: Stubber, groups: AutoScaling) -> None:
    answer = {
        "ActivityId": "a-1",
        "AutoScalingGroupName": "web",
        "Description": "Launching a new EC2 instance: i-1",
        "Cause": "At …",
        "StartTime": MOMENT,
        "StatusCode": "Failed",
        "StatusMessage": "There is no capacity",
    }
    wanted = {"AutoScalingGroupName": "web", "MaxRecords": 20}
    stubs.add_response("describe_scaling_activities", {"Activities": [answer]}, wanted)
    [found] = groups.activities("web")
    assert found == Activity("a-1", answer["Description"], "At …", "Failed", "There is no capacity", MOMENT)  # type: ignore[arg-type]


def test_user_data_goes_over_the_wire_in_base64_once(autoscaling_client: "AutoScalingClient") -> None:
    sent: list[str] = []

    def answer(request: AWSPreparedRequest, **_: object) -> AWSResponse:
        sent.append(str(request.body))
        body = HTTPResponse(BytesIO(b"<CreateLaunchConfigurationResponse/>"), preload_content=False)
        return AWSResponse(request.url, 200, HTTPHeaders(), body)

    event = "before-send.auto-scaling.CreateLaunchConfiguration"
    autoscaling_client.meta.events.register(event, answer, unique_id="answer")  # type: ignore[arg-type]
    request = {"LaunchConfigurationName": "web-2", "UserData": b"#!/bin/sh\n"}
    AutoScaling(autoscaling_client).create_launch_configuration(request)
    autoscaling_client.meta.events.unregister(event, unique_id="answer")
    assert "UserData=IyEvYmluL3NoCg%3D%3D" in sent[0]
