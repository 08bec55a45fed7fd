"""Launch templates as EC2 keeps them, and what RunInstances takes from them.

moto keeps a new version as it was asked for and forgets SourceVersion, gives the template's own tags to its instances, and
launches with a few of a template's settings only. Source: EC2 API reference, CreateLaunchTemplate,
CreateLaunchTemplateVersion, DeleteLaunchTemplateVersions, RunInstances.
"""

import fnmatch
from typing import Any

from moto.core.responses import ActionResult
from moto.ec2.exceptions import EC2ClientError, InvalidLaunchTemplateVersionNotFound
from moto.ec2.models.launch_templates import LaunchTemplate, LaunchTemplateVersion
from moto.ec2.responses.launch_templates import LaunchTemplates
from moto.ec2.utils import parse_user_data

MOST_VERSIONS = 200


class LocalLaunchTemplate(LaunchTemplate):
    """A launch template whose version numbers are never used twice, and whose versions can be deleted."""

    def create_version(self, data: dict[str, Any], description: str) -> LaunchTemplateVersion:
        """Add a version, numbered one above the highest that there ever was."""
        self.highest_number = getattr(self, "highest_number", 0) + 1
        version = LaunchTemplateVersion(self, self.highest_number, data, description or "")
        self.versions.append(version)
        return version

    def get_version(self, num: Any) -> LaunchTemplateVersion:
        """Return a version by number, or by $Latest or $Default; InvalidLaunchTemplateVersionNotFound if there is none."""
        if str(num) == "$Latest":
            return self.versions[-1]
        wanted = str(self.default_version_number) if str(num) == "$Default" else str(num)
        for version in self.versions:
            if str(version.number) == wanted:
                return version
        raise InvalidLaunchTemplateVersionNotFound(template_id=self.id, version=num)

    def default_version(self) -> LaunchTemplateVersion:
        """Return the default version."""
        return self.get_version(self.default_version_number)


class LaunchTemplateActions(LaunchTemplates):
    """EC2's actions on launch templates where moto's differ from AWS's."""

    def create_launch_template(self) -> ActionResult:
        """Make a template; its own tags stay its own."""
        self.error_on_dryrun()
        data = self._template_data()
        template = self.ec2_backend.create_launch_template(
            self._get_param("LaunchTemplateName"), self._get_param("VersionDescription") or "", data,
            self._parse_tag_specification(),
        )  # fmt: skip
        return ActionResult({"LaunchTemplate": self._described(template)})

    def create_launch_template_version(self) -> ActionResult:
        """Make a version; with SourceVersion it inherits what is not given. The same ClientToken gives the same version."""
        self.error_on_dryrun()
        template, token = self._template(), self._get_param("ClientToken")
        made = self.ec2_backend.template_versions_by_token
        version = made.get((template.id, token)) if token else None
        if version is None:
            source = self._get_param("SourceVersion")
            inherited = dict(template.get_version(source).data) if source else {}
            given = {key: value for key, value in self._template_data().items() if value is not None}
            version = template.create_version({**inherited, **given}, self._get_param("VersionDescription"))
            if token:
                made[template.id, token] = version
        return ActionResult({"LaunchTemplateVersion": self._described_version(template, version)})

    def delete_launch_template_versions(self) -> ActionResult:
        """Delete versions, each on its own account; the default version stays."""
        self.error_on_dryrun()
        template = self._template()
        done, failed = [], []
        for number in self._get_param("Versions", []):
            error = self._delete_version(template, str(number))
            entry = {"LaunchTemplateId": template.id, "LaunchTemplateName": template.name, "VersionNumber": int(number)}
            if error:
                failed.append({**entry, "ResponseError": error})
            else:
                done.append(entry)
        return ActionResult({
            "SuccessfullyDeletedLaunchTemplateVersions": done,
            "UnsuccessfullyDeletedLaunchTemplateVersions": failed,
        })  # fmt: skip

    def describe_launch_template_versions(self) -> ActionResult:
        """Return versions, the newest first: of one template, or of all ($Latest or $Default only)."""
        self.error_on_dryrun()
        if not (self._get_param("LaunchTemplateId") or self._get_param("LaunchTemplateName")):
            return super().describe_launch_template_versions()
        template = self._template()
        wanted = self._get_param("Versions", [])
        versions = [template.get_version(number) for number in wanted] if wanted else list(template.versions)
        lowest, highest = self._get_int_param("MinVersion"), self._get_int_param("MaxVersion")
        filters = {one["Name"]: one.get("Values", []) for one in self._get_param("Filters", [])}
        found = [
            version
            for version in sorted(versions, key=lambda version: -version.number)
            if (lowest or 0) <= version.number <= (highest or version.number) and is_wanted(template, version, filters)
        ]
        start, most = int(self._get_param("NextToken") or 0), self._get_int_param("MaxResults") or MOST_VERSIONS
        described = [self._described_version(template, version) for version in found[start : start + most]]
        rest = {"NextToken": str(start + most)} if start + most < len(found) else {}
        return ActionResult({"LaunchTemplateVersions": described, **rest})

    def _delete_version(self, template: Any, number: str) -> dict[str, str]:
        try:
            version = template.get_version(number)
        except InvalidLaunchTemplateVersionNotFound:
            return {"Code": "launchTemplateVersionDoesNotExist", "Message": "The version does not exist."}
        if version.number == template.default_version_number:
            return {"Code": "unexpectedError", "Message": "The default version cannot be deleted."}
        template.versions.remove(version)
        return {}

    def _template(self) -> Any:
        identifier, name = self._get_param("LaunchTemplateId"), self._get_param("LaunchTemplateName")
        if identifier:
            return self.ec2_backend.get_launch_template(identifier)
        return self.ec2_backend.get_launch_template_by_name(name)

    def _template_data(self) -> dict[str, Any]:
        data = dict(self._get_param("LaunchTemplateData", {}))
        data["UserData"] = parse_user_data(self._get_param("LaunchTemplateData.UserData"))
        return {key: value for key, value in data.items() if value is not None}

    def _described(self, template: Any) -> dict[str, Any]:
        return {
            "CreateTime": template.create_time,
            "CreatedBy": f"arn:{self.partition}:iam::{self.current_account}:root",
            "DefaultVersionNumber": template.default_version_number,
            "LatestVersionNumber": template.latest_version_number,
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "Tags": template.get_tags(),
        }

    def _described_version(self, template: Any, version: Any) -> dict[str, Any]:
        return {
            "CreateTime": version.create_time,
            "CreatedBy": f"arn:{self.partition}:iam::{self.current_account}:root",
            "DefaultVersion": template.is_default(version),
            "LaunchTemplateData": version.data,
            "LaunchTemplateId": template.id,
            "LaunchTemplateName": template.name,
            "VersionDescription": version.description,
            "VersionNumber": version.number,
        }


def is_wanted(template: Any, version: Any, filters: dict[str, list[str]]) -> bool:
    """Say whether a version is what the filters of DescribeLaunchTemplateVersions want; a * stands for any text."""
    seen = {
        "image-id": version.image_id,
        "instance-type": version.instance_type,
        "is-default-version": str(template.is_default(version)).lower(),
        "ebs-optimized": str(bool(version.data.get("EbsOptimized"))).lower(),
        "kernel-id": version.data.get("KernelId", ""),
        "ram-disk-id": version.data.get("RamDiskId", ""),
    }
    for name, values in filters.items():
        if name not in seen:
            raise EC2ClientError("InvalidParameterValue", f"The filter '{name}' is invalid")
        if not any(fnmatch.fnmatchcase(seen[name], value) for value in values):
            return False
    return True


def with_template(options: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """Return the options of a launch with a template's settings where the launch says nothing itself.

    User data, image, type, key and security groups are moto's to take over; this is what it leaves out.
    """
    filled = dict(options)
    filled["metadata_options"] = {**(data.get("MetadataOptions") or {}), **(options.get("metadata_options") or {})}
    filled["nics"] = options.get("nics") or [dict(one) for one in data.get("NetworkInterfaces") or []]
    for option, key in (
        ("instance_initiated_shutdown_behavior", "InstanceInitiatedShutdownBehavior"),
        ("ebs_optimized", "EbsOptimized"),
        ("disable_api_termination", "DisableApiTermination"),
        ("disable_api_stop", "DisableApiStop"),
    ):
        filled[option] = options.get(option) or data.get(key)
    if (data.get("Monitoring") or {}).get("Enabled") and options.get("monitoring_state") != "enabled":
        filled["monitoring_state"] = "enabled"
    return filled


def profile_of(options: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
    """Return the instance profile that a template gives, {} where the launch names one itself or the template none."""
    profile = data.get("IamInstanceProfile") or {}
    if options.get("iam_instance_profile_name") or options.get("iam_instance_profile_arn") or not profile:
        return {}
    return {"iam_instance_profile_name": profile.get("Name"), "iam_instance_profile_arn": profile.get("Arn")}


def no_such_profile(name_or_arn: str) -> EC2ClientError:
    """Return RunInstances' refusal of an instance profile that does not exist."""
    return EC2ClientError(
        "InvalidParameterValue",
        f"Value ({name_or_arn}) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name",
    )


def volume_tags(data: dict[str, Any]) -> dict[str, str]:
    """Return the tags that a template gives to the volumes of its instances."""
    found: dict[str, str] = {}
    for specification in data.get("TagSpecifications") or []:
        if specification.get("ResourceType") == "volume":
            found |= {tag["Key"]: tag["Value"] for tag in specification.get("Tags", [])}
    return found
