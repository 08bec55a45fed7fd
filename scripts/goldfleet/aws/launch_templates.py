"""Launch templates, on EC2's client: one method an API call. A version is what AWS describes; never `$Latest` when made."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from goldfleet.aws.errors import ThingIsGoneError, explained
from goldfleet.aws.model import TemplateVersion

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.type_defs import LaunchTemplateVersionTypeDef

MOST_VERSIONS_A_PAGE = 200
"""Source: EC2 API reference, DescribeLaunchTemplateVersions, MaxResults."""


class LaunchTemplates:
    """Launch templates of one account and region."""

    def __init__(self, client: "EC2Client") -> None:
        self._client = client

    def version(self, launch_template_id: str, version: str) -> TemplateVersion | None:
        """Return a version, by its number, `$Latest` or `$Default`; None when there is none."""
        try:
            with explained("DescribeLaunchTemplateVersions", launch_template_id):
                answer = self._client.describe_launch_template_versions(
                    LaunchTemplateId=launch_template_id, Versions=[version]
                )
        except ThingIsGoneError:
            return None
        return next(map(_version, answer["LaunchTemplateVersions"]), None)

    def versions_of_image(self, launch_template_id: str, image_id: str) -> tuple[TemplateVersion, ...]:
        """Return the versions that launch an AMI, the newest first."""
        found: list[TemplateVersion] = []
        with explained("DescribeLaunchTemplateVersions", launch_template_id):
            pages = self._client.get_paginator("describe_launch_template_versions").paginate(
                LaunchTemplateId=launch_template_id,
                Filters=[{"Name": "image-id", "Values": [image_id]}],
                PaginationConfig={"PageSize": MOST_VERSIONS_A_PAGE},
            )
            for page in pages:
                found += [one for one in map(_version, page["LaunchTemplateVersions"]) if one.image_id == image_id]
        return tuple(sorted(found, key=lambda one: one.number, reverse=True))

    def create_version(
        self, source: TemplateVersion, image_id: str, description: str, client_token: str
    ) -> TemplateVersion:
        """Make a version that is `source` with another AMI, and return it.

        A repeated request with the same token is the same request. Source: EC2 API reference,
        CreateLaunchTemplateVersion, ClientToken.
        """
        with explained("CreateLaunchTemplateVersion", source.launch_template_id):
            answer = self._client.create_launch_template_version(
                LaunchTemplateId=source.launch_template_id,
                SourceVersion=str(source.number),
                VersionDescription=description,
                LaunchTemplateData={"ImageId": image_id},
                ClientToken=client_token,
            )
        return _version(answer["LaunchTemplateVersion"])


def _version(answer: "LaunchTemplateVersionTypeDef") -> TemplateVersion:
    content: Mapping[str, Any] = answer.get("LaunchTemplateData", {})
    return TemplateVersion(
        launch_template_id=answer.get("LaunchTemplateId", ""),
        launch_template_name=answer.get("LaunchTemplateName", ""),
        number=answer.get("VersionNumber", 0),
        image_id=str(content.get("ImageId", "")),
        content={key: value for key, value in content.items() if key != "ImageId"},
    )
