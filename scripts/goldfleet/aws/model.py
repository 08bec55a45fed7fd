"""What AWS answers, as frozen values in AWS's own words. No boto3 here: pure code may use these."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Image:
    """An AMI. `state` is AWS's word: pending, available, failed, deregistered, …"""

    image_id: str
    name: str
    state: str
    architecture: str
    creation_date: str
    snapshot_ids: tuple[str, ...] = ()
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Instance:
    """An EC2 instance. `state` is AWS's word: pending, running, shutting-down, terminated, …"""

    instance_id: str
    state: str
    image_id: str = ""
    private_ip_address: str = ""
    public_ip_address: str = ""
    private_dns_name: str = ""
    public_dns_name: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    state_reason: str = ""
    launched_at: datetime | None = None

    @property
    def address(self) -> str:
        """Return where it is reached: its public address when it has one, as Packer does, else the private one."""
        return self.public_ip_address or self.private_ip_address


@dataclass(frozen=True)
class KeyPair:
    """An EC2 key pair."""

    key_pair_id: str
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class SecurityGroup:
    """An EC2 security group."""

    group_id: str
    name: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Snapshot:
    """An EBS snapshot."""

    snapshot_id: str
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Parameter:
    """An SSM parameter's value and the version that AWS gave to it."""

    name: str
    value: str
    version: int
    modified: datetime | None = None


@dataclass(frozen=True)
class ImageQuery:
    """Which base AMI is wanted: an id, or the newest of an owner that matches a name."""

    architecture: str
    image_id: str | None = None
    owner: str = ""
    name: str = ""


@dataclass(frozen=True)
class Launch:
    """One instance to be started. `client_token` makes a repeated request the same request."""

    image_id: str
    instance_type: str
    key_name: str
    security_group_ids: tuple[str, ...]
    subnet_id: str | None
    tags: Mapping[str, str]
    client_token: str
    instance_profile: str | None = None


@dataclass(frozen=True)
class LaunchSpec:
    """What an Auto Scaling group launches from, or what one of its instances was launched from.

    Either a launch configuration's name, or a launch template's id and a version as AWS tells it ("4", "$Latest").
    """

    launch_configuration_name: str = ""
    launch_template_id: str = ""
    launch_template_name: str = ""
    version: str = ""

    @property
    def is_template(self) -> bool:
        """Tell whether this is a launch template's version."""
        return bool(self.launch_template_id)

    def __str__(self) -> str:
        """Return it as people write it."""
        if self.is_template:
            return f"launch template {self.launch_template_name or self.launch_template_id} version {self.version}"
        return f"launch configuration {self.launch_configuration_name or '(gone)'}"


@dataclass(frozen=True)
class TemplateVersion:
    """One version of a launch template. `content` is its LaunchTemplateData without the AMI."""

    launch_template_id: str
    launch_template_name: str
    number: int
    image_id: str
    content: Mapping[str, object] = field(default_factory=dict)


@dataclass(frozen=True)
class GroupInstance:
    """An instance as its Auto Scaling group tells of it. `lifecycle_state` and `health_status` are AWS's words."""

    instance_id: str
    lifecycle_state: str
    health_status: str
    launch: LaunchSpec
    availability_zone: str = ""
    is_protected: bool = False


@dataclass(frozen=True)
class AutoScalingGroup:
    """An Auto Scaling group. `suspended` maps a process to AWS's reason; `status` is "Delete in progress" or ""."""

    name: str
    min_size: int
    max_size: int
    desired_capacity: int
    launch: LaunchSpec
    instances: tuple[GroupInstance, ...] = ()
    target_group_arns: tuple[str, ...] = ()
    suspended: Mapping[str, str] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    health_check_types: tuple[str, ...] = ("EC2",)
    health_check_grace_seconds: int = 0
    has_mixed_instances_policy: bool = False
    classic_load_balancers: tuple[str, ...] = ()
    status: str = ""


@dataclass(frozen=True)
class Activity:
    """A scaling activity, as DescribeScalingActivities shows it."""

    activity_id: str
    description: str
    cause: str
    status_code: str
    status_message: str = ""
    started_at: datetime | None = None


@dataclass(frozen=True)
class TargetHealth:
    """What a target group says of one target: AWS's state (initial, healthy, unhealthy, draining, unused, unavailable)."""

    instance_id: str
    state: str
    reason: str = ""
    description: str = ""
