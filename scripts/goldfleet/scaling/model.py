"""The nouns of Auto Scaling: what a group is asked to be, its members, hooks, scheduled actions and activities.

Requests and descriptions are frozen. Member and Activity are the two records that change, and only goldfleet.scaling
changes them: one record an instance keeps a transition at about a microsecond. Times are seconds since the epoch, UTC.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from goldfleet.scaling.lifecycle import LifecycleState


class MachineState(StrEnum):
    """What EC2 says of a machine: its state, or IMPAIRED when it runs and a status check fails."""

    PENDING = "pending"
    RUNNING = "running"
    IMPAIRED = "impaired"
    STOPPING = "stopping"
    STOPPED = "stopped"
    SHUTTING_DOWN = "shutting-down"
    TERMINATED = "terminated"


class TargetState(StrEnum):
    """What a target group says of a target (DescribeTargetHealth)."""

    INITIAL = "initial"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    DRAINING = "draining"
    UNUSED = "unused"


class Transition(StrEnum):
    """When a lifecycle hook applies."""

    LAUNCHING = "autoscaling:EC2_INSTANCE_LAUNCHING"
    TERMINATING = "autoscaling:EC2_INSTANCE_TERMINATING"


class ActionResult(StrEnum):
    """How a lifecycle action ends."""

    CONTINUE = "CONTINUE"
    ABANDON = "ABANDON"


class HealthReason(StrEnum):
    """Why a member is Unhealthy, in the words of a scaling activity's Cause."""

    NOT_RUNNING = "an EC2 health check indicating it has been terminated or stopped"
    STATUS_CHECK = "EC2 instance status checks failure"
    LOAD_BALANCER = "an ELB system health check failure"
    USER = "a user health-check"


@dataclass(frozen=True, slots=True)
class LaunchSource:
    """What a group launches from: a launch configuration, or a template and a version ($Latest, $Default or a number)."""

    launch_configuration_name: str = ""
    launch_template_id: str = ""
    launch_template_name: str = ""
    launch_template_version: str = "$Default"


@dataclass(frozen=True, slots=True)
class Launch:
    """What one instance was launched from, resolved: a version is a number here, whatever the group said.

    created_at is when the configuration or the template (not the version) was made, for the termination policies.
    """

    launch_configuration_name: str = ""
    launch_template_id: str = ""
    launch_template_name: str = ""
    launch_template_version: int = 0
    image_id: str = ""
    instance_type: str = ""
    created_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Zone:
    """An Availability Zone that a group uses, and its subnet there."""

    name: str
    subnet_id: str = ""


@dataclass(frozen=True, slots=True)
class GroupSpec:
    """What a group is asked to be. Defaults are those of CreateAutoScalingGroup, not the console's."""

    name: str
    min_size: int
    max_size: int
    desired_capacity: int
    source: LaunchSource
    zones: tuple[Zone, ...]
    target_group_arns: tuple[str, ...] = ()
    default_cooldown_seconds: int = 300
    health_check_types: frozenset[str] = frozenset({"EC2"})
    health_check_grace_seconds: int = 0
    termination_policies: tuple[str, ...] = ("Default",)
    new_instances_protected_from_scale_in: bool = False
    default_instance_warmup_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class GroupUpdate:
    """What UpdateAutoScalingGroup changes; None leaves a setting as it is."""

    min_size: int | None = None
    max_size: int | None = None
    desired_capacity: int | None = None
    source: LaunchSource | None = None
    zones: tuple[Zone, ...] | None = None
    default_cooldown_seconds: int | None = None
    health_check_types: frozenset[str] | None = None
    health_check_grace_seconds: int | None = None
    termination_policies: tuple[str, ...] | None = None
    new_instances_protected_from_scale_in: bool | None = None
    default_instance_warmup_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class Hook:
    """A lifecycle hook. Defaults of PutLifecycleHook: an hour, ABANDON."""

    name: str
    transition: Transition
    heartbeat_timeout_seconds: int = 3600
    default_result: ActionResult = ActionResult.ABANDON
    notification_target_arn: str = ""
    notification_metadata: str = ""
    role_arn: str = ""

    @property
    def global_timeout_seconds(self) -> int:
        """Return how long heartbeats can prolong the wait: 48 hours or 100 heartbeats. Source: LifecycleHook, GlobalTimeout."""
        return min(172_800, 100 * self.heartbeat_timeout_seconds)


@dataclass(frozen=True, slots=True)
class ScheduledAction:
    """A one-off (`starts_at`, no recurrence) or recurring change of a group's sizes."""

    name: str
    min_size: int | None = None
    max_size: int | None = None
    desired_capacity: int | None = None
    starts_at: float | None = None
    ends_at: float | None = None
    recurrence: str = ""
    time_zone: str = "UTC"


@dataclass(slots=True)
class Activity:
    """One scaling activity, as DescribeScalingActivities shows it."""

    activity_id: str
    description: str
    cause: str
    started_at: float
    details: str
    status_code: str = "InProgress"
    status_message: str = ""
    progress: int = 0
    ended_at: float | None = None


@dataclass(slots=True)
class LifecycleAction:
    """One hook that one member waits for."""

    hook: Hook
    token: str
    expires_at: float
    gives_up_at: float


@dataclass(slots=True)
class Member:
    """An instance of a group. `launch` is what it was launched from and never changes; None if it was attached."""

    instance_id: str
    zone: str
    launch: Launch | None
    launched_at: float
    is_protected: bool = False
    state: LifecycleState = LifecycleState.PENDING
    health_status: str = "Healthy"
    unhealthy_reason: HealthReason | None = None
    in_service_at: float = 0.0
    is_rebalancing: bool = False  # launched to balance zones, on top of the desired capacity, until it is in service
    is_returning: bool = False  # on its way in from outside or Standby: no launch hooks
    is_terminate_sent: bool = False
    targets: set[str] = field(default_factory=set)
    draining: set[str] = field(default_factory=set)
    actions: dict[str, LifecycleAction] = field(default_factory=dict)
    activity: Activity | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """How quick this Auto Scaling is; AWS documents none of these but the six weeks and the 24 hours."""

    look_seconds: float = 1.0  # between looks at members on their way in or out
    health_check_seconds: float = 5.0  # between health checks of members in service
    first_launch_pause_seconds: float = 5.0  # after a failed launch; doubles each time
    longest_launch_pause_seconds: float = 300.0
    give_up_launching_seconds: float = 86_400.0
    keep_activities_seconds: float = 6 * 7 * 86_400.0
