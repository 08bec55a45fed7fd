"""Launch template versions: exactly the calls that are said, exactly what AWS answers."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber

from goldfleet.aws.launch_templates import LaunchTemplates
from goldfleet.aws.model import TemplateVersion

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

CONTENT = {"InstanceType": "t3.small", "KeyName": "web"}


@pytest.fixture
def stubs(ec2_client: "EC2Client") -> Iterator[Stubber]:
    with Stubber(ec2_client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def templates(stubs: Stubber, ec2_client: "EC2Client") -> LaunchTemplates:
    return LaunchTemplates(ec2_client)


def described(number: int, image_id: str) -> dict[str, Any]:
    return {
        "LaunchTemplateId": "lt-0abc",
        "LaunchTemplateName": "web",
        "VersionNumber": number,
        "LaunchTemplateData": {"ImageId": image_id, **CONTENT},
    }


def version(number: int, image_id: str) -> TemplateVersion:
    return TemplateVersion("lt-0abc", "web", number, image_id, CONTENT)


def test_version_is_read_by_what_the_group_names(stubs: Stubber, templates: LaunchTemplates) -> None:
    wanted = {"LaunchTemplateId": "lt-0abc", "Versions": ["$Latest"]}
    stubs.add_response("describe_launch_template_versions", {"LaunchTemplateVersions": [described(4, "ami-1")]}, wanted)
    assert templates.version("lt-0abc", "$Latest") == version(4, "ami-1")


@pytest.mark.parametrize("code", ["InvalidLaunchTemplateId.NotFound", "InvalidLaunchTemplateId.VersionNotFound"])
def test_version_that_is_gone_is_none(stubs: Stubber, templates: LaunchTemplates, code: str) -> None:
    stubs.add_client_error("describe_launch_template_versions", code, "gone")
    assert templates.version("lt-0abc", "9") is None


def test_versions_of_an_image_are_read_page_by_page_the_newest_first(
    stubs: Stubber, templates: LaunchTemplates
) -> None:
    wanted: dict[str, Any] = {
        "LaunchTemplateId": "lt-0abc",
        "Filters": [{"Name": "image-id", "Values": ["ami-2"]}],
        "MaxResults": 200,
    }
    pages = (
        {"LaunchTemplateVersions": [described(1, "ami-2"), described(2, "ami-1")], "NextToken": "more"},
        {"LaunchTemplateVersions": [described(3, "ami-2")]},
    )
    stubs.add_response("describe_launch_template_versions", pages[0], wanted)
    stubs.add_response("describe_launch_template_versions", pages[1], {**wanted, "NextToken": "more"})
    assert [one.number for one in templates.versions_of_image("lt-0abc", "ami-2")] == [3, 1]


def test_new_version_is_the_source_with_another_image(stubs: Stubber, templates: LaunchTemplates) -> None:
    wanted = {
        "LaunchTemplateId": "lt-0abc",
        "SourceVersion": "4",
        "VersionDescription": "goldfleet ami-2 1a2b3c4d",
        "LaunchTemplateData": {"ImageId": "ami-2"},
        "ClientToken": "20261123-141530-a1b2c3",
    }
    answer = {"LaunchTemplateVersion": described(5, "ami-2")}
    stubs.add_response("create_launch_template_version", answer, wanted)
    made = templates.create_version(version(4, "ami-1"), "ami-2", "goldfleet ami-2 1a2b3c4d", "20261123-141530-a1b2c3")
    assert made == version(5, "ami-2")
