"""The model's Launches port: launch configurations (kept by moto) and launch templates (kept by EC2)."""

from typing import Any

from moto.ec2.exceptions import EC2ClientError

from goldfleet.scaling.model import Launch, LaunchSource
from goldfleet.scaling.refusals import LaunchFailedError


class MotoLaunches:
    """Resolves what a group launches from to what a launch would use now."""

    def __init__(self, configurations: dict[str, Any], ec2_backend: Any) -> None:
        self._configurations = configurations
        self._ec2 = ec2_backend

    def configuration(self, name: str) -> Any:
        """Return moto's record of a launch configuration, None where there is none."""
        return self._configurations.get(name)

    def resolve(self, source: LaunchSource) -> Launch:
        """Return what a launch would use now; LaunchFailedError in AWS's words if it does not exist."""
        if source.launch_configuration_name:
            return self._resolve_configuration(source.launch_configuration_name)
        try:
            template = self.template(source)
            version = template.get_version(source.launch_template_version)
        except EC2ClientError as error:
            raise LaunchFailedError(str(getattr(error, "message", error)).rstrip(".")) from error
        return Launch(
            launch_template_id=template.id,
            launch_template_name=template.name,
            launch_template_version=version.number,
            image_id=version.image_id,
            instance_type=version.instance_type or "m1.small",
            created_at=template.create_time.timestamp(),
        )

    def template(self, source: LaunchSource) -> Any:
        """Return EC2's record of the template that a source names; EC2ClientError if there is none."""
        if source.launch_template_id:
            return self._ec2.get_launch_template(source.launch_template_id)
        return self._ec2.get_launch_template_by_name(source.launch_template_name)

    def _resolve_configuration(self, name: str) -> Launch:
        configuration = self.configuration(name)
        if configuration is None:
            raise LaunchFailedError(f"Launch configuration name not found - {name}")
        return Launch(
            launch_configuration_name=name,
            image_id=configuration.image_id,
            instance_type=configuration.instance_type,
            created_at=configuration.created_time.timestamp(),
        )
