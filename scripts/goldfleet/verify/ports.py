"""What checks of a fleet need from the world outside: each Protocol is one thing that tests replace by a working model."""

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

from goldfleet.aws.model import AutoScalingGroup, Instance, Parameter
from goldfleet.verify.job import Job, JobResults
from goldfleet.verify.job_process import Specs


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


class Jobs(Protocol):
    """Does jobs; goldfleet.verify.job_process.JobProcess is one."""

    def run(self, job: Job, specs: Specs, on_line: Callable[[str], None]) -> JobResults: ...
