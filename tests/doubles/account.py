"""EC2 in memory: machines that take time to start and to end, groups that cannot go while they are used."""

import base64
import fnmatch
import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from goldfleet.aws.errors import ThingInUseError
from goldfleet.aws.model import Image, ImageQuery, Instance, KeyPair, Launch, SecurityGroup, Snapshot
from tests.doubles.clock import VirtualClock

Filters = Mapping[str, Sequence[str]]

BOOT_SECONDS = 12.0
CONSOLE_SECONDS = 20.0
SHUTDOWN_SECONDS = 15.0

ED25519 = base64.b64encode(b"\x00\x00\x00\x0bssh-ed25519" + b"\x00\x00\x00\x20" + bytes(32)).decode()
CONSOLE = f"""[    1.0] systemd[1]: boot\r
-----BEGIN SSH HOST KEY KEYS-----\r
ssh-ed25519 {ED25519} root@copy\r
-----END SSH HOST KEY KEYS-----\r
"""


@dataclass
class Machine:
    """A machine of the account, with when it was started and asked to end."""

    seen: Instance
    group_ids: tuple[str, ...]
    key_name: str
    started: float
    ended: float | None = None


@dataclass
class InMemoryAccount:
    """One account and region. `faults` maps an operation's name to the error that its next call raises."""

    clock: VirtualClock
    images: dict[str, Image] = field(default_factory=dict)
    machines: dict[str, Machine] = field(default_factory=dict)
    groups: dict[str, SecurityGroup] = field(default_factory=dict)
    pairs: dict[str, KeyPair] = field(default_factory=dict)
    snapshots: dict[str, Snapshot] = field(default_factory=dict)
    ingress: dict[str, tuple[str, ...]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    faults: dict[str, Exception] = field(default_factory=dict)
    console: str = CONSOLE
    ends_at_boot: bool = False
    launched: list[Launch] = field(default_factory=list)
    rehearsed: list[Launch] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._numbers = itertools.count(1)

    # What tests set up and look at; none of it is a call.

    def add_base_ami(self, image_id: str = "ami-0000base0", name: str = "debian-12-amd64-1") -> Image:
        image = Image(image_id, name, "available", "x86_64", f"2026-01-01T00:00:{len(self.images):02}Z")
        self.images[image_id] = image
        return image

    def add_image(self, name: str, tags: Mapping[str, str], state: str = "available") -> Image:
        number = next(self._numbers)
        snapshot = Snapshot(f"snap-{number}", dict(tags))
        self.snapshots[snapshot.snapshot_id] = snapshot
        created = (self.clock.now() + timedelta(milliseconds=number)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        image = Image(f"ami-{number:08x}", name, state, "x86_64", created, (snapshot.snapshot_id,), dict(tags))
        self.images[image.image_id] = image
        return image

    def start_machine(self, launch: Launch) -> str:
        number = next(self._numbers)
        instance = Instance(
            f"i-{number:08x}", "pending", launch.image_id, private_ip_address=f"10.0.0.{number}", tags=dict(launch.tags)
        )
        machine = Machine(instance, launch.security_group_ids, launch.key_name, self.clock.monotonic())
        self.machines[instance.instance_id] = machine
        return instance.instance_id

    def end_machine(self, instance_id: str) -> None:
        machine = self.machines[instance_id]
        if machine.ended is None:
            machine.ended = self.clock.monotonic()

    def temporary_things(self) -> set[str]:
        """Return everything that is not an image and still exists, by id or name."""
        machines = {one for one in self.machines if self._state(self.machines[one]) != "terminated"}
        return machines | set(self.groups) | set(self.pairs)

    # The calls, as goldfleet.aws.ec2.Ec2 has them.

    def find_images(self, query: ImageQuery) -> tuple[Image, ...]:
        self._called("DescribeImages")
        if query.image_id:
            return tuple(image for image in self.images.values() if image.image_id == query.image_id)
        return self._newest_first(
            image
            for image in self.images.values()
            if fnmatch.fnmatchcase(image.name, query.name)
            and image.architecture == query.architecture
            and image.state == "available"
        )

    def own_images(self, filters: Filters) -> tuple[Image, ...]:
        self._called("DescribeImages")
        own = (image for image in self.images.values() if not image.name.startswith("debian-"))
        return self._newest_first(image for image in own if _matches(filters, image.tags, name=image.name))

    def deregister_image(self, image_id: str) -> None:
        self._called("DeregisterImage")
        self.images.pop(image_id, None)

    def own_snapshots(self, filters: Filters) -> tuple[Snapshot, ...]:
        self._called("DescribeSnapshots")
        return tuple(one for one in self.snapshots.values() if _matches(filters, one.tags))

    def delete_snapshot(self, snapshot_id: str) -> None:
        self._called("DeleteSnapshot")
        if any(snapshot_id in image.snapshot_ids for image in self.images.values()):
            raise ThingInUseError(f"{snapshot_id} is in use", code="InvalidSnapshot.InUse")
        self.snapshots.pop(snapshot_id, None)

    def set_tags(self, resource_id: str, tags: Mapping[str, str]) -> None:
        self._called("CreateTags")
        if resource_id in self.snapshots:
            self.snapshots[resource_id] = Snapshot(resource_id, {**self.snapshots[resource_id].tags, **tags})
        else:
            image = self.images[resource_id]
            self.images[resource_id] = replace(image, tags={**image.tags, **tags})

    def remove_tag(self, resource_id: str, key: str) -> None:
        self._called("DeleteTags")
        image = self.images[resource_id]
        self.images[resource_id] = replace(image, tags={k: v for k, v in image.tags.items() if k != key})

    def import_key_pair(self, name: str, public_key: str, tags: Mapping[str, str]) -> str:
        self._called("ImportKeyPair")
        assert public_key.startswith("ssh-ed25519 ")
        self.pairs[name] = KeyPair(f"key-{next(self._numbers)}", name, dict(tags))
        return self.pairs[name].key_pair_id

    def key_pairs(self, filters: Filters) -> tuple[KeyPair, ...]:
        self._called("DescribeKeyPairs")
        return tuple(one for one in self.pairs.values() if _matches(filters, one.tags))

    def delete_key_pair(self, name: str) -> None:
        self._called("DeleteKeyPair")
        self.pairs.pop(name, None)

    def vpc_of_subnet(self, subnet_id: str) -> str:
        self._called("DescribeSubnets")
        return f"vpc-of-{subnet_id}"

    def create_security_group(self, name: str, description: str, vpc_id: str | None, tags: Mapping[str, str]) -> str:
        self._called("CreateSecurityGroup")
        group = SecurityGroup(f"sg-{next(self._numbers)}", name, dict(tags))
        self.groups[group.group_id] = group
        return group.group_id

    def allow_ssh(self, group_id: str, cidrs: Sequence[str]) -> None:
        self._called("AuthorizeSecurityGroupIngress")
        self.ingress[group_id] = tuple(cidrs)

    def security_groups(self, filters: Filters) -> tuple[SecurityGroup, ...]:
        self._called("DescribeSecurityGroups")
        return tuple(one for one in self.groups.values() if _matches(filters, one.tags))

    def delete_security_group(self, group_id: str) -> None:
        self._called("DeleteSecurityGroup")
        for machine in self.machines.values():
            if group_id in machine.group_ids and self._state(machine) != "terminated":
                raise ThingInUseError(f"{group_id} is used by {machine.seen.instance_id}", code="DependencyViolation")
        self.groups.pop(group_id, None)

    def run_instance(self, launch: Launch) -> str:
        self._called("RunInstances")
        assert launch.image_id in self.images
        self.launched.append(launch)
        return self.start_machine(launch)

    def rehearse_launch(self, launch: Launch) -> None:
        self._called("RunInstances (dry run)")
        self.rehearsed.append(launch)

    def instances(self, filters: Filters, instance_ids: Sequence[str] = ()) -> tuple[Instance, ...]:
        self._called("DescribeInstances")
        seen = [replace(machine.seen, state=self._state(machine)) for machine in self.machines.values()]
        wanted = [one for one in seen if not instance_ids or one.instance_id in instance_ids]
        return tuple(one for one in wanted if _matches(filters, one.tags, instance_state_name=one.state))

    def instance(self, instance_id: str) -> Instance | None:
        return next(iter(self.instances({}, [instance_id])), None)

    def terminate_instance(self, instance_id: str) -> None:
        self._called("TerminateInstances")
        self.end_machine(instance_id)

    def console_output(self, instance_id: str) -> str:
        self._called("GetConsoleOutput")
        up_for = self.clock.monotonic() - self.machines[instance_id].started
        return self.console if up_for >= CONSOLE_SECONDS else ""

    def _state(self, machine: Machine) -> str:
        now = self.clock.monotonic()
        if machine.ended is not None:
            return "terminated" if now - machine.ended >= SHUTDOWN_SECONDS else "shutting-down"
        if now - machine.started < BOOT_SECONDS:
            return "pending"
        if self.ends_at_boot:
            return "terminated"
        return "running"

    def _called(self, operation: str) -> None:
        self.calls.append(operation)
        if operation in self.faults:
            raise self.faults.pop(operation)

    @staticmethod
    def _newest_first(images: Iterable[Image]) -> tuple[Image, ...]:
        return tuple(sorted(images, key=lambda image: image.creation_date, reverse=True))


def _matches(filters: Filters, tags: Mapping[str, str], **others: str) -> bool:
    for name, patterns in filters.items():
        if name == "tag-key":
            matched = not tags.keys().isdisjoint(patterns)
        elif name.startswith("tag:"):
            matched = tags.get(name.removeprefix("tag:"), "") in patterns
        else:
            matched = any(fnmatch.fnmatchcase(others[name.replace("-", "_")], pattern) for pattern in patterns)
        if not matched:
            return False
    return True
