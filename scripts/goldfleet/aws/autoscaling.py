"""EC2 Auto Scaling: one method an API call, answers as the values of aws/model.py. No waiting, no deciding."""

from typing import TYPE_CHECKING

from goldfleet.aws.errors import ThingExistsError, ThingIsGoneError, explained
from goldfleet.aws.model import Activity, AutoScalingGroup, GroupInstance, LaunchSpec
from goldfleet.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_autoscaling.type_defs import (
        ActivityTypeDef,
        AutoScalingGroupTypeDef,
        InstanceTypeDef,
        LaunchConfigurationTypeDef,
        LaunchTemplateSpecificationTypeDef,
        TagDescriptionTypeDef,
    )

MOST_ACTIVITIES = 100
"""DescribeScalingActivities returns at most 100 a page. Source: API reference, MaxRecords."""


class AutoScaling:
    """Auto Scaling groups of one account and region."""

    def __init__(self, client: "AutoScalingClient") -> None:
        self._client = client

    def group(self, name: str) -> AutoScalingGroup | None:
        """Return a group with all its instances, or None when there is none of the name."""
        with explained("DescribeAutoScalingGroups", name):
            answer = self._client.describe_auto_scaling_groups(AutoScalingGroupNames=[name])
        return next(map(_group, answer["AutoScalingGroups"]), None)

    def group_names(self) -> tuple[str, ...]:
        """Return the names of all groups of the account and region, sorted."""
        names: list[str] = []
        with explained("DescribeAutoScalingGroups"):
            for page in self._client.get_paginator("describe_auto_scaling_groups").paginate():
                names += [one["AutoScalingGroupName"] for one in page["AutoScalingGroups"]]
        return tuple(sorted(names))

    def launch_configuration(self, name: str) -> "LaunchConfigurationTypeDef | None":
        """Return a launch configuration as AWS describes it, or None when there is none of the name."""
        with explained("DescribeLaunchConfigurations", name):
            answer = self._client.describe_launch_configurations(LaunchConfigurationNames=[name])
        return next(iter(answer["LaunchConfigurations"]), None)

    def create_launch_configuration(self, request: "Mapping[str, object]") -> None:
        """Make a launch configuration. One of the same name that is there already is fine: names say the content."""
        try:
            with explained("CreateLaunchConfiguration", str(request["LaunchConfigurationName"])):
                self._client.create_launch_configuration(**request)  # type: ignore[arg-type]  # AWS's own description
        except ThingExistsError:
            return

    def use_launch(self, name: str, launch: LaunchSpec) -> None:
        """Have a group launch from something else from now on; its instances stay as they are."""
        with explained("UpdateAutoScalingGroup", name):
            if launch.is_template:
                template: LaunchTemplateSpecificationTypeDef = {
                    "LaunchTemplateId": launch.launch_template_id,
                    "Version": launch.version,
                }
                self._client.update_auto_scaling_group(AutoScalingGroupName=name, LaunchTemplate=template)
            else:
                self._client.update_auto_scaling_group(
                    AutoScalingGroupName=name, LaunchConfigurationName=launch.launch_configuration_name
                )

    def set_max_size(self, name: str, max_size: int) -> None:
        """Set a group's maximum size."""
        with explained("UpdateAutoScalingGroup", name):
            self._client.update_auto_scaling_group(AutoScalingGroupName=name, MaxSize=max_size)

    def set_desired_capacity(self, name: str, desired_capacity: int) -> None:
        """Set a group's desired capacity, without regard to its cooldown."""
        with explained("SetDesiredCapacity", name):
            self._client.set_desired_capacity(
                AutoScalingGroupName=name, DesiredCapacity=desired_capacity, HonorCooldown=False
            )

    def terminate(self, instance_id: str, *, decrements: bool) -> None:
        """Terminate an instance of a group; with `decrements` the group does not replace it.

        Not idempotent with `decrements`: look before asking again. An instance that no group has (any more) is fine;
        AWS has no code of its own for it, but a ValidationError "Instance Id not found".
        """
        try:
            with explained("TerminateInstanceInAutoScalingGroup", instance_id):
                self._client.terminate_instance_in_auto_scaling_group(
                    InstanceId=instance_id, ShouldDecrementDesiredCapacity=decrements
                )
        except ThingIsGoneError:
            return
        except AwsError as error:
            if error.code != "ValidationError" or "not found" not in error.message:
                raise

    def set_tags(self, name: str, tags: "Mapping[str, str]") -> None:
        """Set tags on a group; its instances do not get them."""
        with explained("CreateOrUpdateTags", name):
            self._client.create_or_update_tags(
                Tags=[
                    {
                        "ResourceId": name,
                        "ResourceType": "auto-scaling-group",
                        "Key": key,
                        "Value": value,
                        "PropagateAtLaunch": False,
                    }
                    for key, value in tags.items()
                ]
            )

    def remove_tags(self, name: str, keys: "Sequence[str]") -> None:
        """Remove tags from a group; those that it does not have are fine."""
        with explained("DeleteTags", name):
            self._client.delete_tags(
                Tags=[{"ResourceId": name, "ResourceType": "auto-scaling-group", "Key": key} for key in keys]
            )

    def activities(self, name: str, most: int = 20) -> tuple[Activity, ...]:
        """Return a group's last scaling activities, the newest first."""
        with explained("DescribeScalingActivities", name):
            answer = self._client.describe_scaling_activities(
                AutoScalingGroupName=name, MaxRecords=min(most, MOST_ACTIVITIES)
            )
        return tuple(map(_activity, answer["Activities"]))


def _group(answer: "AutoScalingGroupTypeDef") -> AutoScalingGroup:
    return AutoScalingGroup(
        name=answer["AutoScalingGroupName"],
        min_size=answer["MinSize"],
        max_size=answer["MaxSize"],
        desired_capacity=answer["DesiredCapacity"],
        launch=_launch(answer.get("LaunchConfigurationName", ""), answer.get("LaunchTemplate", {})),
        instances=tuple(map(_instance, answer.get("Instances", []))),
        target_group_arns=tuple(answer.get("TargetGroupARNs", [])),
        suspended={
            one.get("ProcessName", ""): one.get("SuspensionReason", "") for one in answer.get("SuspendedProcesses", [])
        },
        tags=_tags(answer.get("Tags", [])),
        health_check_types=tuple(answer.get("HealthCheckType", "EC2").split(",")),
        health_check_grace_seconds=answer.get("HealthCheckGracePeriod", 0),
        has_mixed_instances_policy="MixedInstancesPolicy" in answer,
        classic_load_balancers=tuple(answer.get("LoadBalancerNames", [])),
        status=answer.get("Status", ""),
    )


def _instance(answer: "InstanceTypeDef") -> GroupInstance:
    return GroupInstance(
        instance_id=answer["InstanceId"],
        lifecycle_state=answer["LifecycleState"],
        health_status=answer["HealthStatus"],
        launch=_launch(answer.get("LaunchConfigurationName", ""), answer.get("LaunchTemplate", {})),
        availability_zone=answer.get("AvailabilityZone", ""),
        is_protected=answer.get("ProtectedFromScaleIn", False),
    )


def _launch(configuration: str, template: "LaunchTemplateSpecificationTypeDef") -> LaunchSpec:
    return LaunchSpec(
        configuration,
        template.get("LaunchTemplateId", ""),
        template.get("LaunchTemplateName", ""),
        template.get("Version", ""),
    )


def _tags(tags: "Iterable[TagDescriptionTypeDef]") -> dict[str, str]:
    return {tag.get("Key", ""): tag.get("Value", "") for tag in tags}


def _activity(answer: "ActivityTypeDef") -> Activity:
    return Activity(
        activity_id=answer["ActivityId"],
        description=answer.get("Description", ""),
        cause=answer.get("Cause", ""),
        status_code=answer.get("StatusCode", ""),
        status_message=answer.get("StatusMessage", ""),
        started_at=answer.get("StartTime"),
    )
