"""The model's Machines port: instances of the local EC2. Called under the world's lock; nothing here waits."""

from collections.abc import Callable
from typing import Any

from moto.core.exceptions import ServiceException
from moto.moto_api._internal import mock_random
from werkzeug.exceptions import HTTPException

from goldfleet.scaling.model import Launch, MachineState, Zone
from goldfleet.scaling.refusals import LaunchFailedError

GROUP_TAG = "aws:autoscaling:groupName"


class Ec2Machines:
    """Starts and ends instances for groups.

    tags_of returns the tags that a group gives to what it launches, configurations finds a launch configuration by name.
    """

    def __init__(
        self, backend: Any, tags_of: Callable[[str], dict[str, str]], configuration: Callable[[str], Any]
    ) -> None:
        self._backend = backend
        self._tags_of = tags_of
        self._configuration = configuration

    def launch(self, launch: Launch, zone: Zone, group_name: str) -> str:
        """Run one instance in a zone and return its id; LaunchFailedError in EC2's own words if it is refused."""
        tags = {**self._tags_of(group_name), GROUP_TAG: group_name}
        options = {
            "region_name": self._backend.region_name, "subnet_id": zone.subnet_id, "security_group_ids": [],
            "tags": {"instance": tags}, "client_token": str(mock_random.uuid4()), "associate_public_ip": None,
        }  # fmt: skip
        try:
            if launch.launch_configuration_name:
                return self._launch_configuration(launch.launch_configuration_name, options)
            return self._launch_template(launch, options)
        except (ServiceException, HTTPException) as error:
            raise LaunchFailedError(_words(error)) from error

    def terminate(self, instance_id: str) -> None:
        """Terminate an instance; one that EC2 does not know is gone already."""
        instance = self._backend.get_instance_by_id(instance_id)
        if instance is not None:
            instance.disable_api_termination = False  # Auto Scaling terminates all the same
            self._backend.terminate_instances([instance_id])

    def state(self, instance_id: str) -> MachineState:
        """Return an instance's state."""
        instance = self._backend.get_instance_by_id(instance_id)
        return MachineState.TERMINATED if instance is None else MachineState(instance.state)

    def zone(self, instance_id: str) -> str:
        """Return the zone that an instance is in; "" if EC2 does not know it."""
        instance = self._backend.get_instance_by_id(instance_id)
        return "" if instance is None else str(instance.placement.zone)

    def _launch_template(self, launch: Launch, options: dict[str, Any]) -> str:
        template = {"LaunchTemplateId": launch.launch_template_id, "Version": str(launch.launch_template_version)}
        reservation = self._backend.run_instances(
            "", 1, None, [], launch_template=template, is_instance_type_default=True, **options
        )
        return str(reservation.instances[0].id)

    def _launch_configuration(self, name: str, options: dict[str, Any]) -> str:
        configuration = self._configuration(name)
        if configuration is None:
            raise LaunchFailedError(f"Launch configuration name not found - {name}")
        options |= {
            "instance_type": configuration.instance_type, "is_instance_type_default": False,
            "key_name": configuration.key_name, "metadata_options": configuration.metadata_options or {},
            "monitoring_state": "enabled" if configuration.instance_monitoring_enabled else "disabled",
            "ebs_optimized": configuration.ebs_optimized,
        }  # fmt: skip
        if configuration.associate_public_ip_address is not None:
            options["associate_public_ip"] = configuration.associate_public_ip_address
        if configuration.block_device_mapping_dict:
            options["block_device_mappings"] = configuration.block_device_mapping_dict
        reservation = self._backend.run_instances(
            configuration.image_id, 1, configuration.user_data, configuration.security_groups, **options
        )
        instance = reservation.instances[0]
        self._backend.give_profile(instance, _profile(configuration.iam_instance_profile or ""))
        return str(instance.id)


def _profile(name_or_arn: str) -> dict[str, Any]:
    """Return a launch configuration's instance profile as EC2 takes it, {} for none."""
    if not name_or_arn:
        return {}
    by_arn = name_or_arn.startswith("arn:")
    return {
        "iam_instance_profile_name": None if by_arn else name_or_arn,
        "iam_instance_profile_arn": name_or_arn if by_arn else None,
    }


def _words(error: Exception) -> str:
    """Return what EC2 says of a refused launch, without the full stop that the activity adds."""
    text = getattr(error, "message", None) or getattr(error, "description", None) or str(error)
    return str(text).rstrip(".")
