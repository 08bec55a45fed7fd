"""What checks of a fleet need from the world outside: each Protocol is one thing that tests replace by a working model."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Protocol

from goldfleet.aws.model import AutoScalingGroup, Instance, Parameter
from goldfleet.verify.model import HostResult
from goldfleet.verify.wanted import Wanted


class Groups(Protocol):
    """Auto Scaling; goldfleet.aws.autoscaling.AutoScaling is one."""

    def group(self, name: str) -> AutoScalingGroup | None: ...
    def group_names(self) -> tuple[str, ...]: ...


class Machines(Protocol):
    """EC2; goldfleet.aws.ec2.Ec2 is one."""

    def instances(self, filters: Mapping[str, Sequence[str]]) -> tuple[Instance, ...]: ...
    def console_output(self, instance_id: str) -> str: ...


class Parameters(Protocol):
    """SSM parameters; goldfleet.aws.ssm.Ssm is one."""

    def get_many(self, names: Sequence[str]) -> dict[str, Parameter]: ...


class HostCheck(Protocol):
    """Checks one running instance; goldfleet.verify.host.HostChecks is one."""

    def check(self, instance: Instance, wanted: Wanted, junit: Path, on_line: Callable[[str], None]) -> HostResult: ...
