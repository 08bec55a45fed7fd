"""What goldfleet.toml may say, as frozen models. The reference in docs/ is generated from the descriptions here."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, JsonValue, model_validator

from goldfleet.config.values import (
    Cidr,
    GroupName,
    ImageName,
    InstanceProfileName,
    ProjectPath,
    SecurityGroupId,
    Surge,
    VariableName,
)
from goldfleet.errors import UsageError

FILE_NAME = "goldfleet.toml"


class _Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ImageSettings(_Section):
    """One golden image: what it is made from and how it is baked."""

    playbook: ProjectPath = Field(
        default="playbooks/golden_image.yml", description="Playbook that turns the base AMI into the image."
    )
    packer: ProjectPath = Field(default="packer", description="Folder with the Packer template.")
    specs: ProjectPath = Field(
        default="tests/fleet", description="Folder with the testinfra specs that a booted copy must pass."
    )
    architecture: Literal["x86_64", "arm64"] = Field(
        default="x86_64", description="Architecture of the base AMI and of the image."
    )
    instance_type: str = Field(
        default="t3.small",
        pattern=r"^[a-z0-9-]+\.[a-z0-9-]+$",
        description="EC2 instance type of the builder and of the verification copy.",
    )
    ssh_username: str = Field(
        default="admin", pattern=r"^[a-z_][a-z0-9_-]{0,31}$", description="Login user of the base AMI, in sudo."
    )
    source_ami: str | None = Field(
        default=None,
        pattern=r"^ami-[0-9a-f]{8,17}$",
        description="Id of the base AMI. Without it the newest AMI of source_ami_owner and source_ami_name is taken.",
    )
    source_ami_owner: str = Field(
        default="136693071363",
        pattern=r"^([0-9]{12}|self|amazon|aws-marketplace)$",
        description="Account that owns the base AMI, or self, amazon, aws-marketplace. The default is Debian's.",
    )
    source_ami_name: str = Field(
        default="debian-12-amd64-*", min_length=1, description="Name of the base AMI, with * and ? as wildcards."
    )
    ssh_source_cidrs: tuple[Cidr, ...] = Field(
        default=("0.0.0.0/0",),
        min_length=1,
        strict=False,
        description="IPv4 ranges that may reach port 22 of the builder and of the verification copy.",
    )
    subnet_id: str | None = Field(
        default=None,
        pattern=r"^subnet-[0-9a-f]{8,17}$",
        description="Subnet for the builder and the copy. Without it the default VPC is used.",
    )
    copy_instance_profile: InstanceProfileName | None = Field(
        default=None,
        description="Name of the IAM instance profile of the verification copy: the servers' own, so that it reads what they "
        "read. Whoever bakes needs iam:PassRole on its role. The builder has no profile. No input of the image: "
        "--if-changed does not bake for it.",
    )
    copy_security_group_ids: tuple[SecurityGroupId, ...] = Field(
        default=(),
        max_length=15,
        strict=False,
        description="Security groups that the verification copy joins besides the run's own, so that it reaches what the "
        "servers reach, such as a file system. No input of the image either.",
    )
    expires_after_minutes: int = Field(
        default=120,
        ge=15,
        le=1440,
        description="Minutes after which `goldfleet images gc` may remove what a killed bake left.",
    )
    lease_minutes: int = Field(
        default=5,
        ge=1,
        le=60,
        description="Minutes that a bake's lease lasts; it is renewed while the bake runs. A killed bake blocks the "
        "next one this long.",
    )
    boot_timeout_minutes: int = Field(
        default=10,
        ge=1,
        le=60,
        description="Minutes that the verification copy may take from launch until a login works and nothing holds it out "
        "of service. A copy that is still held then is checked all the same.",
    )
    verify_timeout_minutes: int = Field(
        default=20, ge=1, le=240, description="Minutes that all checks of the copy may take together."
    )
    stop_timeout_seconds: int = Field(
        default=120,
        ge=1,
        le=900,
        description="Seconds that Packer may take to clean up after Ctrl-C before it is killed.",
    )
    cleanup_timeout_minutes: int = Field(
        default=5, ge=1, le=60, description="Minutes that goldfleet's own clean-up may take before it gives up."
    )
    variables: dict[VariableName, JsonValue] = Field(
        default_factory=dict, description="Role variables, exactly as the roles document them. No secrets."
    )


class GroupSettings(_Section):
    """One Auto Scaling group: which image it runs, how its servers are reached, how an image is rolled through it."""

    image: ImageName | None = Field(
        default=None,
        description="Image of this file that the group runs. Not needed when the file has one only. Its specs and login "
        "user are those that `goldfleet verify` uses.",
    )
    ssh_private_key: str | None = Field(
        default=None,
        min_length=1,
        description="File with the private key for the group's servers; ~ is the home folder. Without it ssh's own "
        "keys and agent are used.",
    )
    verify_transport: Literal["ssh", "ssm", "eice"] = Field(
        default="ssh",
        description='How the group\'s servers are reached for their checks: "ssh"; "ssm", by Systems Manager\'s Run Command, '
        'without an open port; "eice", by SSH through an EC2 Instance Connect Endpoint.',
    )
    surge: Surge = Field(
        default=1,
        description='How many instances a roll adds before old ones go: a number, or a share such as "25%" of the '
        "desired capacity, rounded down, at least 1.",
    )
    warm_up_seconds: int = Field(
        default=30,
        ge=0,
        le=3600,
        description="Seconds that a new instance must stay in service and healthy in every target group before an old "
        "one goes.",
    )
    ready_timeout_minutes: int = Field(
        default=15,
        ge=1,
        le=240,
        description="Minutes from a new instance's launch until it must be proven; then the roll stops.",
    )
    verify_timeout_minutes: int = Field(
        default=20, ge=1, le=240, description="Minutes that the checks of all servers of one image may take together."
    )
    lease_minutes: int = Field(
        default=2,
        ge=1,
        le=60,
        description="Minutes that a roll's lease lasts; it is renewed while the roll runs. A killed roll blocks the next "
        "command on the group this long.",
    )


class Settings(_Section):
    """The whole of goldfleet.toml."""

    images: dict[ImageName, ImageSettings] = Field(default_factory=dict, description="Images by name.")
    groups: dict[GroupName, GroupSettings] = Field(
        default_factory=dict,
        description="Auto Scaling groups by name. A group that is not named here has the defaults.",
    )

    @model_validator(mode="after")
    def _has_an_image(self) -> "Settings":
        if not self.images:
            raise ValueError("wanted at least one [images.<name>] section")
        return self

    @model_validator(mode="after")
    def _groups_name_images(self) -> "Settings":
        for group, settings in self.groups.items():
            if settings.image is not None and settings.image not in self.images:
                raise ValueError(f"groups.{group}.image is {settings.image!r}, wanted one of {sorted(self.images)}")
        return self

    def pick_group(self, name: str) -> GroupSettings:
        """Return the settings of a group; the defaults when the file does not name it."""
        return self.groups.get(name, GroupSettings())

    def pick_image_of(self, group: str) -> tuple[str, ImageSettings]:
        """Return the image that a group runs: the one that its section names, or the only one there is.

        Raises UsageError when there are several and the group's section names none.
        """
        named = self.pick_group(group).image
        if named is None and len(self.images) > 1:
            raise UsageError(
                f"{FILE_NAME} has several images ({', '.join(sorted(self.images))}) and does not say which one group "
                f"{group} runs.",
                f'Set image in its section [groups."{group}"].',
            )
        return self.pick_image(named)

    def pick_image(self, name: str | None) -> tuple[str, ImageSettings]:
        """Return the image asked for, or the only one there is.

        Raises UsageError when there is no such image, or several and none was named.
        """
        known = ", ".join(sorted(self.images))
        if name is None and len(self.images) == 1:
            return next(iter(self.images.items()))
        if name is None:
            raise UsageError(f"{FILE_NAME} has several images: {known}.", "Name the one that is meant.")
        if name not in self.images:
            raise UsageError(f"{FILE_NAME} has no image {name!r}; it has {known}.", "Name one of these.")
        return name, self.images[name]
