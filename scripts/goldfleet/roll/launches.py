"""What a group launches from, on the real AWS: versions of launch templates, launch configurations, AMIs.

Nothing is changed here but by `make`, which makes a version or configuration and leaves those that exist alone.
"""

from dataclasses import dataclass

from goldfleet.aws.autoscaling import AutoScaling
from goldfleet.aws.ec2 import Ec2
from goldfleet.aws.launch_templates import LaunchTemplates
from goldfleet.aws.model import Image, ImageQuery, LaunchSpec, TemplateVersion
from goldfleet.errors import RefusedError
from goldfleet.roll.launch_content import (
    configuration_name,
    configuration_request,
    content_of,
    snapshots_of,
    version_description,
)
from goldfleet.roll.model import Fit


@dataclass(frozen=True)
class AwsLaunches:
    """Launch templates and launch configurations."""

    groups: AutoScaling
    templates: LaunchTemplates

    def pin(self, launch: LaunchSpec) -> Fit:
        """Return what a group that names this launches now: a version's number, and its AMI.

        A launch template's own AMI may be `resolve:ssm:…`: then nobody knows what it was before, and it is refused.
        """
        if launch.is_template:
            version = self._version(launch)
            fit = Fit(_spec(version), version.image_id)
        else:
            fit = Fit(launch, str(self._configuration(launch).get("ImageId", "")))
        if not fit.image_id.startswith("ami-"):
            raise RefusedError(
                f"{_named(fit.launch)} launches {fit.image_id or 'no AMI'}, wanted an AMI's id: without it there is no way "
                "back.",
                "Give the group a version that names one.",
            )
        return fit

    def find(self, current: LaunchSpec, image_id: str) -> Fit | None:
        """Return what exists already and is `current` in all but the AMI; the current one itself when it fits."""
        if current.is_template:
            source = self._version(current)
            found = [source] if source.image_id == image_id else []
            found += self.templates.versions_of_image(source.launch_template_id, image_id)
            same = next((one for one in found if one.content == source.content), None)
            return Fit(_spec(same), image_id) if same else None
        description = self._configuration(current)
        if description.get("ImageId") == image_id:
            return Fit(current, image_id)
        name = self._name(current, image_id)
        return Fit(LaunchSpec(name), image_id) if self.groups.launch_configuration(name) else None

    def make(self, current: LaunchSpec, image_id: str, roll_id: str) -> Fit:
        """Return what is `current` in all but the AMI, made if it does not exist."""
        found = self.find(current, image_id)
        if found is not None:
            return found
        if current.is_template:
            source = self._version(current)
            text = version_description(image_id, source.content)
            return Fit(_spec(self.templates.create_version(source, image_id, text, roll_id)), image_id)
        name, content = self._name(current, image_id), content_of(self._configuration(current))
        self.groups.create_launch_configuration(configuration_request(name, image_id, content))
        return Fit(LaunchSpec(name), image_id)

    def snapshots(self, launch: LaunchSpec) -> frozenset[str]:
        """Return the snapshots that a launch names for its volumes."""
        content = self._version(launch).content if launch.is_template else self._configuration(launch)
        return snapshots_of(content)

    def exists(self, launch: LaunchSpec) -> bool:
        """Tell whether a group could be told to launch from this."""
        if launch.is_template:
            return self.templates.version(launch.launch_template_id, launch.version) is not None
        return self.groups.launch_configuration(launch.launch_configuration_name) is not None

    def _name(self, current: LaunchSpec, image_id: str) -> str:
        content = content_of(self._configuration(current))
        return configuration_name(current.launch_configuration_name, image_id, content)

    def _version(self, launch: LaunchSpec) -> TemplateVersion:
        found = self.templates.version(launch.launch_template_id, launch.version)
        if found is None:
            raise _gone(launch)
        return found

    def _configuration(self, launch: LaunchSpec) -> dict[str, object]:
        found = self.groups.launch_configuration(launch.launch_configuration_name)
        if found is None:
            raise _gone(launch)
        return dict(found)


@dataclass(frozen=True)
class AwsImages:
    """AMIs by id."""

    ec2: Ec2

    def image(self, image_id: str) -> Image | None:
        """Return an AMI, or None when AWS does not know it."""
        return next(iter(self.ec2.find_images(ImageQuery("", image_id))), None)


def _spec(version: TemplateVersion) -> LaunchSpec:
    return LaunchSpec("", version.launch_template_id, version.launch_template_name, str(version.number))


def _named(launch: LaunchSpec) -> str:
    text = str(launch)
    return text[:1].upper() + text[1:]


def _gone(launch: LaunchSpec) -> RefusedError:
    return RefusedError(
        f"{_named(launch)} does not exist any more, so nothing can be copied from it.",
        "Give the group a launch template version or a launch configuration that exists.",
    )
