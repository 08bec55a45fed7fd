"""What role aws_foundation promises of an account: run by molecule, and against any account that the environment points at."""

from __future__ import annotations

from typing import Any

import boto3
import pytest

Facts = dict[str, Any]


def open_to(security_group: Facts) -> dict[int, list[str]]:
    """Return who may come in, ranges and groups, by port."""
    return {
        rule["FromPort"]: sorted(
            [one["CidrIp"] for one in rule["IpRanges"]] + [one["GroupId"] for one in rule["UserIdGroupPairs"]]
        )
        for rule in security_group["IpPermissions"]
    }


def test_load_balancer_is_open_on_80_and_443_to_the_ranges(name: str, wanted: Facts, security_groups: Facts) -> None:
    ranges = sorted(wanted["alb_source_cidrs"])
    assert open_to(security_groups[f"{name}-alb"]) == {80: ranges, 443: ranges}


def test_servers_are_open_to_the_load_balancer_and_the_operators_only(
    name: str, wanted: Facts, security_groups: Facts
) -> None:
    ssh = {22: sorted(wanted["ssh_source_cidrs"])} if wanted["ssh_source_cidrs"] else {}
    assert open_to(security_groups[f"{name}-server"]) == {80: [security_groups[f"{name}-alb"]["GroupId"]], **ssh}


def test_role_is_for_servers_and_has_ssm_core_alone(name: str) -> None:
    iam = boto3.client("iam")
    trust: Any = iam.get_role(RoleName=f"{name}-server")["Role"]["AssumeRolePolicyDocument"]
    assert [one["Principal"] for one in trust["Statement"]] == [{"Service": "ec2.amazonaws.com"}]
    attached = iam.list_attached_role_policies(RoleName=f"{name}-server")["AttachedPolicies"]
    assert [one["PolicyName"] for one in attached] == ["AmazonSSMManagedInstanceCore"]
    assert iam.list_role_policies(RoleName=f"{name}-server")["PolicyNames"] == [name]


def test_servers_read_their_own_parameters_and_no_others(wanted: Facts, statements: Facts) -> None:
    path = f"parameter/goldfleet/{wanted['environment']}/{wanted['application']}"
    allowed = statements["ReadOwnParameters"]["Resource"]
    assert [resource.split(":")[-1] for resource in allowed] == [f"{path}/*", path]
    denied = statements["ReadNoOtherParameters"]
    assert (denied["Effect"], denied["NotResource"][:2]) == ("Deny", allowed)


def test_servers_read_their_own_secrets_and_no_others(wanted: Facts, statements: Facts) -> None:
    (resource,) = statements["ReadOwnSecrets"]["Resource"]
    assert statements["ReadOwnSecrets"]["Action"] == ["secretsmanager:GetSecretValue"]
    assert resource.split(":")[-2:] == ["secret", f"goldfleet/{wanted['environment']}/{wanted['application']}/*"]


def test_servers_read_the_prefix_of_the_bucket_or_nothing(wanted: Facts, statements: Facts) -> None:
    bucket, prefix = wanted["deploy_bucket"], wanted["deploy_prefix"]
    releases = statements.get("ReadReleases", {"Resource": []})
    assert releases["Resource"] == ([f"arn:aws:s3:::{bucket}/{prefix}*"] if bucket else [])
    assert set(statements) <= {"ReadOwnParameters", "ReadOwnSecrets", "ReadReleases", "ReadNoOtherParameters"}


def test_instance_profile_hands_out_the_role(name: str) -> None:
    profile = boto3.client("iam").get_instance_profile(InstanceProfileName=f"{name}-server")["InstanceProfile"]
    assert [role["RoleName"] for role in profile["Roles"]] == [f"{name}-server"]


@pytest.mark.parametrize(
    ("variable", "field"),
    [
        ("health_check_path", "HealthCheckPath"),
        ("health_check_interval_seconds", "HealthCheckIntervalSeconds"),
        ("health_check_timeout_seconds", "HealthCheckTimeoutSeconds"),
        ("healthy_threshold", "HealthyThresholdCount"),
        ("unhealthy_threshold", "UnhealthyThresholdCount"),
        ("deregistration_delay_seconds", "deregistration_delay.timeout_seconds"),
    ],
)
def test_target_group_is_as_wanted(wanted: Facts, target_group: Facts, variable: str, field: str) -> None:
    assert str(target_group[field]) == str(wanted[variable])


def test_port_80_forwards_unless_it_redirects(wanted: Facts, listeners: dict[int, Facts]) -> None:
    redirects = bool(wanted["certificate_arn"]) and wanted["http_redirects"]
    assert [action["Type"] for action in listeners[80]["DefaultActions"]] == ["redirect" if redirects else "forward"]


def test_port_443_is_served_with_the_certificate_and_only_then(
    wanted: Facts, listeners: dict[int, Facts], target_group: Facts
) -> None:
    seen = {
        (action["TargetGroupArn"], one["Certificates"][0]["CertificateArn"])
        for port, one in listeners.items()
        if port == 443
        for action in one["DefaultActions"]
    }
    certificate = wanted["certificate_arn"]
    assert seen == ({(target_group["TargetGroupArn"], certificate)} if certificate else set())


def test_servers_launch_with_imdsv2_and_an_encrypted_volume(wanted: Facts, launch: Facts) -> None:
    metadata = launch["MetadataOptions"]
    assert (metadata["HttpTokens"], metadata["HttpPutResponseHopLimit"]) == ("required", 1)
    (volume,) = [one["Ebs"] for one in launch["BlockDeviceMappings"]]
    assert (volume["Encrypted"], volume["VolumeType"], volume["VolumeSize"]) == (True, "gp3", wanted["volume_size_gib"])


def test_servers_launch_in_their_own_security_group_with_their_profile(
    name: str, wanted: Facts, launch: Facts, security_groups: Facts
) -> None:
    assert launch["SecurityGroupIds"] == [security_groups[f"{name}-server"]["GroupId"]]
    assert f"{name}-server" in str(launch["IamInstanceProfile"])
    assert launch["InstanceType"] == wanted["instance_type"]
    assert launch.get("KeyName", "") == (name if wanted["public_key"] else "")


def test_key_pair_is_the_operators(name: str, wanted: Facts) -> None:
    found = boto3.client("ec2").describe_key_pairs(
        Filters=[{"Name": "key-name", "Values": [name]}], IncludePublicKey=True
    )["KeyPairs"]
    assert [one["PublicKey"].split()[1] for one in found] == wanted["public_key"].split()[1:2]


def test_group_has_its_sizes_and_the_load_balancers_health_checks(
    wanted: Facts, group: Facts, target_group: Facts
) -> None:
    assert (group["MinSize"], group["MaxSize"]) == (wanted["min_size"], wanted["max_size"])
    assert group["TargetGroupARNs"] == [target_group["TargetGroupArn"]]
    checks = (group["HealthCheckType"], group["HealthCheckGracePeriod"])
    assert checks == ("ELB", wanted["health_check_grace_seconds"])


def test_servers_and_load_balancer_are_in_the_same_subnets(wanted: Facts, group: Facts, load_balancer: Facts) -> None:
    subnets = sorted(group["VPCZoneIdentifier"].split(","))
    assert sorted(zone["SubnetId"] for zone in load_balancer["AvailabilityZones"]) == subnets
    assert subnets == (sorted(wanted["subnet_ids"]) or subnets)


def test_servers_carry_the_tag_that_the_inventory_looks_for(wanted: Facts, group: Facts) -> None:
    at_launch = {tag["Key"]: tag["Value"] for tag in group["Tags"] if tag["PropagateAtLaunch"]}
    assert at_launch["goldfleet:role"] == "app_server"
    assert at_launch["goldfleet:group"] == wanted["group"]


def test_cpu_use_is_tracked_where_a_target_is_set(wanted: Facts) -> None:
    policies = boto3.client("autoscaling").describe_policies(AutoScalingGroupName=wanted["group"])["ScalingPolicies"]
    targets = [one["TargetTrackingConfiguration"]["TargetValue"] for one in policies]
    assert targets == ([wanted["cpu_target_percent"]] if wanted["cpu_target_percent"] else [])
