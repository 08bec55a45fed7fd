"""AMIs and EBS snapshots with podman images behind them: a part of the extended EC2 backend.

A snapshot of a root volume is a podman image; an AMI boots from the image of its root snapshot. CreateImage commits the
machine's disk as a job of its instance, and the AMI is pending until that is done.
"""

import logging
from typing import Any, ClassVar

from moto.ec2.exceptions import EC2ClientError, InvalidAMIIdError, InvalidSnapshotInUse
from moto.ec2.models import EC2Backend
from moto.ec2.utils import random_ami_id

from goldfleet.errors import GoldfleetError
from goldfleet.localcloud import base_image
from goldfleet.localcloud.ec2.lifecycle import Lifecycle
from goldfleet.localcloud.ec2.models import LocalAmi
from goldfleet.localcloud.ec2.world import World

log = logging.getLogger("goldfleet.localcloud.images")


class ImagesBackend(EC2Backend):
    """What EC2 does with images and snapshots."""

    world: ClassVar[World]
    lifecycle: Lifecycle
    snapshot_images: dict[str, str]

    def require_state(self, instance_ids: list[str], states: tuple[str, ...], verb: str) -> None:
        """Raise IncorrectInstanceState unless every instance is in one of the states."""
        for instance in self.get_multi_instances_by_id(instance_ids):
            if instance.state not in states:
                raise EC2ClientError(
                    "IncorrectInstanceState",
                    f"The instance '{instance.id}' is not in a state from which it can be {verb}: {instance.state}.",
                )

    def create_image(
        self, instance_id: str, name: str, description: str, tag_specifications: list[dict[str, Any]]
    ) -> Any:
        """Make an image of an instance's disk; it is pending until the disk is committed.

        A running instance is shut down first and started again afterwards, as CreateImage does without NoReboot.
        """
        instance = self.get_instance(instance_id)
        self.require_state([instance_id], ("running", "stopping", "stopped"), "imaged")
        self._refuse_taken_name(name)
        ami = LocalAmi(
            self, random_ami_id(), instance=instance, name=name, description=description,
            snapshot_description=f"Created by CreateImage({instance_id}) for {name}",
        )  # fmt: skip
        self._tag_image(ami, tag_specifications)
        ami.state = "pending"
        self.amis[ami.id] = ami
        was_running = instance.state == "running"
        self.lifecycle.run_after(instance, lambda: self._commit(instance, ami, was_running))
        return ami

    def register_image_from_snapshot(
        self, name: str, description: str, snapshot_id: str, tags: list[dict[str, Any]]
    ) -> Any:
        """Make an image that boots from an existing snapshot (RegisterImage)."""
        self._refuse_taken_name(name)
        if snapshot_id not in self.snapshot_images:
            raise EC2ClientError("InvalidSnapshot.NotFound", f"The snapshot '{snapshot_id}' does not exist.")
        ami = LocalAmi(self, random_ami_id(), name=name, description=description, architecture="x86_64")
        self.snapshots.pop(ami.ebs_snapshot.id)
        ami.ebs_snapshot = self.snapshots[snapshot_id]
        ami.ebs_snapshot.from_ami = ami.id
        self._tag_image(ami, tags)
        self.amis[ami.id] = ami
        return ami

    def copy_image(
        self, source_image_id: str, source_region: str, name: str | None = None, description: str | None = None
    ) -> Any:
        """Copy an image within the region; the copy has a snapshot of its own."""
        source = self.describe_images(ami_ids=[source_image_id])[0]
        self._refuse_taken_name(name or source.name)
        ami = super().copy_image(source_image_id, source_region, name, description)
        self.snapshot_images[ami.ebs_snapshot.id] = self.image_of(source_image_id)
        return ami

    def deregister_image(self, ami_id: str) -> None:
        """Forget an image; its snapshot stays until it is deleted, as on AWS."""
        snapshot = self.amis[ami_id].ebs_snapshot if ami_id in self.amis else None
        super().deregister_image(ami_id)
        if snapshot is not None and snapshot.from_ami == ami_id:
            sharing = [ami.id for ami in self.amis.values() if ami.ebs_snapshot.id == snapshot.id]
            snapshot.from_ami = sharing[0] if sharing else None

    def delete_snapshot(self, snapshot_id: str) -> Any:
        """Delete a snapshot and the podman image behind it, unless an image still boots from it."""
        for ami in self.amis.values():
            if ami.ebs_snapshot.id == snapshot_id:
                raise InvalidSnapshotInUse(snapshot_id, ami.id)
        snapshot = super().delete_snapshot(snapshot_id)
        reference = self.snapshot_images.pop(snapshot_id, None)
        if (
            reference == self.world.machines.snapshot_reference(snapshot_id)
            and reference not in self.snapshot_images.values()
        ):
            self.world.workers.submit(self.world.machines.delete_snapshot, reference)
        return snapshot

    def register_base_image(self) -> None:
        """List the base AMI, under Debian's account and a name of Debian's kind."""
        state = self.world.state
        ami = LocalAmi(
            self, state.base_image_id, name=state.base_image_name, description="Debian 12, made from Debian packages",
            owner_id=base_image.OWNER_ID, public=True, architecture="x86_64",
        )  # fmt: skip
        self.amis[ami.id] = ami
        self.snapshot_images[ami.ebs_snapshot.id] = state.base_image

    def image_of(self, ami_id: str) -> str:
        """Return podman's reference of the image that an AMI boots from.

        Raises InvalidAMIID.NotFound or InvalidAMIID.Unavailable.
        """
        ami = self.amis.get(ami_id)
        if ami is None:
            raise InvalidAMIIdError([ami_id])
        if ami.state != "available":
            raise EC2ClientError("InvalidAMIID.Unavailable", f"The image ID '{ami_id}' is {ami.state}, not available.")
        return self.snapshot_images[ami.ebs_snapshot.id]

    def _refuse_taken_name(self, name: str) -> None:
        for ami in self.amis.values():
            if ami.name == name and ami.owner_id == self.account_id:
                raise EC2ClientError("InvalidAMIName.Duplicate", f"AMI name {name} is already in use by AMI {ami.id}")

    def _tag_image(self, ami: Any, tag_specifications: list[dict[str, Any]]) -> None:
        targets = {"image": ami, "snapshot": ami.ebs_snapshot}
        for specification in tag_specifications:
            for tag in specification.get("Tags", []):
                targets[specification["ResourceType"]].add_tag(tag["Key"], tag["Value"])

    def _commit(self, instance: Any, ami: Any, was_running: bool) -> None:
        machines, snapshot_id = self.world.machines, ami.ebs_snapshot.id
        try:
            if was_running:
                machines.stop(instance.id)
            machines.commit(instance.id, snapshot_id)
        except GoldfleetError as error:
            log.error("CreateImage of %s: %s", instance.id, error)
            with self.world.lock:
                ami.state = "failed"
        else:
            with self.world.lock:
                self.snapshot_images[snapshot_id] = machines.snapshot_reference(snapshot_id)
                ami.state = "available"
        if was_running:
            self.lifecycle.restart(instance)
