"""moto's EC2 backend with machines behind its instances, and with enforced security groups.

Each method checks what AWS would check, lets moto write its records, and hands the work to the lifecycle. Images and
snapshots are in `images`.
"""

from typing import Any, ClassVar

from moto.ec2 import urls
from moto.ec2.exceptions import EC2ClientError
from moto.ec2.models.vpcs import VPC
from moto.iam.exceptions import NotFoundException

from goldfleet.localcloud.ec2.images import ImagesBackend
from goldfleet.localcloud.ec2.lifecycle import Lifecycle
from goldfleet.localcloud.ec2.templates import no_such_profile, profile_of, volume_tags, with_template
from goldfleet.localcloud.ec2.world import World


class LocalEC2Backend(ImagesBackend):
    """EC2 of one region."""

    world: ClassVar[World]

    def __init__(self, region_name: str, account_id: str) -> None:
        self.snapshot_images: dict[str, str] = {}
        self.reservations_by_token: dict[str, Any] = {}
        self.template_versions_by_token: dict[tuple[str, str], Any] = {}
        super().__init__(region_name, account_id)
        self.lifecycle = Lifecycle(self.world, self.all_instances)
        self.register_base_image()

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
        data = self._template_data(options.get("launch_template"))
        profile = profile_of(options, data)
        if data:
            options = with_template(options, data)
        image = self.image_of(image_id or str(data.get("ImageId", "")))
        self._choose_network(options, security_group_names, data)
        reservation = super().run_instances(image_id, count, user_data, security_group_names, **options)
        for instance in reservation.instances:
            self.give_profile(instance, profile)
            self._tag_volumes(instance, volume_tags(data))
            self.lifecycle.launch(instance, image, instance.terminate)
        if token:
            self.reservations_by_token[token] = reservation
        return reservation

    def give_profile(self, instance: Any, profile: dict[str, Any]) -> None:
        """Associate an instance profile ({} for none) with an instance that was just launched.

        Raises InvalidParameterValue, and ends the instance, when there is no such profile.
        """
        if not profile:
            return
        try:
            self.associate_iam_instance_profile(instance_id=instance.id, **profile)
        except NotFoundException as error:
            instance.terminate()
            raise no_such_profile(
                profile["iam_instance_profile_name"] or profile["iam_instance_profile_arn"]
            ) from error

    def start_instances(self, instance_ids: list[str]) -> list[Any]:
        """Start stopped instances; running ones stay as they are."""
        self.require_state(instance_ids, ("stopped", "running", "pending"), "started")
        changed = [(instance, _state(instance)) for instance in self.get_multi_instances_by_id(instance_ids)]
        for instance, previous in changed:
            if previous.name == "stopped":
                instance.start()
                self.lifecycle.start(instance)
        return changed

    def stop_instances(self, instance_ids: list[str]) -> list[Any]:
        """Stop running instances; stopped ones stay as they are."""
        self.require_state(instance_ids, ("running", "pending", "stopped", "stopping"), "stopped")
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
        self.require_state(instance_ids, ("running",), "rebooted")
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
        """Delete a group that no instance and no load balancer uses (DependencyViolation otherwise, as on AWS)."""
        for instance in [*self.all_instances(), *self.world.load_balancers()]:
            if instance.state != "terminated":
                for group in instance.security_groups:
                    if group_id == group.id or (group_id is None and name == group.name):
                        raise EC2ClientError("DependencyViolation", f"resource {group.id} has a dependent object")
        super().delete_security_group(name, group_id)

    # -- inside -----------------------------------------------------------------------------------------------------

    def _template_data(self, launch_template: dict[str, Any] | None) -> dict[str, Any]:
        return dict(self._get_template_from_args(launch_template).data) if launch_template else {}

    def _tag_volumes(self, instance: Any, tags: dict[str, str]) -> None:
        for device in instance.block_device_mapping.values() if tags else ():
            self.volumes[device.volume_id].add_tags(tags)

    def _choose_network(
        self, options: dict[str, Any], security_group_names: list[str], data: dict[str, Any]
    ) -> None:  # fmt: skip
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
        named = named or data.get("SecurityGroupIds") or data.get("SecurityGroups")
        if not named:
            options["security_group_ids"] = [self.get_default_security_group(self.get_default_vpc().id).id]

    def _then_enforce(self, result: Any) -> Any:
        self.lifecycle.refresh_filters()
        return result


def _state(instance: Any) -> Any:
    """Return a copy of an instance's state, as the answers of Start-, Stop- and TerminateInstances need it."""
    return type(instance._state)(instance._state.name, instance._state.code)
