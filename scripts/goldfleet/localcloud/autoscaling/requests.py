"""What a call asks, as values of goldfleet.scaling: pure, but for the subnets, which are looked up.

Parameters are AWS's, already parsed by moto (numbers are numbers, lists are lists). Source: EC2 Auto Scaling API reference.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from goldfleet.scaling.model import (
    ActionResult,
    GroupSpec,
    GroupUpdate,
    Hook,
    LaunchSource,
    ScheduledAction,
    Transition,
    Zone,
)
from goldfleet.scaling.refusals import validation_error

Parameters = Mapping[str, Any]
UNSUPPORTED = ("MixedInstancesPolicy", "InstanceId", "PlacementGroup", "LoadBalancerNames")


class Subnets:
    """The subnets of the VPC: find by id, or the default one of a zone. Each lookup raises EC2's own error."""

    def __init__(self, find: Callable[[str], Any], default_of_zone: Callable[[], Mapping[str, Any]]) -> None:
        self._find = find
        self._default_of_zone = default_of_zone

    def zones(self, parameters: Parameters) -> tuple[Zone, ...] | None:
        """Return the zones that a call names by subnets or by zones, None where it names neither.

        Of several subnets in one zone the first is used.
        """
        identifiers = [part.strip() for part in (parameters.get("VPCZoneIdentifier") or "").split(",") if part.strip()]
        names = parameters.get("AvailabilityZones") or []
        if identifiers:
            found: dict[str, Zone] = {}
            for identifier in identifiers:
                zone = self._find(identifier).availability_zone
                found.setdefault(zone, Zone(zone, identifier))
            self._check_agreement(set(found), names)
            return tuple(found.values())
        if not names:
            return None
        defaults = self._default_of_zone()
        for name in names:
            if name not in defaults:
                raise validation_error(f"Invalid availability zone: {name}")
        return tuple(Zone(name, defaults[name].id) for name in names)

    def _check_agreement(self, zones: set[str], names: list[str]) -> None:
        if names and set(names) != zones:
            raise validation_error(
                "The availability zones of the specified subnets and the Auto Scaling group do not match"
            )


def refuse_unsupported(parameters: Parameters) -> None:
    """Refuse what the local cloud cannot do truthfully, by name."""
    for name in UNSUPPORTED:
        if parameters.get(name):
            raise validation_error(f"The local cloud has no {name} for Auto Scaling groups.")


def launch_source(parameters: Parameters) -> LaunchSource | None:
    """Return what a group is to launch from, None where the call names nothing."""
    template = parameters.get("LaunchTemplate") or {}
    name = parameters.get("LaunchConfigurationName") or ""
    if not (template or name):
        return None
    return LaunchSource(
        launch_configuration_name=name,
        launch_template_id=template.get("LaunchTemplateId") or "",
        launch_template_name=template.get("LaunchTemplateName") or "",
        launch_template_version=str(template.get("Version") or "$Default"),
    )


def health_check_types(parameters: Parameters) -> frozenset[str] | None:
    """Return the health check types named; EC2 is always one of them. None where the call says nothing."""
    given = parameters.get("HealthCheckType")
    if not given:
        return None
    return frozenset({"EC2", *(part.strip() for part in given.split(",") if part.strip())})


def group_spec(parameters: Parameters, zones: tuple[Zone, ...] | None) -> GroupSpec:
    """Return what CreateAutoScalingGroup asks for; what is not given has AWS's default."""
    min_size = int(parameters["MinSize"])
    desired = parameters.get("DesiredCapacity")
    return GroupSpec(
        name=parameters["AutoScalingGroupName"],
        min_size=min_size,
        max_size=int(parameters["MaxSize"]),
        desired_capacity=min_size if desired is None else int(desired),
        source=launch_source(parameters) or LaunchSource(),
        zones=zones or (),
        target_group_arns=target_groups(parameters),
        default_cooldown_seconds=_number(parameters, "DefaultCooldown", 300),
        health_check_types=health_check_types(parameters) or frozenset({"EC2"}),
        health_check_grace_seconds=_number(parameters, "HealthCheckGracePeriod", 0),
        termination_policies=tuple(parameters.get("TerminationPolicies") or ("Default",)),
        new_instances_protected_from_scale_in=bool(parameters.get("NewInstancesProtectedFromScaleIn")),
        default_instance_warmup_seconds=_warmup(parameters),
    )


def target_groups(parameters: Parameters) -> tuple[str, ...]:
    """Return the target groups named, as TargetGroupARNs or as TrafficSources of type elbv2."""
    sources = [
        one["Identifier"] for one in parameters.get("TrafficSources") or [] if one.get("Type") in (None, "elbv2")
    ]
    return tuple(dict.fromkeys([*(parameters.get("TargetGroupARNs") or []), *sources]))


def group_update(parameters: Parameters, zones: tuple[Zone, ...] | None) -> GroupUpdate:
    """Return what UpdateAutoScalingGroup changes."""
    return GroupUpdate(
        min_size=parameters.get("MinSize"),
        max_size=parameters.get("MaxSize"),
        desired_capacity=parameters.get("DesiredCapacity"),
        source=launch_source(parameters),
        zones=zones,
        default_cooldown_seconds=parameters.get("DefaultCooldown"),
        health_check_types=health_check_types(parameters),
        health_check_grace_seconds=parameters.get("HealthCheckGracePeriod"),
        termination_policies=tuple(parameters["TerminationPolicies"])
        if parameters.get("TerminationPolicies")
        else None,
        new_instances_protected_from_scale_in=parameters.get("NewInstancesProtectedFromScaleIn"),
        default_instance_warmup_seconds=_warmup(parameters),
    )


def hook(parameters: Parameters, before: Hook | None) -> Hook:
    """Return the hook that PutLifecycleHook makes, or what it makes of one that is there already."""
    transition = parameters.get("LifecycleTransition") or (before.transition if before else None)
    if transition is None:
        raise validation_error("LifecycleTransition is required when a lifecycle hook is created.")
    try:
        where = Transition(transition)
        result = ActionResult(parameters.get("DefaultResult") or (before.default_result if before else "ABANDON"))
    except ValueError as error:
        raise validation_error(f"{error}".replace("goldfleet.scaling.model.", "")) from error
    return Hook(
        name=parameters["LifecycleHookName"],
        transition=where,
        heartbeat_timeout_seconds=parameters.get("HeartbeatTimeout")
        or (before.heartbeat_timeout_seconds if before else 3600),
        default_result=result,
        notification_target_arn=_kept(
            parameters, "NotificationTargetARN", before.notification_target_arn if before else ""
        ),
        notification_metadata=_kept(parameters, "NotificationMetadata", before.notification_metadata if before else ""),
        role_arn=_kept(parameters, "RoleARN", before.role_arn if before else ""),
    )


def scheduled_action(parameters: Parameters) -> ScheduledAction:
    """Return the action that PutScheduledUpdateGroupAction puts."""
    return ScheduledAction(
        name=parameters["ScheduledActionName"],
        min_size=parameters.get("MinSize"),
        max_size=parameters.get("MaxSize"),
        desired_capacity=parameters.get("DesiredCapacity"),
        starts_at=_seconds(parameters.get("StartTime") or parameters.get("Time")),
        ends_at=_seconds(parameters.get("EndTime")),
        recurrence=parameters.get("Recurrence") or "",
        time_zone=parameters.get("TimeZone") or "UTC",
    )


def _number(parameters: Parameters, name: str, default: int) -> int:
    value = parameters.get(name)
    return default if value is None else int(value)


def _warmup(parameters: Parameters) -> int | None:
    value = parameters.get("DefaultInstanceWarmup")
    return None if value is None or int(value) < 0 else int(value)


def _kept(parameters: Parameters, name: str, before: str) -> str:
    value = parameters.get(name)
    return before if value is None else str(value)


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()
