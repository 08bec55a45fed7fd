"""moto's EC2 backend with machines behind its instances and podman images behind its snapshots.

Each method checks what AWS would check, lets moto write its records, and hands the work to the lifecycle. An EBS snapshot
of a root volume is a podman image; an AMI boots from the image of its root snapshot.
"""

import logging
from typing import Any, ClassVar

from moto.ec2 import urls
from moto.ec2.exceptions import EC2ClientError, InvalidAMIIdError, InvalidSnapshotInUse
from moto.ec2.models import EC2Backend
from moto.ec2.models.vpcs import VPC
from moto.ec2.utils import random_ami_id

from goldfleet.errors import GoldfleetError
from goldfleet.localcloud import base_image
from goldfleet.localcloud.ec2.lifecycle import Lifecycle
from goldfleet.localcloud.ec2.models import LocalAmi
from goldfleet.localcloud.ec2.world import World

log = logging.getLogger("goldfleet.localcloud.ec2")


class LocalEC2Backend(EC2Backend):
    """EC2 of one region."""

    world: ClassVar[World]

    def __init__(self, region_name: str, account_id: str) -> None:
        self.snapshot_images: dict[str, str] = {}
        self.reservations_by_token: dict[str, Any] = {}
        super().__init__(region_name, account_id)
        self.lifecycle = Lifecycle(self.world, self.all_instances)
        self._register_base_image()

    @property
    def _url_module(self) -> Any:
        return urls

    # -- the default VPC --------------------------------------------------------------------------------------------

    def create_vpc(self, cidr_block: str, **options: Any) -> VPC:
        """Make a VPC; the default one has the cloud's own range."""
        return super().create_vpc(self.world.state.cidr if options.get("is_default") else cidr_block, **options)

    # -- instances --------------------------------------------------------------------------------------------------

    def run_instances(
        self, image_id: str, count: int, user_data: Any, security_group_names: list[str], **options: Any
    ) -> Any:
        """Launch instances; the same ClientToken gives the same reservation again (EC2 API reference, idempotency)."""
        token = options.get("client_token") or ""
        if token in self.reservations_by_token:
            return self.reservations_by_token[token]
        image = self._image_of(image_id or self._template_image(options.get("launch_template")))
        self._choose_network(options, security_group_names)
        reservation = super().run_instances(image_id, count, user_data, security_group_names, **options)
        for instance in reservation.instances:
            self.lifecycle.launch(instance, image)
        if token:
            self.reservations_by_token[token] = reservation
        return reservation

    def start_instances(self, instance_ids: list[str]) -> list[Any]:
        """Start stopped instances; running ones stay as they are."""
        self._require(instance_ids, ("stopped", "running", "pending"), "started")
        changed = [(instance, _state(instance)) for instance in self.get_multi_instances_by_id(instance_ids)]
        for instance, previous in changed:
            if previous.name == "stopped":
                instance.start()
                self.lifecycle.start(instance)
        return changed

    def stop_instances(self, instance_ids: list[str]) -> list[Any]:
        """Stop running instances; stopped ones stay as they are."""
        self._require(instance_ids, ("running", "pending", "stopped", "stopping"), "stopped")
        changed = [(instance, _state(instance)) for instance in self.get_multi_instances_by_id(instance_ids)]
        for instance, previous in changed:
            if instance.disable_api_stop:
                raise EC2ClientError("OperationNotPermitted", f"The instance '{instance.id}' may not be stopped.")
            if previous.name in ("running", "pending"):
                self.lifecycle.stop(instance, instance.stop)
        return changed

    def terminate_instances(self, instance_ids: list[str]) -> list[Any]:
        """Terminate instances; terminated ones stay as they are."""
        changed = [(instance, _state(instance)) for instance in self.get_multi_instances_by_id(instance_ids)]
        for instance, _previous in changed:
            if instance.disable_api_termination:
                raise EC2ClientError("OperationNotPermitted", f"The instance '{instance.id}' may not be terminated.")
        for instance, previous in changed:
            if previous.name not in ("shutting-down", "terminated"):
                self.lifecycle.terminate(instance, instance.terminate)
        return changed

    def reboot_instances(self, instance_ids: list[str]) -> list[Any]:
        """Reboot running instances."""
        self._require(instance_ids, ("running",), "rebooted")
        instances: list[Any] = self.get_multi_instances_by_id(instance_ids)
        for instance in instances:
            self.lifecycle.reboot(instance)
        return instances

    def machine_ended(self, instance_id: str) -> None:
        """Settle an instance whose machine ended without an API call."""
        instance = self.get_instance_by_id(instance_id)
        if instance is not None:
            terminates = instance.instance_initiated_shutdown_behavior == "terminate"
            self.lifecycle.machine_ended(instance, instance.terminate if terminates else instance.stop)

    # -- images and snapshots ---------------------------------------------------------------------------------------

    def create_image(
        self, instance_id: str, name: str, description: str, tag_specifications: list[dict[str, Any]]
    ) -> Any:
        """Make an image of an instance's disk; it is pending until the disk is committed.

        A running instance is shut down first and started again afterwards, as CreateImage does without NoReboot.
        """
        instance = self.get_instance(instance_id)
        self._require([instance_id], ("running", "stopping", "stopped"), "imaged")
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
        self.snapshot_images[ami.ebs_snapshot.id] = self._image_of(source_image_id)
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

    # -- security groups --------------------------------------------------------------------------------------------

    def authorize_security_group_ingress(self, *arguments: Any, **options: Any) -> Any:
        """Add ingress rules and enforce them."""
        return self._then_enforce(super().authorize_security_group_ingress(*arguments, **options))

    def revoke_security_group_ingress(self, *arguments: Any, **options: Any) -> Any:
        """Remove ingress rules and enforce what is left."""
        return self._then_enforce(super().revoke_security_group_ingress(*arguments, **options))

    def authorize_security_group_egress(self, *arguments: Any, **options: Any) -> Any:
        """Add egress rules and enforce them."""
        return self._then_enforce(super().authorize_security_group_egress(*arguments, **options))

    def revoke_security_group_egress(self, *arguments: Any, **options: Any) -> Any:
        """Remove egress rules and enforce what is left."""
        return self._then_enforce(super().revoke_security_group_egress(*arguments, **options))

    def modify_security_group_rules(self, *arguments: Any, **options: Any) -> Any:
        """Change rules in place and enforce them."""
        return self._then_enforce(super().modify_security_group_rules(*arguments, **options))

    def modify_instance_security_groups(self, instance_id: str, new_group_id_list: list[str]) -> Any:
        """Give an instance other groups, on its interface too, and enforce them."""
        instance = super().modify_instance_security_groups(instance_id, new_group_id_list)
        instance.nics[0]._group_set = list(instance.security_groups)
        return self._then_enforce(instance)

    def delete_security_group(self, name: str | None = None, group_id: str | None = None) -> None:
        """Delete a group that no instance uses (DependencyViolation otherwise, as on AWS)."""
        for instance in self.all_instances():
            if instance.state != "terminated":
                for group in instance.security_groups:
                    if group_id == group.id or (group_id is None and name == group.name):
                        raise EC2ClientError("DependencyViolation", f"resource {group.id} has a dependent object")
        super().delete_security_group(name, group_id)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _template_image(self, launch_template: dict[str, Any] | None) -> str:
        return str(self._get_template_from_args(launch_template).image_id) if launch_template else ""

    def _choose_network(self, options: dict[str, Any], security_group_names: list[str]) -> None:
        """Choose the default subnet and group where the launch names none; refuse a subnet without machines."""
        interfaces = options.get("nics") or []
        subnet_id = options.get("subnet_id") or next((nic["SubnetId"] for nic in interfaces if "SubnetId" in nic), None)
        if subnet_id is None:
            subnets = self.get_default_subnets()
            zone = options.get("placement") or sorted(subnets)[0]
            if zone not in subnets:
                raise EC2ClientError("InvalidParameterValue", f"Invalid availability zone: [{zone}]")
            subnet_id = subnets[zone].id
            if interfaces:
                interfaces[0]["SubnetId"] = subnet_id
            else:
                options["subnet_id"] = subnet_id
        if self.get_subnet(subnet_id).vpc_id != self.get_default_vpc().id:
            raise EC2ClientError("Unsupported", "The local cloud runs instances in the default VPC only.")
        named = security_group_names or options.get("security_group_ids") or any("Groups" in nic for nic in interfaces)
        if not named and not options.get("launch_template"):
            options["security_group_ids"] = [self.get_default_security_group(self.get_default_vpc().id).id]

    def _then_enforce(self, result: Any) -> Any:
        self.lifecycle.refresh_filters()
        return result

    def _register_base_image(self) -> None:
        state = self.world.state
        ami = LocalAmi(
            self, state.base_image_id, name=state.base_image_name, description="Debian 12, made from Debian packages",
            owner_id=base_image.OWNER_ID, public=True, architecture="x86_64",
        )  # fmt: skip
        self.amis[ami.id] = ami
        self.snapshot_images[ami.ebs_snapshot.id] = state.base_image

    def _image_of(self, ami_id: str) -> str:
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

    def _require(self, instance_ids: list[str], states: tuple[str, ...], verb: str) -> None:
        for instance in self.get_multi_instances_by_id(instance_ids):
            if instance.state not in states:
                raise EC2ClientError(
                    "IncorrectInstanceState",
                    f"The instance '{instance.id}' is not in a state from which it can be {verb}: {instance.state}.",
                )


def _state(instance: Any) -> Any:
    """Return a copy of an instance's state, as the answers of Start-, Stop- and TerminateInstances need it."""
    return type(instance._state)(instance._state.name, instance._state.code)
