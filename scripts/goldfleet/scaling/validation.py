"""Which requests Auto Scaling refuses before anything changes: pure checks that raise CallRefusedError.

Source: EC2 Auto Scaling API reference, the parameters of each action; messages as AWS words them.
"""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

from goldfleet.scaling.cron import RecurrenceError, parse_recurrence
from goldfleet.scaling.model import GroupSpec, Hook, LaunchSource, ScheduledAction
from goldfleet.scaling.refusals import limit_exceeded, validation_error
from goldfleet.scaling.termination import DEFAULT, POLICIES

HEALTH_CHECK_TYPES = frozenset({"EC2", "ELB"})
REFUSED_POLICIES = frozenset({"AllocationStrategy"})
PROCESSES = (
    "Launch", "Terminate", "AddToLoadBalancer", "AlarmNotification", "AZRebalance", "HealthCheck", "InstanceRefresh",
    "ReplaceUnhealthy", "ScheduledActions",
)  # fmt: skip
KNOWN_POLICIES = (DEFAULT, *POLICIES)
HOOKS_PER_GROUP = 50
INSTANCES_PER_CALL = 20
PROTECTION_PER_CALL = 50


def check_spec(spec: GroupSpec) -> None:
    """Refuse a group that AWS would not make."""
    if not spec.zones:
        raise validation_error("At least one Availability Zone or VPC Subnet is required.")
    check_source(spec.source)
    check_sizes(spec.min_size, spec.max_size, spec.desired_capacity)
    check_policies(spec.termination_policies)
    unknown = spec.health_check_types - HEALTH_CHECK_TYPES
    if unknown:
        raise validation_error(f"Invalid HealthCheckType: {', '.join(sorted(unknown))}. Use EC2 or ELB.")
    if spec.health_check_grace_seconds < 0 or spec.default_cooldown_seconds < 0:
        raise validation_error("HealthCheckGracePeriod and DefaultCooldown must not be negative.")


def check_source(source: LaunchSource) -> None:
    """Refuse a group that names nothing to launch from, or two things."""
    has_template = bool(source.launch_template_id or source.launch_template_name)
    if bool(source.launch_configuration_name) == has_template:
        raise validation_error(
            "Valid requests must contain either LaunchTemplate, LaunchConfigurationName, InstanceId or "
            "MixedInstancesPolicy parameter."
        )


def check_sizes(min_size: int, max_size: int, desired_capacity: int) -> None:
    """Refuse sizes that contradict each other."""
    if min_size < 0 or max_size < 0:
        raise validation_error("MinSize and MaxSize must be 0 or more.")
    if max_size < min_size:
        raise validation_error(f"Max bound, {max_size}, must be greater than or equal to min bound, {min_size}")
    if not min_size <= desired_capacity <= max_size:
        raise validation_error(
            f"Desired capacity:{desired_capacity} must be between the specified min size:{min_size} and max "
            f"size:{max_size}"
        )


def check_desired(spec: GroupSpec, desired_capacity: int) -> None:
    """Refuse a SetDesiredCapacity outside min and max."""
    if desired_capacity > spec.max_size:
        bound = f"above max value {spec.max_size}"
    elif desired_capacity < spec.min_size:
        bound = f"below min value {spec.min_size}"
    else:
        return
    raise validation_error(f"New SetDesiredCapacity value {desired_capacity} is {bound} for the AutoScalingGroup.")


def check_room(spec: GroupSpec, change: int, verb: str) -> None:
    """Refuse a move of instances that would put the desired capacity outside min and max; verb is AWS's ("attach")."""
    if spec.min_size <= spec.desired_capacity + change <= spec.max_size:
        return
    count = abs(change)
    raise validation_error(
        f"AutoScalingGroup {spec.name} has min-size={spec.min_size}, max-size={spec.max_size}, and "
        f"desired-size={spec.desired_capacity}. To {verb} {count} instance{'s' if count > 1 else ''}, please update the "
        "AutoScalingGroup sizes appropriately."
    )


def check_policies(policies: tuple[str, ...]) -> None:
    """Refuse termination policies that do not exist, and those that are not modelled, by name."""
    for policy in policies:
        if policy in REFUSED_POLICIES or policy.startswith("arn:"):
            raise validation_error(
                f"Termination policy {policy} is not supported here. Use {', '.join(KNOWN_POLICIES)}."
            )
        if policy not in KNOWN_POLICIES:
            raise validation_error(f"The termination policy {policy} is not valid. Use {', '.join(KNOWN_POLICIES)}.")


def check_batch(instance_ids: Sequence[str], limit: int = INSTANCES_PER_CALL) -> None:
    """Refuse a call with no instance, the same twice, or more than the action takes."""
    if not 1 <= len(instance_ids) <= limit:
        raise validation_error(f"Between 1 and {limit} instance ids can be given, not {len(instance_ids)}.")
    if len(set(instance_ids)) < len(instance_ids):
        raise validation_error("An instance id is given twice.")


def check_processes(processes: Sequence[str]) -> None:
    """Refuse a process that does not exist."""
    for process in processes:
        if process not in PROCESSES:
            raise validation_error(f"{process} is not a valid process. Use {', '.join(PROCESSES)}.")


def check_hook(hook: Hook, hook_count: int) -> None:
    """Refuse a hook with a time-out out of range, or one too many."""
    if not 30 <= hook.heartbeat_timeout_seconds <= 7200:
        raise validation_error(
            f"HeartbeatTimeout must be between 30 and 7200 seconds, not {hook.heartbeat_timeout_seconds}."
        )
    if hook_count >= HOOKS_PER_GROUP:
        raise limit_exceeded(f"An Auto Scaling group can have {HOOKS_PER_GROUP} lifecycle hooks.")


def check_scheduled_action(action: ScheduledAction, now: float) -> None:
    """Refuse a scheduled action without a size, without a time, in the past, or with a recurrence nobody can read."""
    if action.min_size is None and action.max_size is None and action.desired_capacity is None:
        raise validation_error("At least one of MinSize, MaxSize or DesiredCapacity must be specified.")
    if action.starts_at is None and not action.recurrence:
        raise validation_error("Either a StartTime or a Recurrence must be specified.")
    if action.starts_at is not None and action.starts_at <= now:
        raise validation_error("Specified start time is in the past")
    if action.ends_at is not None and action.ends_at <= max(now, action.starts_at or now):
        raise validation_error("Specified end time is before the start time or in the past")
    check_time_zone(action.time_zone)
    if action.recurrence:
        check_recurrence(action, now)


def check_time_zone(name: str) -> None:
    """Refuse a time zone that is not in the IANA database."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise validation_error(f"The time zone {name} is not valid.") from error


def check_recurrence(action: ScheduledAction, now: float) -> None:
    """Refuse a recurrence that cannot be read or never comes true."""
    try:
        parse_recurrence(action.recurrence).next_after(now, action.time_zone)
    except RecurrenceError as error:
        raise validation_error(str(error)) from error
