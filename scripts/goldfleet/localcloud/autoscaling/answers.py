"""The model's values as EC2 Auto Scaling describes them: pure.

Keys are AWS's; moto's serializer writes them on the wire. Source: EC2 Auto Scaling API reference, data types.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from goldfleet.localcloud.state import ACCOUNT_ID, REGION
from goldfleet.scaling.group import Group
from goldfleet.scaling.model import Activity, Hook, Launch, Member, ScheduledAction

NAME_ID = "9f3c1d52-5f0e-4f43-8a0a-6d1c1f7a2b11"  # AWS puts a random id into each ARN; nobody can tell them apart here
ARN = f"arn:aws:autoscaling:{REGION}:{ACCOUNT_ID}"
ROLE_ARN = (
    f"arn:aws:iam::{ACCOUNT_ID}:role/aws-service-role/autoscaling.amazonaws.com/AWSServiceRoleForAutoScaling"
)  # fmt: skip


@dataclass
class Tag:
    """One tag of a group."""

    value: str
    propagates: bool


@dataclass
class Record:
    """What AWS tells of a group that its behaviour does not depend on."""

    vpc_zone_identifier: str = ""
    health_check_type: str = "EC2"
    tags: dict[str, Tag] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    capacity_rebalance: bool | None = None
    max_instance_lifetime: int | None = None

    def propagated_tags(self) -> dict[str, str]:
        """Return the tags that launched instances get."""
        return {key: tag.value for key, tag in self.tags.items() if tag.propagates}


def moment(seconds: float) -> datetime:
    """Return a time as answers hold it, to the millisecond."""
    return datetime.fromtimestamp(round(seconds, 3), UTC)


def group_arn(name: str) -> str:
    """Return a group's ARN."""
    return f"{ARN}:autoScalingGroup:{NAME_ID}:autoScalingGroupName/{name}"


def describe_group(group: Group, record: Record) -> dict[str, Any]:
    """Return an AutoScalingGroup."""
    spec = group.spec
    described: dict[str, Any] = {
        "AutoScalingGroupName": spec.name,
        "AutoScalingGroupARN": group_arn(spec.name),
        "MinSize": spec.min_size,
        "MaxSize": spec.max_size,
        "DesiredCapacity": spec.desired_capacity,
        "DefaultCooldown": spec.default_cooldown_seconds,
        "AvailabilityZones": [zone.name for zone in spec.zones],
        "LoadBalancerNames": [],
        "TargetGroupARNs": list(spec.target_group_arns),
        "TrafficSources": [{"Identifier": arn, "Type": "elbv2"} for arn in spec.target_group_arns],
        "HealthCheckType": record.health_check_type,
        "HealthCheckGracePeriod": spec.health_check_grace_seconds,
        "Instances": [describe_member(member) for member in group.roster],
        "CreatedTime": moment(group.created_at),
        "SuspendedProcesses": [
            {"ProcessName": name, "SuspensionReason": reason} for name, reason in group.suspended.items()
        ],
        "VPCZoneIdentifier": record.vpc_zone_identifier,
        "EnabledMetrics": [{"Metric": metric, "Granularity": "1Minute"} for metric in record.metrics],
        "Tags": describe_tags(spec.name, record.tags),
        "TerminationPolicies": list(spec.termination_policies),
        "NewInstancesProtectedFromScaleIn": spec.new_instances_protected_from_scale_in,
        "ServiceLinkedRoleARN": ROLE_ARN,
        **describe_source(group),
    }
    optional = {
        "Status": "Delete in progress" if group.is_deleting else None,
        "DefaultInstanceWarmup": spec.default_instance_warmup_seconds,
        "CapacityRebalance": record.capacity_rebalance,
        "MaxInstanceLifetime": record.max_instance_lifetime,
    }
    return described | {key: value for key, value in optional.items() if value is not None}


def describe_source(group: Group) -> dict[str, Any]:
    """Return what a group launches from, the version as it was asked for ($Latest stays $Latest)."""
    source = group.spec.source
    if source.launch_configuration_name:
        return {"LaunchConfigurationName": source.launch_configuration_name}
    return {
        "LaunchTemplate": {
            "LaunchTemplateId": source.launch_template_id,
            "LaunchTemplateName": source.launch_template_name,
            "Version": source.launch_template_version,
        }
    }


def describe_launch(launch: Launch | None) -> dict[str, Any]:
    """Return what an instance was launched from; nothing for one that was attached."""
    if launch is None:
        return {}
    if launch.launch_configuration_name:
        return {"LaunchConfigurationName": launch.launch_configuration_name}
    return {
        "LaunchTemplate": {
            "LaunchTemplateId": launch.launch_template_id,
            "LaunchTemplateName": launch.launch_template_name,
            "Version": str(launch.launch_template_version),
        }
    }


def describe_member(member: Member) -> dict[str, Any]:
    """Return an Instance of a group."""
    instance_type = member.launch.instance_type if member.launch else ""
    return {
        "InstanceId": member.instance_id,
        **({"InstanceType": instance_type} if instance_type else {}),
        "AvailabilityZone": member.zone,
        "LifecycleState": str(member.state),
        "HealthStatus": member.health_status,
        **describe_launch(member.launch),
        "ProtectedFromScaleIn": member.is_protected,
    }


def describe_instance_details(group: Group, member: Member) -> dict[str, Any]:
    """Return an AutoScalingInstanceDetails; health is written in capitals there."""
    described = describe_member(member)
    return described | {
        "AutoScalingGroupName": group.spec.name,
        "HealthStatus": member.health_status.upper(),
    }


def describe_tags(name: str, tags: Mapping[str, Tag]) -> list[dict[str, Any]]:
    """Return a group's tags, by key."""
    return [
        {
            "ResourceId": name,
            "ResourceType": "auto-scaling-group",
            "Key": key,
            "Value": tag.value,
            "PropagateAtLaunch": tag.propagates,
        }
        for key, tag in sorted(tags.items())
    ]


def describe_activity(name: str, activity: Activity) -> dict[str, Any]:
    """Return an Activity."""
    described: dict[str, Any] = {
        "ActivityId": activity.activity_id,
        "AutoScalingGroupName": name,
        "AutoScalingGroupARN": group_arn(name),
        "Description": activity.description,
        "Cause": activity.cause,
        "StartTime": moment(activity.started_at),
        "StatusCode": activity.status_code,
        "Progress": activity.progress,
        "Details": activity.details,
    }
    if activity.ended_at is not None:
        described["EndTime"] = moment(activity.ended_at)
    if activity.status_message:
        described["StatusMessage"] = activity.status_message
    return described


def describe_hook(name: str, hook: Hook) -> dict[str, Any]:
    """Return a LifecycleHook."""
    described: dict[str, Any] = {
        "LifecycleHookName": hook.name,
        "AutoScalingGroupName": name,
        "LifecycleTransition": str(hook.transition),
        "HeartbeatTimeout": hook.heartbeat_timeout_seconds,
        "GlobalTimeout": hook.global_timeout_seconds,
        "DefaultResult": str(hook.default_result),
    }
    optional = {
        "NotificationTargetARN": hook.notification_target_arn,
        "NotificationMetadata": hook.notification_metadata,
        "RoleARN": hook.role_arn,
    }
    return described | {key: value for key, value in optional.items() if value}


def describe_scheduled_action(name: str, action: ScheduledAction, next_at: float | None) -> dict[str, Any]:
    """Return a ScheduledUpdateGroupAction; StartTime is when it runs next."""
    described: dict[str, Any] = {
        "AutoScalingGroupName": name,
        "ScheduledActionName": action.name,
        "ScheduledActionARN": f"{ARN}:scheduledUpdateGroupAction:{NAME_ID}:autoScalingGroupName/{name}"
        f":scheduledActionName/{action.name}",
    }
    optional = {
        "StartTime": None if next_at is None else moment(next_at),
        "Time": None if next_at is None else moment(next_at),
        "EndTime": None if action.ends_at is None else moment(action.ends_at),
        "Recurrence": action.recurrence or None,
        "TimeZone": action.time_zone if action.recurrence else None,
        "MinSize": action.min_size,
        "MaxSize": action.max_size,
        "DesiredCapacity": action.desired_capacity,
    }
    return described | {key: value for key, value in optional.items() if value is not None}
