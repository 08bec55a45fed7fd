"""What a group launches from is copied, found again and pinned: AwsLaunches on working models of AWS's two kinds."""

from dataclasses import replace
from typing import TYPE_CHECKING, Any, cast

import pytest

from goldfleet.aws.model import LaunchSpec, TemplateVersion
from goldfleet.errors import RefusedError
from goldfleet.roll.launches import AwsLaunches

if TYPE_CHECKING:
    from goldfleet.aws.autoscaling import AutoScaling
    from goldfleet.aws.launch_templates import LaunchTemplates


class TemplateInMemory:
    """One launch template, lt-0abc, and its versions."""

    def __init__(self, *image_ids: str) -> None:
        self.versions = [
            TemplateVersion("lt-0abc", "web", number, image_id, {"InstanceType": "t3.small"})
            for number, image_id in enumerate(image_ids, 1)
        ]

    def version(self, launch_template_id: str, version: str) -> TemplateVersion | None:
        number = len(self.versions) if version == "$Latest" else 1 if version == "$Default" else int(version)
        return next((one for one in self.versions if one.number == number), None)

    def versions_of_image(self, launch_template_id: str, image_id: str) -> tuple[TemplateVersion, ...]:
        return tuple(one for one in reversed(self.versions) if one.image_id == image_id)

    def create_version(
        self, source: TemplateVersion, image_id: str, description: str, client_token: str
    ) -> TemplateVersion:
        made = replace(source, number=len(self.versions) + 1, image_id=image_id)
        self.versions.append(made)
        return made


class ConfigurationsInMemory:
    """Launch configurations by name."""

    def __init__(self) -> None:
        self.all: dict[str, dict[str, Any]] = {
            "web": {"LaunchConfigurationName": "web", "ImageId": "ami-1", "InstanceType": "t3.small", "KernelId": ""}
        }

    def launch_configuration(self, name: str) -> dict[str, Any] | None:
        return self.all.get(name)

    def create_launch_configuration(self, request: dict[str, Any]) -> None:
        assert request["LaunchConfigurationName"] not in self.all
        self.all[request["LaunchConfigurationName"]] = request


def launches(*image_ids: str) -> tuple[AwsLaunches, TemplateInMemory, ConfigurationsInMemory]:
    template, configurations = TemplateInMemory(*image_ids), ConfigurationsInMemory()
    return (
        AwsLaunches(cast("AutoScaling", configurations), cast("LaunchTemplates", template)),
        template,
        configurations,
    )


def template_at(version: str) -> LaunchSpec:
    return LaunchSpec("", "lt-0abc", "web", version)


@pytest.mark.parametrize(("named", "number"), [("$Latest", "3"), ("$Default", "1"), ("2", "2")])
def test_group_is_pinned_to_a_number(named: str, number: str) -> None:
    made, _, _ = launches("ami-1", "ami-2", "ami-3")
    fit = made.pin(template_at(named))
    assert (fit.launch, fit.image_id) == (template_at(number), f"ami-{number}")


def test_image_from_a_parameter_is_refused() -> None:
    made, _, _ = launches("resolve:ssm:/golden")
    with pytest.raises(RefusedError, match="launches resolve:ssm:/golden, wanted an AMI's id"):
        made.pin(template_at("1"))


@pytest.mark.parametrize("gone", [template_at("9"), LaunchSpec("gone")])
def test_launch_that_is_gone_is_refused(gone: LaunchSpec) -> None:
    made, _, _ = launches("ami-1")
    with pytest.raises(RefusedError, match="does not exist any more"):
        made.pin(gone)
    assert not made.exists(gone)


def test_version_with_this_content_is_used_again() -> None:
    made, template, _ = launches("ami-1", "ami-2")
    assert made.make(template_at("1"), "ami-2", "run").launch.version == "2"
    assert len(template.versions) == 2


def test_version_with_other_content_is_not() -> None:
    made, template, _ = launches("ami-1", "ami-2")
    template.versions[1] = replace(template.versions[1], content={"InstanceType": "t3.large"})
    assert made.find(template_at("1"), "ami-2") is None
    assert made.make(template_at("1"), "ami-2", "run").launch.version == "3"
    assert template.versions[2].content == {"InstanceType": "t3.small"}


def test_current_version_is_the_target_when_it_launches_the_image() -> None:
    made, _, _ = launches("ami-2", "ami-2")
    found = made.find(template_at("1"), "ami-2")
    assert found is not None
    assert found.launch.version == "1"


def test_configuration_is_copied_once() -> None:
    made, _, configurations = launches("ami-1")
    first = made.make(LaunchSpec("web"), "ami-0bb", "run")
    assert first == made.make(LaunchSpec("web"), "ami-0bb", "other run")
    assert set(configurations.all) == {"web", first.launch.launch_configuration_name}
    assert configurations.all[first.launch.launch_configuration_name]["InstanceType"] == "t3.small"
    assert made.find(LaunchSpec("web"), "ami-1") == made.pin(LaunchSpec("web"))
