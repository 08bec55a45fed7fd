"""What the model needs of the outside world. It calls nothing else."""

from collections.abc import Mapping
from typing import Protocol

from goldfleet.scaling.model import Launch, LaunchSource, MachineState, TargetState, Zone


class Clock(Protocol):
    """What time it is. Wake-ups are the caller's: `AutoScaling.tick` returns when it wants the next call."""

    def now(self) -> float:
        """Return seconds since the epoch; must not go back."""
        ...


class Machines(Protocol):
    """EC2. Every call returns at once: a launch that takes time is `pending` meanwhile."""

    def launch(self, launch: Launch, zone: Zone, group_name: str) -> str:
        """Start a machine and return its id; LaunchFailedError if EC2 refuses (no capacity, no such image)."""
        ...

    def terminate(self, instance_id: str) -> None:
        """Ask for the end of a machine; nothing happens if it is gone already."""
        ...

    def state(self, instance_id: str) -> MachineState:
        """Return the machine's state; TERMINATED if EC2 does not know it."""
        ...

    def zone(self, instance_id: str) -> str:
        """Return the name of the Availability Zone a machine is in; "" if EC2 does not know it."""
        ...


class LoadBalancer(Protocol):
    """Target groups, by ARN."""

    def register(self, target_group_arn: str, instance_id: str) -> None:
        """Add a target."""
        ...

    def deregister(self, target_group_arn: str, instance_id: str) -> None:
        """Take a target out; it drains for the target group's deregistration delay."""
        ...

    def health(self, target_group_arn: str) -> Mapping[str, TargetState]:
        """Return the state of every target by instance id; a target that has drained is not in it, or UNUSED."""
        ...


class Launches(Protocol):
    """Launch configurations and launch templates."""

    def resolve(self, source: LaunchSource) -> Launch:
        """Return what a launch would use now, $Latest and $Default made a number; LaunchFailedError if it does not exist."""
        ...


class Ids(Protocol):
    """Ids that nobody can guess."""

    def activity_id(self) -> str:
        """Return a new scaling activity's id."""
        ...

    def action_token(self) -> str:
        """Return a new lifecycle action's token."""
        ...
