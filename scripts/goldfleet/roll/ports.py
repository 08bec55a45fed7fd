"""What a roll needs from the world outside: each Protocol is one thing that tests replace by a working model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from goldfleet.aws.model import Activity, Image, LaunchSpec
from goldfleet.clock import Clock
from goldfleet.lease import ParameterStore
from goldfleet.roll.model import Fit, GateResult, Policy, Roll, Snapshot


class Fleet(Protocol):
    """One Auto Scaling group; goldfleet.roll.fleet.AwsFleet is one."""

    def look(self) -> Snapshot | None:
        """Return what is seen now, or None when there is no such group.

        One call, and one for each target group, whatever the group's size.
        """
        ...

    def launch_times(self) -> Mapping[str, float]:
        """Return when each instance of the group was launched, in seconds since the epoch."""
        ...

    def names(self) -> tuple[str, ...]: ...
    def activities(self) -> tuple[Activity, ...]: ...
    def use_launch(self, launch: LaunchSpec) -> None: ...
    def set_max_size(self, max_size: int) -> None: ...
    def set_desired_capacity(self, desired_capacity: int) -> None: ...
    def terminate(self, instance_id: str, *, decrements: bool) -> None: ...
    def set_tags(self, tags: Mapping[str, str]) -> None: ...
    def remove_tags(self, keys: Sequence[str]) -> None: ...


class Launches(Protocol):
    """Launch configurations and templates; goldfleet.roll.launches.AwsLaunches is one."""

    def pin(self, launch: LaunchSpec) -> Fit:
        """Return what a group that names this launches now: a version's number, and its AMI.

        Raises RefusedError when it does not exist, or its AMI is not a plain id.
        """
        ...

    def find(self, current: LaunchSpec, image_id: str) -> Fit | None:
        """Return what exists already and is `current` in all but the AMI; changes nothing."""
        ...

    def make(self, current: LaunchSpec, image_id: str, roll_id: str) -> Fit:
        """Return what is `current` in all but the AMI, made if it does not exist; a repeated request is the same one."""
        ...

    def snapshots(self, launch: LaunchSpec) -> frozenset[str]:
        """Return the snapshots that a launch names for its volumes."""
        ...

    def exists(self, launch: LaunchSpec) -> bool: ...


class Images(Protocol):
    """AMIs; goldfleet.roll.launches.AwsImages is one."""

    def image(self, image_id: str) -> Image | None: ...


class Gate(Protocol):
    """Checks instances in the background while the roll looks on; goldfleet.roll.gate.VerifyGate is one."""

    def begin(self, instance_ids: Sequence[str]) -> None:
        """Start the checks of instances that are not being checked; returns at once."""
        ...

    def results(self) -> Mapping[str, GateResult]:
        """Return what was found so far, by instance id."""
        ...

    def close(self) -> None:
        """End the checks that are still running."""
        ...


class Witness(Protocol):
    """Keeps evidence of a failure; goldfleet.roll.evidence.EvidenceFolder is one."""

    def keep(
        self, roll: Roll, snapshot: Snapshot, instance_ids: Sequence[str], results: Mapping[str, GateResult]
    ) -> str:
        """Write what can be had about these instances and return where; never fails for what cannot be had."""
        ...


@dataclass(frozen=True)
class RollRequest:
    """What is asked for. `image` is the image of goldfleet.toml whose current AMI is meant when no id is given."""

    group: str
    image: str
    policy: Policy
    image_id: str | None = None
    may_raise_max: bool = False


@dataclass(frozen=True)
class World:
    """Everything outside that a roll uses.

    `clock` ends its sleeps with StoppedError on Ctrl-C; `make_gate` and `make_witness` take the roll's id; `note` shows
    a line to people.
    """

    fleet: Fleet
    launches: Launches
    images: Images
    parameters: ParameterStore
    clock: Clock
    patient_clock: Clock
    make_gate: Callable[[str], Gate]
    make_witness: Callable[[str], Witness]
    note: Callable[[str], None]
    random_hex: Callable[[int], str]
    owner: Callable[[], str]
    lease_minutes: int = 2
