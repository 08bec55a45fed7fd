"""Auto Scaling of the local cloud, driven by the stock aws CLI: what AWS documents is what it shows.

The table of calls in docs/local_cloud.md names the test that proves each row.
"""

import json
from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from tests.localcloud.conftest import Cloud, wait_for

GROUP = "asg-tests"
TEMPLATE = "asg-tests"
LONGEST = 40.0


class Groups:
    """Looks at groups by boto3, which answers quicker than the aws CLI starts."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.client = boto3.client(
            "autoscaling", region_name=cloud.env["AWS_REGION"], endpoint_url=cloud.env["AWS_ENDPOINT_URL"],
            aws_access_key_id=cloud.env["AWS_ACCESS_KEY_ID"], aws_secret_access_key=cloud.env["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip

    def __call__(self, *arguments: str) -> Any:
        """Run `aws autoscaling …` about the group."""
        return self.cloud.aws("autoscaling", *arguments, "--auto-scaling-group-name", GROUP)

    def refused(self, *arguments: str) -> str:
        """Run `aws autoscaling …` about the group, which must fail."""
        return self.cloud.aws_refused("autoscaling", *arguments, "--auto-scaling-group-name", GROUP)

    def group(self, name: str = GROUP) -> dict[str, Any] | None:
        """Return the group."""
        found = self.client.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
        return dict(found[0]) if found else None

    def members(self, state: str = "") -> list[dict[str, Any]]:
        """Return the group's instances, of one lifecycle state when it is given."""
        group = self.group()
        instances = group["Instances"] if group else []
        return [one for one in instances if state in ("", one["LifecycleState"])]

    def activities(self, start: str = "") -> list[dict[str, Any]]:
        """Return the scaling activities whose description starts so, newest first."""
        found = self.client.describe_scaling_activities(AutoScalingGroupName=GROUP)["Activities"]
        return [dict(one) for one in found if one["Description"].startswith(start)]

    def wait_settled(self, count: int) -> list[dict[str, Any]]:
        """Wait until exactly so many instances are there and all are in service."""

        def settled() -> list[dict[str, Any]] | None:
            members = self.members()
            good = len(members) == count and all(one["LifecycleState"] == "InService" for one in members)
            return members if good else None

        return wait_for(f"{count} in service", settled, LONGEST) if count else []


@pytest.fixture(scope="module")
def groups(cloud: Cloud) -> Iterator[Groups]:
    """A group of two made from a launch template, with room up to four."""
    groups = Groups(cloud)
    data = {
        "ImageId": cloud.base_image(), "InstanceType": "t3.small", "KeyName": "tests", "SecurityGroups": ["tests"],
        "MetadataOptions": {"HttpTokens": "required"},
        "TagSpecifications": [{"ResourceType": "instance", "Tags": [{"Key": "from", "Value": "template"}]}],
    }  # fmt: skip
    cloud.aws(
        "ec2", "create-launch-template", "--launch-template-name", TEMPLATE, "--launch-template-data", json.dumps(data)
    )
    groups(
        "create-auto-scaling-group", "--launch-template", f"LaunchTemplateName={TEMPLATE},Version=$Latest",
        "--min-size", "1", "--max-size", "4", "--desired-capacity", "2",
        "--availability-zones", "us-east-1a", "us-east-1b",
        "--tags", "Key=from-group,Value=yes,PropagateAtLaunch=true", "Key=own,Value=yes,PropagateAtLaunch=false",
    )  # fmt: skip
    yield groups
    groups("delete-auto-scaling-group", "--force-delete")
    wait_for("group gone", lambda: groups.group() is None, LONGEST)


@pytest.fixture(autouse=True)
def two_in_service(groups: Groups) -> None:
    """Each test begins with two instances in service."""
    groups.client.set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=2)
    groups.wait_settled(2)


def test_new_group_spreads_over_its_zones_and_says_why(groups: Groups) -> None:
    assert {one["AvailabilityZone"] for one in groups.members()} == {"us-east-1a", "us-east-1b"}
    first = groups.activities("Launching a new EC2 instance")[-1]
    assert first["StatusCode"] == "Successful"
    assert "a user request created an AutoScalingGroup changing the desired capacity from 0 to 2" in first["Cause"]


def test_instances_have_the_templates_settings_and_propagated_tags(groups: Groups) -> None:
    instance = groups.cloud.instance(groups.members()[0]["InstanceId"])
    tags = {tag["Key"]: tag["Value"] for tag in instance["Tags"]}
    assert tags["from"] == "template"
    assert tags["from-group"] == "yes"
    assert tags["aws:autoscaling:groupName"] == GROUP
    assert "own" not in tags
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    assert instance["KeyName"] == "tests"


def test_set_desired_capacity_launches_pending_instances_that_come_into_service(groups: Groups) -> None:
    groups("set-desired-capacity", "--desired-capacity", "3")
    assert len(groups.members()) == 3
    groups.wait_settled(3)


@pytest.mark.parametrize(("desired", "words"), [("5", "above max value 4"), ("0", "below min value 1")])
def test_desired_capacity_outside_the_bounds_is_refused(groups: Groups, desired: str, words: str) -> None:
    said = groups.refused("set-desired-capacity", "--desired-capacity", desired)
    assert "ValidationError" in said
    assert words in said


def test_scale_in_terminates_one_and_says_which(groups: Groups) -> None:
    groups("set-desired-capacity", "--desired-capacity", "1")
    groups.wait_settled(1)
    activity = groups.activities("Terminating EC2 instance")[0]
    assert "shrinking the capacity from 2 to 1" in activity["Cause"]


def test_terminate_without_decrement_is_replaced(groups: Groups) -> None:
    victim = groups.members()[0]["InstanceId"]
    answer = groups.cloud.aws(
        "autoscaling", "terminate-instance-in-auto-scaling-group", "--instance-id", victim,
        "--no-should-decrement-desired-capacity",
    )  # fmt: skip
    assert answer["Activity"]["Description"] == f"Terminating EC2 instance: {victim}"
    members = groups.wait_settled(2)
    assert victim not in {one["InstanceId"] for one in members}
    assert groups.cloud.wait_state(victim, "terminated")


def test_terminate_with_decrement_lowers_desired(groups: Groups) -> None:
    victim = groups.members()[0]["InstanceId"]
    groups.cloud.aws(
        "autoscaling", "terminate-instance-in-auto-scaling-group", "--instance-id", victim,
        "--should-decrement-desired-capacity",
    )  # fmt: skip
    groups.wait_settled(1)
    assert (groups.group() or {})["DesiredCapacity"] == 1


def test_launch_hook_waits_then_continue_brings_into_service(groups: Groups) -> None:
    groups("put-lifecycle-hook", "--lifecycle-hook-name", "up", "--heartbeat-timeout", "300",
           "--lifecycle-transition", "autoscaling:EC2_INSTANCE_LAUNCHING")  # fmt: skip
    try:
        groups("set-desired-capacity", "--desired-capacity", "3")
        (waiting,) = wait_for("Pending:Wait", lambda: groups.members("Pending:Wait"), LONGEST)
        groups(
            "record-lifecycle-action-heartbeat", "--lifecycle-hook-name", "up", "--instance-id", waiting["InstanceId"]
        )
        groups("complete-lifecycle-action", "--lifecycle-hook-name", "up", "--lifecycle-action-result", "CONTINUE",
               "--instance-id", waiting["InstanceId"])  # fmt: skip
        assert waiting["InstanceId"] in {one["InstanceId"] for one in groups.wait_settled(3)}
    finally:
        groups("delete-lifecycle-hook", "--lifecycle-hook-name", "up")


def test_launch_hook_abandoned_replaces_the_instance(groups: Groups) -> None:
    groups("put-lifecycle-hook", "--lifecycle-hook-name", "up", "--heartbeat-timeout", "300",
           "--lifecycle-transition", "autoscaling:EC2_INSTANCE_LAUNCHING")  # fmt: skip
    try:
        groups("set-desired-capacity", "--desired-capacity", "3")
        (waiting,) = wait_for("Pending:Wait", lambda: groups.members("Pending:Wait"), LONGEST)
        groups("complete-lifecycle-action", "--lifecycle-hook-name", "up", "--lifecycle-action-result", "ABANDON",
               "--instance-id", waiting["InstanceId"])  # fmt: skip

        def successor() -> list[dict[str, Any]]:
            return [one for one in groups.members("Pending:Wait") if one["InstanceId"] != waiting["InstanceId"]]

        wait_for("a successor", successor, LONGEST)
        assert (
            groups.activities(f"Launching a new EC2 instance: {waiting['InstanceId']}")[0]["StatusCode"] == "Cancelled"
        )
    finally:
        groups("set-desired-capacity", "--desired-capacity", "2")
        groups("delete-lifecycle-hook", "--lifecycle-hook-name", "up")


def test_complete_action_that_nobody_waits_for_is_refused(groups: Groups) -> None:
    said = groups.refused("complete-lifecycle-action", "--lifecycle-hook-name", "none", "--lifecycle-action-result",
                          "CONTINUE", "--instance-id", "i-0123456789abcdef0")  # fmt: skip
    assert "No Lifecycle Hook found with name: none" in said


def test_standby_is_not_replaced_with_decrement_and_comes_back(groups: Groups) -> None:
    member = groups.members()[0]["InstanceId"]
    answer = groups("enter-standby", "--instance-ids", member, "--should-decrement-desired-capacity")
    assert answer["Activities"][0]["Description"] == f"Moving EC2 instance to Standby: {member}"
    wait_for("Standby", lambda: groups.members("Standby"), LONGEST)
    assert (groups.group() or {})["DesiredCapacity"] == 1
    groups("exit-standby", "--instance-ids", member)
    assert member in {one["InstanceId"] for one in groups.wait_settled(2)}


def test_suspended_launch_launches_nothing_until_resumed(groups: Groups) -> None:
    groups("suspend-processes", "--scaling-processes", "Launch")
    groups("set-desired-capacity", "--desired-capacity", "3")
    suspended = (groups.group() or {})["SuspendedProcesses"]
    assert [one["ProcessName"] for one in suspended] == ["Launch"]
    assert suspended[0]["SuspensionReason"].startswith("User suspended at ")
    assert len(groups.members()) == 2
    groups("resume-processes", "--scaling-processes", "Launch")
    groups.wait_settled(3)


def test_instance_terminated_behind_the_groups_back_is_replaced(groups: Groups) -> None:
    victim = groups.members()[0]["InstanceId"]
    groups.cloud.aws("ec2", "terminate-instances", "--instance-ids", victim)

    def replaced() -> bool:
        ids = {one["InstanceId"] for one in groups.members("InService")}
        return victim not in ids and len(ids) == 2

    wait_for("a replacement", replaced, LONGEST)
    assert "EC2 health check indicating it has been terminated or stopped" in "".join(
        one["Cause"] for one in groups.activities(f"Terminating EC2 instance: {victim}")
    )


def test_members_keep_the_version_that_they_were_launched_with(groups: Groups) -> None:
    groups.cloud.aws("ec2", "create-launch-template-version", "--launch-template-name", TEMPLATE, "--source-version", "1",
                     "--version-description", "second", "--launch-template-data", '{"InstanceType": "t3.medium"}')  # fmt: skip
    groups("set-desired-capacity", "--desired-capacity", "3")
    members = groups.wait_settled(3)
    assert sorted(one["LaunchTemplate"]["Version"] for one in members) == ["1", "1", "2"]
    newest = next(one for one in members if one["LaunchTemplate"]["Version"] == "2")
    instance = groups.cloud.instance(newest["InstanceId"])
    assert instance["InstanceType"] == "t3.medium"  # given
    assert instance["KeyName"] == "tests"  # inherited from the source version


def test_launch_that_ec2_refuses_is_a_failed_activity(groups: Groups) -> None:
    groups.cloud.aws("ec2", "create-launch-template-version", "--launch-template-name", TEMPLATE, "--source-version", "1",
                     "--launch-template-data", '{"ImageId": "ami-0123456789abcdef0"}')  # fmt: skip
    groups("update-auto-scaling-group", "--launch-template", f"LaunchTemplateName={TEMPLATE},Version=3")
    try:
        groups("set-desired-capacity", "--desired-capacity", "3")
        failed = wait_for(
            "a failed launch", lambda: [one for one in groups.activities() if one["StatusCode"] == "Failed"], LONGEST
        )
        assert "ami-0123456789abcdef0" in failed[0]["StatusMessage"]
    finally:
        groups("update-auto-scaling-group", "--launch-template", f"LaunchTemplateName={TEMPLATE},Version=1")


def test_version_that_does_not_exist_is_refused(groups: Groups) -> None:
    said = groups.refused("update-auto-scaling-group", "--launch-template", f"LaunchTemplateName={TEMPLATE},Version=99")
    assert "ValidationError" in said


def test_protected_instance_survives_a_scale_in(groups: Groups) -> None:
    kept = groups.members()[0]["InstanceId"]
    groups("set-instance-protection", "--instance-ids", kept, "--protected-from-scale-in")
    groups("set-desired-capacity", "--desired-capacity", "1")
    assert [one["InstanceId"] for one in groups.wait_settled(1)] == [kept]
    groups("set-instance-protection", "--instance-ids", kept, "--no-protected-from-scale-in")


def test_group_with_instances_is_not_deleted_without_force(groups: Groups) -> None:
    assert "ResourceInUse" in groups.refused("delete-auto-scaling-group")


def test_instance_refresh_is_refused_and_none_is_listed(groups: Groups) -> None:
    assert "UnsupportedOperation" in groups.refused("start-instance-refresh")
    assert groups("describe-instance-refreshes")["InstanceRefreshes"] == []


def test_scheduled_action_is_listed_with_its_next_time(groups: Groups) -> None:
    groups("put-scheduled-update-group-action", "--scheduled-action-name", "night", "--recurrence", "0 3 * * *",
           "--desired-capacity", "1")  # fmt: skip
    (action,) = groups("describe-scheduled-actions")["ScheduledUpdateGroupActions"]
    assert action["Recurrence"] == "0 3 * * *"
    assert "T03:00:00" in action["StartTime"]
    groups("delete-scheduled-action", "--scheduled-action-name", "night")


def test_launch_configuration_in_use_cannot_be_deleted_and_names_are_unique(groups: Groups) -> None:
    cloud, name = groups.cloud, "lc-tests"
    make = ("autoscaling", "create-launch-configuration", "--launch-configuration-name", name, "--image-id",
            cloud.base_image(), "--instance-type", "t3.small", "--security-groups", "tests")  # fmt: skip
    cloud.aws(*make)
    assert "AlreadyExists" in cloud.aws_refused(*make)
    groups("update-auto-scaling-group", "--launch-configuration-name", name)
    assert (groups.group() or {})["LaunchConfigurationName"] == name
    remove = ("autoscaling", "delete-launch-configuration", "--launch-configuration-name", name)
    assert "ResourceInUse" in cloud.aws_refused(*remove)
    groups("update-auto-scaling-group", "--launch-template", f"LaunchTemplateName={TEMPLATE},Version=1")
    cloud.aws(*remove)


def test_same_client_token_makes_the_same_version(groups: Groups) -> None:
    make = ("ec2", "create-launch-template-version", "--launch-template-name", TEMPLATE, "--source-version", "1",
            "--client-token", "once", "--launch-template-data", "{}")  # fmt: skip
    first = groups.cloud.aws(*make)["LaunchTemplateVersion"]["VersionNumber"]
    assert groups.cloud.aws(*make)["LaunchTemplateVersion"]["VersionNumber"] == first


def test_unknown_group_is_refused_in_aws_words(groups: Groups) -> None:
    said = groups.cloud.aws_refused("autoscaling", "set-desired-capacity", "--auto-scaling-group-name", "nobody",
                                    "--desired-capacity", "1")  # fmt: skip
    assert "AutoScalingGroup name not found" in said


def test_versions_are_filtered_by_image_newest_first(groups: Groups) -> None:
    cloud = groups.cloud
    show = ("ec2", "describe-launch-template-versions", "--launch-template-name", TEMPLATE, "--filters")
    cloud.aws("ec2", "create-launch-template-version", "--launch-template-name", TEMPLATE, "--source-version", "1",
              "--launch-template-data", '{"ImageId": "ami-0aaaaaaaaaaaaaaaa"}')  # fmt: skip
    found = cloud.aws(*show, "Name=image-id,Values=ami-0aaaaaaaaaaaaaaaa")["LaunchTemplateVersions"]
    assert [one["LaunchTemplateData"]["ImageId"] for one in found] == ["ami-0aaaaaaaaaaaaaaaa"]
    numbers = [one["VersionNumber"] for one in cloud.aws(*show, "Name=image-id,Values=ami-*")["LaunchTemplateVersions"]]
    assert numbers == sorted(numbers, reverse=True)
