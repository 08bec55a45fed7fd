"""The playbooks foundation.yml and foundation_teardown.yml: built once, unchanged by a second run, gone without a trace.

The tests stand in the order of a fleet's life. What each part must look like is in tests/foundation, which is run here too.
"""

import json
import re
import subprocess
from typing import Any

import boto3
import pytest

from tests.localcloud.conftest import BIN, ROOT, Cloud

RECAP = re.compile(r"^localhost\s+: ok=\d+\s+changed=(\d+)\s+unreachable=0\s+failed=(\d+)", re.MULTILINE)
BUILD, TEARDOWN = "playbooks/foundation.yml", "playbooks/foundation_teardown.yml"
GROUP, LEGACY = "web", "legacy"
# The base AMI serves nothing: with a short grace period its servers would be replaced under the tests.
SETTINGS = {
    "aws_foundation_min_size": 1, "aws_foundation_desired_capacity": 1, "aws_foundation_max_size": 4,
    "aws_foundation_health_check_grace_seconds": 7200,
}  # fmt: skip
PLAY_SECONDS = 600


def play(cloud: Cloud, playbook: str, *options: str, **variables: object) -> tuple[int, int, str]:
    """Run a playbook and return how many tasks changed, how many failed, and what it printed."""
    given = {**(SETTINGS if playbook == BUILD else {}), "aws_foundation_group": GROUP, **variables}
    command = [str(BIN / "ansible-playbook"), playbook, "-e", json.dumps(given), *options]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env=cloud.env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PLAY_SECONDS,
        check=False,
    )
    recap = RECAP.search(done.stdout)
    assert recap, done.stdout[-3000:] + done.stderr[-3000:]
    return int(recap[1]), int(recap[2]), done.stdout + done.stderr


def build(cloud: Cloud, *options: str, **variables: object) -> int:
    """Run foundation.yml, which must succeed, and return how many tasks changed something."""
    changed, failed, said = play(cloud, BUILD, *options, **variables)
    assert failed == 0, said[-4000:]
    return changed


def client(cloud: Cloud, service: str, key: dict[str, Any] | None = None) -> Any:
    """Return a boto3 client of the cloud, with the operator's key unless the credentials of a role are given."""
    key_id, secret = cloud.env["AWS_ACCESS_KEY_ID"], cloud.env["AWS_SECRET_ACCESS_KEY"]
    key = key or {"AccessKeyId": key_id, "SecretAccessKey": secret, "SessionToken": None}
    make: Any = boto3.client
    return make(
        service, region_name=cloud.env["AWS_REGION"], endpoint_url=cloud.env["AWS_ENDPOINT_URL"],
        aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"],
        aws_session_token=key["SessionToken"],
    )  # fmt: skip


def group_of(cloud: Cloud, name: str = GROUP) -> dict[str, Any]:
    """Return an Auto Scaling group as AWS describes it."""
    (found,) = client(cloud, "autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[name])[
        "AutoScalingGroups"
    ]
    return dict(found)


def inventory_of_account(cloud: Cloud) -> dict[str, list[str]]:
    """Return the names or ids of everything that a foundation could leave behind."""
    ec2, autoscaling = client(cloud, "ec2"), client(cloud, "autoscaling")
    iam, elbv2 = client(cloud, "iam"), client(cloud, "elbv2")
    states = [{"Name": "instance-state-name", "Values": ["pending", "running", "stopping", "stopped", "shutting-down"]}]
    reservations = ec2.describe_instances(Filters=states)["Reservations"]
    interfaces = ec2.describe_network_interfaces()["NetworkInterfaces"]
    configurations = autoscaling.describe_launch_configurations()["LaunchConfigurations"]
    found = {
        "instances": [one["InstanceId"] for every in reservations for one in every["Instances"]],
        "groups": [
            one["AutoScalingGroupName"] for one in autoscaling.describe_auto_scaling_groups()["AutoScalingGroups"]
        ],
        "configurations": [one["LaunchConfigurationName"] for one in configurations],
        "policies": [one["PolicyName"] for one in autoscaling.describe_policies()["ScalingPolicies"]],
        "templates": [one["LaunchTemplateId"] for one in ec2.describe_launch_templates()["LaunchTemplates"]],
        "security groups": [one["GroupId"] for one in ec2.describe_security_groups()["SecurityGroups"]],
        "network interfaces": [one["NetworkInterfaceId"] for one in interfaces],
        "key pairs": [one["KeyName"] for one in ec2.describe_key_pairs()["KeyPairs"]],
        "load balancers": [one["LoadBalancerArn"] for one in elbv2.describe_load_balancers()["LoadBalancers"]],
        "target groups": [one["TargetGroupArn"] for one in elbv2.describe_target_groups()["TargetGroups"]],
        "roles": [one["RoleName"] for one in iam.list_roles()["Roles"]],
        "profiles": [one["InstanceProfileName"] for one in iam.list_instance_profiles()["InstanceProfiles"]],
    }
    return {kind: sorted(names) for kind, names in found.items()}


@pytest.fixture(scope="module")
def image_id(cloud: Cloud) -> str:
    """The base AMI, published as the current image `app`."""
    image_id = cloud.base_image()
    client(cloud, "ssm").put_parameter(
        Name="/goldfleet/images/app/current", Value=image_id, Type="String", Overwrite=True
    )
    return image_id


@pytest.fixture(scope="module")
def before(cloud: Cloud, image_id: str) -> dict[str, list[str]]:
    """The account before the first playbook."""
    return inventory_of_account(cloud)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("aws_foundation_group", "Web_1"),
        ("aws_foundation_min_size", 9),
        ("aws_foundation_ssh_source_cidrs", ["0.0.0.0/0"]),
        ("aws_foundation_health_check_timeout_seconds", 5),
        ("aws_foundation_image_id", "ami-0123456789abcdef0"),
        ("aws_foundation_subnet_ids", ["subnet-0123456789abcdef0"]),
        ("aws_foundation_launch_kind", "magic"),
    ],
)
def test_bad_value_is_refused_by_name_before_the_first_change(
    cloud: Cloud, before: dict[str, list[str]], variable: str, value: object
) -> None:
    changed, failed, said = play(cloud, BUILD, **{variable: value})
    assert (changed, failed) == (0, 1)
    assert variable in said
    assert inventory_of_account(cloud) == before


def test_image_that_was_never_baked_is_refused_with_the_way_to_bake_it(cloud: Cloud, before: object) -> None:
    changed, failed, said = play(cloud, BUILD, aws_foundation_image="shop")
    assert (changed, failed) == (0, 1)
    assert "goldfleet bake shop" in " ".join(said.split())


def test_preview_of_an_empty_account_says_what_would_be_made_and_makes_nothing(
    cloud: Cloud, before: dict[str, list[str]]
) -> None:
    changed, failed, said = play(cloud, BUILD, "--check")
    assert failed == 0, said[-4000:]
    assert changed > 0
    assert "the Auto Scaling group web with 1 servers" in " ".join(said.split())
    assert inventory_of_account(cloud) == before


def test_foundation_is_what_its_specs_say(cloud: Cloud, before: object, image_id: str) -> None:
    assert build(cloud) > 0
    variables = cloud.folder / "foundation.json"
    variables.write_text(json.dumps(SETTINGS))
    specs = [str(BIN / "pytest"), "-q", "--override-ini=addopts=", "-p", "no:cacheprovider", "tests/foundation"]
    env = cloud.env | {"GOLDFLEET_VARIABLES_FILE": str(variables)}
    done = subprocess.run(specs, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:]
    assert {one["ImageId"] for one in fleet(cloud)} == {image_id}


def fleet(cloud: Cloud) -> list[dict[str, Any]]:
    """Return the group's instances as EC2 describes them."""
    return [cloud.instance(one["InstanceId"]) for one in group_of(cloud)["Instances"]]


@pytest.mark.parametrize("options", [[], ["--check"]], ids=["run", "preview"])
def test_second_run_changes_nothing(cloud: Cloud, options: list[str]) -> None:
    assert build(cloud, *options) == 0


def test_servers_are_in_the_inventory(cloud: Cloud) -> None:
    listed = json.loads(cloud.run(str(BIN / "ansible-inventory"), "-i", "inventory/aws_ec2.yml", "--list").stdout)
    assert {one["InstanceId"] for one in fleet(cloud)} <= set(listed["app_servers"]["hosts"])


def test_servers_may_read_their_own_parameters_and_no_others(cloud: Cloud) -> None:
    ssm, sts = client(cloud, "ssm"), client(cloud, "sts")
    ssm.put_parameter(Name="/goldfleet/production/web/colour", Value="green", Type="String")
    role = client(cloud, "iam").get_role(RoleName="goldfleet-web-server")["Role"]["Arn"]
    key = sts.assume_role(RoleArn=role, RoleSessionName="server")["Credentials"]
    server = client(cloud, "ssm", key)
    assert server.get_parameter(Name="/goldfleet/production/web/colour")["Parameter"]["Value"] == "green"
    with pytest.raises(server.exceptions.ClientError, match="AccessDenied"):
        server.get_parameter(Name="/goldfleet/images/app/current")
    ssm.delete_parameter(Name="/goldfleet/production/web/colour")


def test_what_a_roll_and_scaling_set_stays(cloud: Cloud) -> None:
    autoscaling = client(cloud, "autoscaling")
    rolled = client(cloud, "ec2").create_launch_template_version(
        LaunchTemplateName="goldfleet-web", SourceVersion="1", VersionDescription="as a roll makes one",
        LaunchTemplateData={"ImageId": cloud.base_image()},
    )["LaunchTemplateVersion"]["VersionNumber"]  # fmt: skip
    template = {"LaunchTemplateName": "goldfleet-web", "Version": str(rolled)}
    autoscaling.update_auto_scaling_group(AutoScalingGroupName=GROUP, LaunchTemplate=template)
    autoscaling.set_desired_capacity(AutoScalingGroupName=GROUP, DesiredCapacity=2)
    autoscaling.create_or_update_tags(Tags=[roll_tag("goldfleet:previous")])
    assert build(cloud) == 0
    after = group_of(cloud)
    assert (after["LaunchTemplate"]["Version"], after["DesiredCapacity"]) == (str(rolled), 2)


def roll_tag(key: str) -> dict[str, Any]:
    """Return a tag as a roll sets them on the group."""
    return {
        "ResourceId": GROUP, "ResourceType": "auto-scaling-group", "Key": key, "Value": "x", "PropagateAtLaunch": False,
    }  # fmt: skip


def test_other_settings_wait_in_a_version_with_the_running_image(cloud: Cloud) -> None:
    in_force = group_of(cloud)["LaunchTemplate"]["Version"]
    image = "ami-0123456789abcdef0"
    other = {"aws_foundation_instance_type": "t3.medium", "aws_foundation_image_id": image}
    changed, failed, said = play(cloud, BUILD, **other)
    assert (changed, failed) == (1, 0), said[-4000:]
    assert "has other settings and waits" in " ".join(said.split())
    versions = client(cloud, "ec2").describe_launch_template_versions(
        LaunchTemplateName="goldfleet-web", Versions=["$Latest"]
    )["LaunchTemplateVersions"]
    seen = [(one["LaunchTemplateData"]["InstanceType"], one["LaunchTemplateData"]["ImageId"]) for one in versions]
    assert seen == [("t3.medium", fleet(cloud)[0]["ImageId"])]
    assert group_of(cloud)["LaunchTemplate"]["Version"] == in_force
    assert build(cloud, **other) == 0


def test_changed_sizes_leave_capacity_suspensions_and_version_alone(cloud: Cloud) -> None:
    client(cloud, "autoscaling").suspend_processes(AutoScalingGroupName=GROUP, ScalingProcesses=["AZRebalance"])
    before = group_of(cloud)
    changed = build(cloud, aws_foundation_max_size=5, aws_foundation_desired_capacity=3,
                    aws_foundation_instance_type="t3.medium")  # fmt: skip
    after = group_of(cloud)
    assert (changed, after["MaxSize"], after["DesiredCapacity"]) == (1, 5, 2)
    assert after["LaunchTemplate"] == before["LaunchTemplate"]
    assert [one["ProcessName"] for one in after["SuspendedProcesses"]] == ["AZRebalance"]
    assert {tag["Key"] for tag in after["Tags"]} == {tag["Key"] for tag in before["Tags"]}


def test_changed_health_check_keeps_the_targets(cloud: Cloud) -> None:
    elbv2 = client(cloud, "elbv2")
    arn = group_of(cloud)["TargetGroupARNs"][0]
    targets = {
        one["Target"]["Id"] for one in elbv2.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    }
    settings = {"aws_foundation_max_size": 5, "aws_foundation_instance_type": "t3.medium"}
    assert build(cloud, aws_foundation_unhealthy_threshold=3, **settings) == 1
    after = elbv2.describe_target_health(TargetGroupArn=arn)["TargetHealthDescriptions"]
    draining = [one["Target"]["Id"] for one in after if one["TargetHealth"]["State"] == "draining"]
    assert targets
    assert draining == []


def test_group_in_a_roll_is_refused_and_stays_as_it_is(cloud: Cloud) -> None:
    autoscaling = client(cloud, "autoscaling")
    autoscaling.create_or_update_tags(Tags=[roll_tag("goldfleet:roll:id")])
    changed, failed, said = play(cloud, BUILD, aws_foundation_max_size=6)
    assert (changed, failed) == (0, 1)
    assert "goldfleet roll status web" in " ".join(said.split())
    autoscaling.delete_tags(Tags=[roll_tag("goldfleet:roll:id")])


def test_group_of_somebody_else_is_refused_by_both_playbooks(cloud: Cloud) -> None:
    autoscaling = client(cloud, "autoscaling")
    template = {"LaunchTemplateName": "goldfleet-web", "Version": "1"}
    autoscaling.create_auto_scaling_group(
        AutoScalingGroupName="theirs", MinSize=0, MaxSize=1, LaunchTemplate=template, AvailabilityZones=["us-east-1a"]
    )
    for playbook in (BUILD, TEARDOWN):
        changed, failed, said = play(cloud, playbook, aws_foundation_group="theirs")
        assert (changed, failed) == (0, 1), said[-2000:]
    autoscaling.delete_auto_scaling_group(AutoScalingGroupName="theirs", ForceDelete=True)


def test_launch_configurations_instead_of_a_template_are_not_changed_either(cloud: Cloud) -> None:
    kind = {"aws_foundation_group": LEGACY, "aws_foundation_launch_kind": "configuration"}
    assert build(cloud, **kind) > 0
    in_force = group_of(cloud, LEGACY)["LaunchConfigurationName"]
    assert build(cloud, **kind) == 0
    assert build(cloud, aws_foundation_instance_type="t3.medium", **kind) == 1
    assert group_of(cloud, LEGACY)["LaunchConfigurationName"] == in_force


def test_preview_of_a_teardown_removes_nothing(cloud: Cloud) -> None:
    built = inventory_of_account(cloud)
    assert built["network interfaces"]
    changed, failed, said = play(cloud, TEARDOWN, "--check")
    assert failed == 0, said[-4000:]
    assert changed > 0
    assert inventory_of_account(cloud) == built


def test_teardown_leaves_the_account_as_it_was(cloud: Cloud, before: dict[str, list[str]]) -> None:
    for group in (GROUP, LEGACY):
        changed, failed, said = play(cloud, TEARDOWN, aws_foundation_group=group)
        assert failed == 0, said[-4000:]
        assert changed > 0
    assert inventory_of_account(cloud) == before


@pytest.mark.parametrize("options", [[], ["--check"]], ids=["run", "preview"])
def test_second_teardown_changes_nothing(cloud: Cloud, options: list[str]) -> None:
    changed, failed, _ = play(cloud, TEARDOWN, *options)
    assert (changed, failed) == (0, 0)


def test_teardown_without_a_group_is_refused(cloud: Cloud) -> None:
    done = cloud.run(str(BIN / "ansible-playbook"), TEARDOWN, check=False)
    assert done.returncode != 0
    assert "aws_foundation_group" in done.stdout + done.stderr
