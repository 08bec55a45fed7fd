"""EC2: one method an API call, answers as the values of aws/model.py. No waiting, no deciding."""

from typing import TYPE_CHECKING

from goldfleet.aws.errors import ThingIsGoneError, explained
from goldfleet.aws.model import Image, ImageQuery, Instance, KeyPair, Launch, SecurityGroup, Snapshot
from goldfleet.errors import AwsError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_ec2.literals import ResourceTypeType
    from mypy_boto3_ec2.type_defs import (
        FilterTypeDef,
        ImageTypeDef,
        InstanceTypeDef,
        RunInstancesRequestTypeDef,
        TagSpecificationTypeDef,
        TagTypeDef,
    )

SSH_PORT = 22


class Ec2:
    """EC2 of one account and region."""

    def __init__(self, client: "EC2Client") -> None:
        self._client = client

    # Images

    def find_images(self, query: ImageQuery) -> tuple[Image, ...]:
        """Return the AMIs that a query for a base AMI matches, the newest first; () also for an unknown id."""
        if query.image_id:
            try:
                with explained("DescribeImages", query.image_id):
                    answer = self._client.describe_images(ImageIds=[query.image_id])
            except ThingIsGoneError:
                return ()
        else:
            filters: list[FilterTypeDef] = [
                {"Name": "name", "Values": [query.name]},
                {"Name": "architecture", "Values": [query.architecture]},
                {"Name": "state", "Values": ["available"]},
            ]
            with explained("DescribeImages", query.name):
                answer = self._client.describe_images(Owners=[query.owner], Filters=filters)
        return _images(answer["Images"])

    def own_images(self, filters: "Mapping[str, Sequence[str]]") -> tuple[Image, ...]:
        """Return the account's own AMIs that match the filters, the newest first, in one call."""
        with explained("DescribeImages"):
            answer = self._client.describe_images(Owners=["self"], Filters=_filters(filters))
        return _images(answer["Images"])

    def deregister_image(self, image_id: str) -> None:
        """Remove an AMI; its snapshots stay. One that is gone already is fine."""
        try:
            with explained("DeregisterImage", image_id):
                self._client.deregister_image(ImageId=image_id)
        except ThingIsGoneError:
            return

    def own_snapshots(self, filters: "Mapping[str, Sequence[str]]") -> tuple[Snapshot, ...]:
        """Return the account's own snapshots that match the filters."""
        found: list[Snapshot] = []
        with explained("DescribeSnapshots"):
            pages = self._client.get_paginator("describe_snapshots").paginate(
                OwnerIds=["self"], Filters=_filters(filters)
            )
            for page in pages:
                found += [Snapshot(one["SnapshotId"], _tags(one.get("Tags", []))) for one in page["Snapshots"]]
        return tuple(found)

    def delete_snapshot(self, snapshot_id: str) -> None:
        """Remove a snapshot. One that is gone already is fine."""
        try:
            with explained("DeleteSnapshot", snapshot_id):
                self._client.delete_snapshot(SnapshotId=snapshot_id)
        except ThingIsGoneError:
            return

    # Tags

    def set_tags(self, resource_id: str, tags: "Mapping[str, str]") -> None:
        """Set tags on a resource."""
        with explained("CreateTags", resource_id):
            self._client.create_tags(Resources=[resource_id], Tags=_tag_list(tags))

    def remove_tag(self, resource_id: str, key: str) -> None:
        """Remove a tag from a resource, whatever its value."""
        with explained("DeleteTags", resource_id):
            self._client.delete_tags(Resources=[resource_id], Tags=[{"Key": key}])

    # Key pairs and security groups

    def import_key_pair(self, name: str, public_key: str, tags: "Mapping[str, str]") -> str:
        """Make a key pair from an OpenSSH public key, tagged at creation, and return its id."""
        with explained("ImportKeyPair", name):
            answer = self._client.import_key_pair(
                KeyName=name, PublicKeyMaterial=public_key.encode(), TagSpecifications=_at_creation("key-pair", tags)
            )
        return answer["KeyPairId"]

    def key_pairs(self, filters: "Mapping[str, Sequence[str]]") -> tuple[KeyPair, ...]:
        """Return the key pairs that match the filters."""
        with explained("DescribeKeyPairs"):
            answer = self._client.describe_key_pairs(Filters=_filters(filters))
        return tuple(
            KeyPair(one["KeyPairId"], one["KeyName"], _tags(one.get("Tags", []))) for one in answer["KeyPairs"]
        )

    def delete_key_pair(self, name: str) -> None:
        """Remove a key pair. One that is gone already is fine."""
        with explained("DeleteKeyPair", name):
            self._client.delete_key_pair(KeyName=name)

    def vpc_of_subnet(self, subnet_id: str) -> str:
        """Return the id of the VPC that a subnet is in."""
        with explained("DescribeSubnets", subnet_id):
            return self._client.describe_subnets(SubnetIds=[subnet_id])["Subnets"][0]["VpcId"]

    def create_security_group(self, name: str, description: str, vpc_id: str | None, tags: "Mapping[str, str]") -> str:
        """Make a security group with no ingress, tagged at creation, in a VPC or the default one; return its id."""
        with explained("CreateSecurityGroup", name):
            specification = _at_creation("security-group", tags)
            if vpc_id:
                return self._client.create_security_group(
                    GroupName=name, Description=description, VpcId=vpc_id, TagSpecifications=specification
                )["GroupId"]
            return self._client.create_security_group(
                GroupName=name, Description=description, TagSpecifications=specification
            )["GroupId"]

    def allow_ssh(self, group_id: str, cidrs: "Sequence[str]") -> None:
        """Let the IPv4 ranges reach port 22 of the group's members."""
        with explained("AuthorizeSecurityGroupIngress", group_id):
            self._client.authorize_security_group_ingress(
                GroupId=group_id,
                IpPermissions=[
                    {
                        "IpProtocol": "tcp",
                        "FromPort": SSH_PORT,
                        "ToPort": SSH_PORT,
                        "IpRanges": [{"CidrIp": cidr} for cidr in cidrs],
                    }
                ],
            )

    def security_groups(self, filters: "Mapping[str, Sequence[str]]") -> tuple[SecurityGroup, ...]:
        """Return the security groups that match the filters."""
        found: list[SecurityGroup] = []
        with explained("DescribeSecurityGroups"):
            for page in self._client.get_paginator("describe_security_groups").paginate(Filters=_filters(filters)):
                found += [
                    SecurityGroup(one["GroupId"], one["GroupName"], _tags(one.get("Tags", [])))
                    for one in page["SecurityGroups"]
                ]
        return tuple(found)

    def delete_security_group(self, group_id: str) -> None:
        """Remove a security group. One that is gone already is fine.

        Raises ThingInUseError while an instance still belongs to it.
        """
        try:
            with explained("DeleteSecurityGroup", group_id):
                self._client.delete_security_group(GroupId=group_id)
        except ThingIsGoneError:
            return

    # Instances

    def run_instance(self, launch: Launch) -> str:
        """Start one instance, tagged at creation, that answers metadata requests only by IMDSv2; return its id."""
        with explained("RunInstances", launch.image_id, permissions=_permissions(launch)):
            return self._client.run_instances(**_run_request(launch))["Instances"][0]["InstanceId"]

    def rehearse_launch(self, launch: Launch) -> None:
        """Have AWS refuse now what it would refuse of a launch: unknown things, missing permissions. Nothing is started."""
        request = _run_request(launch)
        request["DryRun"] = True
        try:
            with explained("RunInstances", launch.image_id, permissions=_permissions(launch)):
                self._client.run_instances(**request)
        except AwsError as error:
            if error.code != "DryRunOperation":
                raise

    def instances(
        self, filters: "Mapping[str, Sequence[str]]", instance_ids: "Sequence[str]" = ()
    ) -> tuple[Instance, ...]:
        """Return the instances that match the filters (and have one of the ids, when some are given)."""
        found: list[Instance] = []
        with explained("DescribeInstances", ", ".join(instance_ids)):
            paginator = self._client.get_paginator("describe_instances")
            for page in paginator.paginate(InstanceIds=list(instance_ids), Filters=_filters(filters)):
                found += [_instance(one) for reservation in page["Reservations"] for one in reservation["Instances"]]
        return tuple(found)

    def instance(self, instance_id: str) -> Instance | None:
        """Return an instance, or None when AWS does not know it (yet)."""
        try:
            return next(iter(self.instances({}, [instance_id])), None)
        except ThingIsGoneError:
            return None

    def terminate_instance(self, instance_id: str) -> None:
        """Ask for an instance's end. One that is gone already is fine."""
        try:
            with explained("TerminateInstances", instance_id):
                self._client.terminate_instances(InstanceIds=[instance_id])
        except ThingIsGoneError:
            return

    def console_output(self, instance_id: str) -> str:
        """Return what the instance has printed on its serial console so far.

        Asks for the newest output; instance types that are not on Nitro refuse that, and give what AWS kept at boot.
        Source: API reference, GetConsoleOutput, `Latest`.
        """
        try:
            with explained("GetConsoleOutput", instance_id):
                return self._client.get_console_output(InstanceId=instance_id, Latest=True).get("Output", "")
        except AwsError as error:
            if error.code != "UnsupportedOperation":
                raise
        with explained("GetConsoleOutput", instance_id):
            return self._client.get_console_output(InstanceId=instance_id).get("Output", "")


def _run_request(launch: Launch) -> "RunInstancesRequestTypeDef":
    request: RunInstancesRequestTypeDef = {
        "ImageId": launch.image_id,
        "InstanceType": launch.instance_type,  # type: ignore[typeddict-item]  # any type that AWS knows
        "KeyName": launch.key_name,
        "SecurityGroupIds": list(launch.security_group_ids),
        "MinCount": 1,
        "MaxCount": 1,
        "ClientToken": launch.client_token,
        "InstanceInitiatedShutdownBehavior": "terminate",
        "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled"},
        "TagSpecifications": _at_creation("instance", launch.tags) + _at_creation("volume", launch.tags),
    }
    if launch.subnet_id:
        request["SubnetId"] = launch.subnet_id
    if launch.instance_profile:
        request["IamInstanceProfile"] = {"Name": launch.instance_profile}
    return request


def _permissions(launch: Launch) -> str:
    """Return what a launch needs, in words: AWS's refusal does not always say that it was iam:PassRole that was missing."""
    needed = "ec2:RunInstances"
    if launch.instance_profile:
        needed += f" and, on the role of instance profile {launch.instance_profile}, iam:PassRole"
    return needed


def _filters(filters: "Mapping[str, Sequence[str]]") -> "list[FilterTypeDef]":
    return [{"Name": name, "Values": list(values)} for name, values in filters.items()]


def _tag_list(tags: "Mapping[str, str]") -> "list[TagTypeDef]":
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def _at_creation(kind: "ResourceTypeType", tags: "Mapping[str, str]") -> "list[TagSpecificationTypeDef]":
    return [{"ResourceType": kind, "Tags": _tag_list(tags)}]


def _tags(tags: "Iterable[TagTypeDef]") -> dict[str, str]:
    return {tag.get("Key", ""): tag.get("Value", "") for tag in tags}


def _images(answers: "Iterable[ImageTypeDef]") -> tuple[Image, ...]:
    return tuple(sorted(map(_image, answers), key=lambda image: (image.creation_date, image.image_id), reverse=True))


def _image(answer: "ImageTypeDef") -> Image:
    mappings = [mapping.get("Ebs", {}) for mapping in answer.get("BlockDeviceMappings", [])]
    return Image(
        image_id=answer["ImageId"],
        name=answer.get("Name", ""),
        state=answer.get("State", "pending"),
        architecture=answer.get("Architecture", ""),
        creation_date=answer.get("CreationDate", ""),
        snapshot_ids=tuple(ebs["SnapshotId"] for ebs in mappings if ebs.get("SnapshotId")),
        tags=_tags(answer.get("Tags", [])),
    )


def _instance(answer: "InstanceTypeDef") -> Instance:
    return Instance(
        instance_id=answer["InstanceId"],
        state=answer["State"]["Name"],
        image_id=answer.get("ImageId", ""),
        private_ip_address=answer.get("PrivateIpAddress", ""),
        public_ip_address=answer.get("PublicIpAddress", ""),
        private_dns_name=answer.get("PrivateDnsName", ""),
        public_dns_name=answer.get("PublicDnsName", ""),
        tags=_tags(answer.get("Tags", [])),
        state_reason=answer.get("StateReason", {}).get("Message", ""),
        launched_at=answer.get("LaunchTime"),
    )
