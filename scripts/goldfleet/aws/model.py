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
    security_group_id: str
    subnet_id: str | None
    tags: Mapping[str, str]
    client_token: str
