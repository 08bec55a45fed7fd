"""Each method makes exactly the calls that it says, and reads exactly what AWS answers."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import ANY, Stubber

from goldfleet.aws.ec2 import Ec2
from goldfleet.aws.errors import ThingInUseError
from goldfleet.aws.model import Image, ImageQuery, Instance, KeyPair, Launch, SecurityGroup, Snapshot
from goldfleet.errors import AwsError

if TYPE_CHECKING:
    from mypy_boto3_ec2 import EC2Client

TAGS = {"goldfleet:run": "run-1", "goldfleet:expires": "2026"}
TAG_LIST = [{"Key": key, "Value": value} for key, value in TAGS.items()]


@pytest.fixture
def stubs(ec2_client: "EC2Client") -> Iterator[Stubber]:
    with Stubber(ec2_client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def ec2(stubs: Stubber, ec2_client: "EC2Client") -> Ec2:
    return Ec2(ec2_client)


def specification(kind: str) -> list[dict[str, Any]]:
    return [{"ResourceType": kind, "Tags": TAG_LIST}]


def image(number: int, **more: Any) -> dict[str, Any]:
    return {"ImageId": f"ami-{number}", "CreationDate": f"2026-01-0{number}", "State": "available", **more}


def test_base_ami_by_name_is_the_newest_of_its_owner(stubs: Stubber, ec2: Ec2) -> None:
    wanted = {
        "Owners": ["136693071363"],
        "Filters": [
            {"Name": "name", "Values": ["debian-12-*"]},
            {"Name": "architecture", "Values": ["arm64"]},
            {"Name": "state", "Values": ["available"]},
        ],
    }
    stubs.add_response("describe_images", {"Images": [image(1), image(3), image(2)]}, wanted)
    found = ec2.find_images(ImageQuery("arm64", owner="136693071363", name="debian-12-*"))
    assert [one.image_id for one in found] == ["ami-3", "ami-2", "ami-1"]


def test_base_ami_by_id_is_read_whole(stubs: Stubber, ec2: Ec2) -> None:
    answer = image(
        1,
        Name="debian-12",
        Architecture="x86_64",
        Tags=TAG_LIST,
        BlockDeviceMappings=[{"Ebs": {"SnapshotId": "snap-1"}}, {"VirtualName": "ephemeral0"}],
    )
    stubs.add_response("describe_images", {"Images": [answer]}, {"ImageIds": ["ami-1"]})
    assert ec2.find_images(ImageQuery("x86_64", "ami-1")) == (
        Image("ami-1", "debian-12", "available", "x86_64", "2026-01-01", ("snap-1",), TAGS),
    )


@pytest.mark.parametrize("code", ["InvalidAMIID.NotFound", "InvalidAMIID.Malformed", "InvalidAMIID.Unavailable"])
def test_unknown_base_ami_is_nothing(stubs: Stubber, ec2: Ec2, code: str) -> None:
    stubs.add_client_error("describe_images", code)
    assert ec2.find_images(ImageQuery("x86_64", "ami-1")) == ()


def test_own_images_are_asked_for_by_filter(stubs: Stubber, ec2: Ec2) -> None:
    wanted = {"Owners": ["self"], "Filters": [{"Name": "tag:goldfleet:image", "Values": ["app"]}]}
    stubs.add_response("describe_images", {"Images": []}, wanted)
    assert ec2.own_images({"tag:goldfleet:image": ["app"]}) == ()


def test_key_pair_is_tagged_at_creation(stubs: Stubber, ec2: Ec2) -> None:
    wanted = {
        "KeyName": "goldfleet-run-1",
        "PublicKeyMaterial": b"ssh-ed25519 AAAA",
        "TagSpecifications": specification("key-pair"),
    }
    stubs.add_response("import_key_pair", {"KeyPairId": "key-1"}, wanted)
    assert ec2.import_key_pair("goldfleet-run-1", "ssh-ed25519 AAAA", TAGS) == "key-1"


def test_key_pairs_are_read(stubs: Stubber, ec2: Ec2) -> None:
    answer = {"KeyPairs": [{"KeyPairId": "key-1", "KeyName": "a", "Tags": TAG_LIST}]}
    wanted = {"Filters": [{"Name": "tag-key", "Values": ["goldfleet:run"]}]}
    stubs.add_response("describe_key_pairs", answer, wanted)
    assert ec2.key_pairs({"tag-key": ["goldfleet:run"]}) == (KeyPair("key-1", "a", TAGS),)


@pytest.mark.parametrize("vpc_id", [None, "vpc-1"], ids=["default VPC", "a VPC"])
def test_security_group_is_tagged_at_creation(stubs: Stubber, ec2: Ec2, vpc_id: str | None) -> None:
    wanted = {
        "GroupName": "g",
        "Description": "d",
        "TagSpecifications": specification("security-group"),
        **({"VpcId": vpc_id} if vpc_id else {}),
    }
    stubs.add_response("create_security_group", {"GroupId": "sg-1"}, wanted)
    assert ec2.create_security_group("g", "d", vpc_id, TAGS) == "sg-1"


def test_only_port_22_is_opened_to_the_ranges(stubs: Stubber, ec2: Ec2) -> None:
    ranges = [{"CidrIp": "203.0.113.7/32"}, {"CidrIp": "198.51.100.0/24"}]
    permission = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": ranges}
    wanted = {"GroupId": "sg-1", "IpPermissions": [permission]}
    stubs.add_response("authorize_security_group_ingress", {"Return": True}, wanted)
    ec2.allow_ssh("sg-1", ["203.0.113.7/32", "198.51.100.0/24"])
    stubs.assert_no_pending_responses()


def test_security_groups_are_read_page_by_page(stubs: Stubber, ec2: Ec2) -> None:
    filters = [{"Name": "tag:goldfleet:run", "Values": ["run-1"]}]
    first = {"SecurityGroups": [{"GroupId": "sg-1", "GroupName": "a", "Tags": TAG_LIST}], "NextToken": "t"}
    stubs.add_response("describe_security_groups", first, {"Filters": filters})
    second = {"SecurityGroups": [{"GroupId": "sg-2", "GroupName": "b"}]}
    stubs.add_response("describe_security_groups", second, {"Filters": filters, "NextToken": "t"})
    found = ec2.security_groups({"tag:goldfleet:run": ["run-1"]})
    assert found == (SecurityGroup("sg-1", "a", TAGS), SecurityGroup("sg-2", "b", {}))


@pytest.mark.parametrize("subnet_id", [None, "subnet-1"], ids=["no subnet", "a subnet"])
def test_instance_is_tagged_at_creation_and_answers_by_imdsv2_only(
    stubs: Stubber, ec2: Ec2, subnet_id: str | None
) -> None:
    wanted = {
        "ImageId": "ami-1",
        "InstanceType": "t3.small",
        "KeyName": "key",
        "SecurityGroupIds": ["sg-1"],
        "MinCount": 1,
        "MaxCount": 1,
        "ClientToken": "run-1-copy",
        "InstanceInitiatedShutdownBehavior": "terminate",
        "MetadataOptions": {"HttpTokens": "required", "HttpEndpoint": "enabled"},
        "TagSpecifications": specification("instance") + specification("volume"),
        **({"SubnetId": subnet_id} if subnet_id else {}),
    }
    stubs.add_response("run_instances", {"Instances": [{"InstanceId": "i-1"}]}, wanted)
    assert ec2.run_instance(Launch("ami-1", "t3.small", "key", ("sg-1",), subnet_id, TAGS, "run-1-copy")) == "i-1"


COPY = Launch("ami-1", "t3.small", "key", ("sg-1", "sg-2"), None, {}, "run-1-copy", "web")
REQUEST_OF_COPY = {
    **dict.fromkeys(("InstanceType", "KeyName", "InstanceInitiatedShutdownBehavior", "MetadataOptions"), ANY),
    **{"ImageId": "ami-1", "MinCount": 1, "MaxCount": 1, "ClientToken": "run-1-copy", "TagSpecifications": ANY},
    **{"SecurityGroupIds": ["sg-1", "sg-2"], "IamInstanceProfile": {"Name": "web"}},
}


def test_instance_gets_its_profile_and_every_group(stubs: Stubber, ec2: Ec2) -> None:
    stubs.add_response("run_instances", {"Instances": [{"InstanceId": "i-1"}]}, REQUEST_OF_COPY)
    assert ec2.run_instance(COPY) == "i-1"


def test_rehearsed_launch_that_would_have_succeeded_is_no_error(stubs: Stubber, ec2: Ec2) -> None:
    wanted = {**REQUEST_OF_COPY, "DryRun": True}
    stubs.add_client_error("run_instances", "DryRunOperation", expected_params=wanted)
    ec2.rehearse_launch(COPY)
    stubs.assert_no_pending_responses()


NO_PROFILE = "Value (web) for parameter iamInstanceProfile.name is invalid. Invalid IAM Instance Profile name"
NO_PASS_ROLE = "You are not authorized to perform this operation. Encoded authorization failure message: x"
OTHER_NETWORK = "Security group sg-2 and subnet subnet-1 belong to different networks."


@pytest.mark.parametrize(
    ("code", "text", "told"),
    [
        ("InvalidParameterValue", NO_PROFILE, "Correct copy_instance_profile in goldfleet.toml"),
        (
            "UnauthorizedOperation",
            NO_PASS_ROLE,
            "on the role of instance profile web, iam:PassRole to these credentials",
        ),
        ("InvalidGroup.NotFound", "The security group 'sg-2' does not exist", "Check copy_security_group_ids"),
        ("InvalidParameter", OTHER_NETWORK, "groups of the VPC that subnet_id is in"),
    ],
)
@pytest.mark.parametrize("method", ["run_instance", "rehearse_launch"])
def test_refused_profile_and_groups_are_explained(
    stubs: Stubber, ec2: Ec2, method: str, code: str, text: str, told: str
) -> None:
    stubs.add_client_error("run_instances", code, text)
    with pytest.raises(AwsError) as caught:
        getattr(ec2, method)(COPY)
    assert told in str(caught.value)
    assert text.rstrip(".") in str(caught.value)


def test_instances_are_read_whole(stubs: Stubber, ec2: Ec2) -> None:
    answer = {
        "InstanceId": "i-1",
        "State": {"Name": "terminated"},
        "ImageId": "ami-1",
        "PrivateIpAddress": "10.0.0.1",
        "PublicIpAddress": "203.0.113.7",
        "PrivateDnsName": "ip-10-0-0-1",
        "PublicDnsName": "ec2-203",
        "Tags": TAG_LIST,
        "StateReason": {"Code": "Client.X", "Message": "Client.X: volume"},
    }
    filters = {"InstanceIds": [], "Filters": [{"Name": "tag:a", "Values": ["b"]}]}
    stubs.add_response("describe_instances", {"Reservations": [{"Instances": [answer]}]}, filters)
    names = ("10.0.0.1", "203.0.113.7", "ip-10-0-0-1", "ec2-203")
    assert ec2.instances({"tag:a": ["b"]}) == (
        Instance("i-1", "terminated", "ami-1", *names, TAGS, "Client.X: volume"),
    )


def test_instance_that_aws_does_not_know_yet_is_none(stubs: Stubber, ec2: Ec2) -> None:
    stubs.add_client_error("describe_instances", "InvalidInstanceID.NotFound")
    assert ec2.instance("i-1") is None


def test_newest_console_output_is_asked_for(stubs: Stubber, ec2: Ec2) -> None:
    stubs.add_response("get_console_output", {"Output": "Ym9vdA=="}, {"InstanceId": "i-1", "Latest": True})
    assert ec2.console_output("i-1")


def test_instance_type_without_newest_output_gives_what_was_kept(stubs: Stubber, ec2: Ec2) -> None:
    stubs.add_client_error("get_console_output", "UnsupportedOperation")
    stubs.add_response("get_console_output", {}, {"InstanceId": "i-1"})
    assert ec2.console_output("i-1") == ""


def test_console_output_that_is_refused_is_an_error(stubs: Stubber, ec2: Ec2) -> None:
    stubs.add_client_error("get_console_output", "UnauthorizedOperation")
    with pytest.raises(AwsError, match="Allow the action of GetConsoleOutput"):
        ec2.console_output("i-1")


@pytest.mark.parametrize(
    ("method", "operation", "argument", "code"),
    [
        ("deregister_image", "deregister_image", {"ImageId": "x"}, "InvalidAMIID.NotFound"),
        ("deregister_image", "deregister_image", {"ImageId": "x"}, "InvalidAMIID.Unavailable"),
        ("delete_snapshot", "delete_snapshot", {"SnapshotId": "x"}, "InvalidSnapshot.NotFound"),
        ("delete_security_group", "delete_security_group", {"GroupId": "x"}, "InvalidGroup.NotFound"),
        ("terminate_instance", "terminate_instances", {"InstanceIds": ["x"]}, "InvalidInstanceID.NotFound"),
    ],
)
def test_removing_what_is_gone_is_fine(
    stubs: Stubber, ec2: Ec2, method: str, operation: str, argument: dict[str, Any], code: str
) -> None:
    stubs.add_client_error(operation, code, expected_params=argument)
    getattr(ec2, method)("x")
    stubs.assert_no_pending_responses()


def test_group_in_use_is_told_apart(stubs: Stubber, ec2: Ec2) -> None:
    stubs.add_client_error("delete_security_group", "DependencyViolation", "has a dependent object")
    with pytest.raises(ThingInUseError, match="AWS refused DeleteSecurityGroup of sg-1: has a dependent object"):
        ec2.delete_security_group("sg-1")


def test_tags_are_set_and_removed(stubs: Stubber, ec2: Ec2) -> None:
    stubs.add_response("create_tags", {}, {"Resources": ["ami-1"], "Tags": [{"Key": "a", "Value": "b"}]})
    stubs.add_response("delete_tags", {}, {"Resources": ["ami-1"], "Tags": [{"Key": "a"}]})
    ec2.set_tags("ami-1", {"a": "b"})
    ec2.remove_tag("ami-1", "a")
    stubs.assert_no_pending_responses()


def test_snapshots_key_pairs_and_subnets(stubs: Stubber, ec2: Ec2) -> None:
    filters = [{"Name": "tag:goldfleet:run", "Values": ["run-1"]}]
    answer = {"Snapshots": [{"SnapshotId": "snap-1", "Tags": TAG_LIST}]}
    stubs.add_response("describe_snapshots", answer, {"OwnerIds": ["self"], "Filters": filters})
    stubs.add_response("delete_key_pair", {}, {"KeyName": "k"})
    stubs.add_response("describe_subnets", {"Subnets": [{"VpcId": "vpc-1"}]}, {"SubnetIds": ["subnet-1"]})
    assert ec2.own_snapshots({"tag:goldfleet:run": ["run-1"]}) == (Snapshot("snap-1", TAGS),)
    ec2.delete_key_pair("k")
    assert ec2.vpc_of_subnet("subnet-1") == "vpc-1"
