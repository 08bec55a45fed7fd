"""What a bake needs from the world outside: each Protocol is one thing that tests replace by a working model."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from goldfleet.aws.model import Image, ImageQuery, Instance, KeyPair, Launch, Parameter, SecurityGroup, Snapshot
from goldfleet.bake.model import Stage
from goldfleet.bake.run_folder import RunFolder
from goldfleet.clock import Clock
from goldfleet.config.settings import ImageSettings
from goldfleet.lease import ParameterStore
from goldfleet.verify.model import HostResult

Filters = Mapping[str, Sequence[str]]


class Cloud(Protocol):
    """EC2; goldfleet.aws.ec2.Ec2 is one, and says what each method does."""

    def find_images(self, query: ImageQuery) -> tuple[Image, ...]: ...
    def own_images(self, filters: Filters) -> tuple[Image, ...]: ...
    def deregister_image(self, image_id: str) -> None: ...
    def own_snapshots(self, filters: Filters) -> tuple[Snapshot, ...]: ...
    def delete_snapshot(self, snapshot_id: str) -> None: ...
    def set_tags(self, resource_id: str, tags: Mapping[str, str]) -> None: ...
    def remove_tag(self, resource_id: str, key: str) -> None: ...
    def import_key_pair(self, name: str, public_key: str, tags: Mapping[str, str]) -> str: ...
    def key_pairs(self, filters: Filters) -> tuple[KeyPair, ...]: ...
    def delete_key_pair(self, name: str) -> None: ...
    def vpc_of_subnet(self, subnet_id: str) -> str: ...
    def create_security_group(
        self, name: str, description: str, vpc_id: str | None, tags: Mapping[str, str]
    ) -> str: ...
    def allow_ssh(self, group_id: str, cidrs: Sequence[str]) -> None: ...
    def security_groups(self, filters: Filters) -> tuple[SecurityGroup, ...]: ...
    def delete_security_group(self, group_id: str) -> None: ...
    def run_instance(self, launch: Launch) -> str: ...
    def rehearse_launch(self, launch: Launch) -> None: ...
    def instances(self, filters: Filters, instance_ids: Sequence[str] = ()) -> tuple[Instance, ...]: ...
    def instance(self, instance_id: str) -> Instance | None: ...
    def terminate_instance(self, instance_id: str) -> None: ...
    def console_output(self, instance_id: str) -> str: ...


class Parameters(ParameterStore, Protocol):
    """SSM parameters; goldfleet.aws.ssm.Ssm is one."""

    def get_many(self, names: Sequence[str]) -> dict[str, Parameter]: ...
    def get_below(self, path: str) -> dict[str, Parameter]: ...


class ImageBuilder(Protocol):
    """Packer; goldfleet.bake.packer.Packer is one."""

    def version(self, folder: Path) -> tuple[int, ...]: ...
    def build(self, run: RunFolder, version: tuple[int, ...], on_line: Callable[[str], None]) -> str: ...


@dataclass(frozen=True)
class Copy:
    """An instance booted from a new image, to be verified; `holds` is what kept it out of service to the end of its time."""

    image_id: str
    instance_id: str
    address: str
    run: RunFolder
    holds: tuple[str, ...] = ()


class CopyChecks(Protocol):
    """What is done to a booted copy over SSH; goldfleet.bake.checks.SshChecks is one."""

    def wait_for_login(self, copy: Copy, timeout_seconds: float) -> None:
        """Return when a login works and the boot is over.

        Raises VerificationError when the time is over before.
        """
        ...

    def wait_for_service(self, copy: Copy, timeout_seconds: float) -> tuple[str, ...]:
        """Return () as soon as nothing holds the copy out of service, and what still does when the time is over."""
        ...

    def verify(self, copy: Copy, on_line: Callable[[str], None]) -> HostResult:
        """Run the specs and return what they said; a report is written."""
        ...


class Progress(Protocol):
    """Is told what a bake does, to show it."""

    def stage_started(self, stage: Stage) -> None: ...
    def stage_ended(self, stage: Stage, seconds: float, outcome: str) -> None: ...
    def note(self, text: str) -> None: ...
    def line(self, text: str) -> None: ...


@dataclass(frozen=True)
class BakeRequest:
    """What is asked for."""

    project: Path
    image: str
    settings: ImageSettings
    if_changed: bool = False


@dataclass(frozen=True)
class World:
    """Everything outside that a bake uses.

    `clock` ends its sleeps with StoppedError on Ctrl-C; `patient_clock`, which cleans up, does not. `random_hex`
    returns so many random hexadecimal digits; `owner` says who bakes; `commit` which commit the project is at, "" for
    none.
    """

    cloud: Cloud
    parameters: Parameters
    builder: ImageBuilder
    checks: CopyChecks
    progress: Progress
    clock: Clock
    patient_clock: Clock
    make_key_pair: Callable[[Path, str], str]
    random_hex: Callable[[int], str]
    owner: Callable[[], str]
    commit: Callable[[], str]
    collections_path: Sequence[Path]
