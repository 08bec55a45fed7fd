"""What the specs of a foundation share: what is WANTED (variables) and what is SEEN in the account, looked up once.

WANTED comes from the role's defaults, overlaid with the JSON file that the environment variable GOLDFLEET_VARIABLES_FILE
names; SEEN comes from AWS, found the standard way. Nothing here changes anything.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import boto3
import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]
PREFIX = "aws_foundation_"


@pytest.fixture(scope="session")
def wanted() -> dict[str, Any]:
    """The role's variables without their prefix."""
    variables = yaml.safe_load((PROJECT / "roles/aws_foundation/defaults/main.yml").read_text(encoding="utf-8"))
    overlay = os.environ.get("GOLDFLEET_VARIABLES_FILE")
    if overlay:
        variables.update(json.loads(Path(overlay).read_text(encoding="utf-8")))
    return {name.removeprefix(PREFIX): value for name, value in variables.items() if name.startswith(PREFIX)}


@pytest.fixture(scope="session")
def name(wanted: dict[str, Any]) -> str:
    """What everything is named after."""
    return f"goldfleet-{wanted['group']}"


@pytest.fixture(scope="session")
def group(wanted: dict[str, Any]) -> dict[str, Any]:
    """The Auto Scaling group."""
    (found,) = boto3.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[wanted["group"]])[
        "AutoScalingGroups"
    ]
    return dict(found)


@pytest.fixture(scope="session")
def launch(wanted: dict[str, Any], group: dict[str, Any]) -> dict[str, Any]:
    """What the group launches from, in the words of a launch template."""
    if wanted["launch_kind"] == "template":
        named = group["LaunchTemplate"]
        (version,) = boto3.client("ec2").describe_launch_template_versions(
            LaunchTemplateId=named["LaunchTemplateId"], Versions=[named["Version"]]
        )["LaunchTemplateVersions"]
        return dict(version["LaunchTemplateData"])
    (found,) = boto3.client("autoscaling").describe_launch_configurations(
        LaunchConfigurationNames=[group["LaunchConfigurationName"]]
    )["LaunchConfigurations"]
    return {**found, "SecurityGroupIds": found["SecurityGroups"]}


@pytest.fixture(scope="session")
def security_groups(name: str) -> dict[str, dict[str, Any]]:
    """The security groups by name."""
    found = boto3.client("ec2").describe_security_groups(
        Filters=[{"Name": "group-name", "Values": [f"{name}-alb", f"{name}-server"]}]
    )["SecurityGroups"]
    return {one["GroupName"]: dict(one) for one in found}


@pytest.fixture(scope="session")
def target_group(name: str) -> dict[str, Any]:
    """The target group, with its attributes."""
    client = boto3.client("elbv2")
    (found,) = client.describe_target_groups(Names=[name])["TargetGroups"]
    attributes = client.describe_target_group_attributes(TargetGroupArn=found["TargetGroupArn"])["Attributes"]
    return {**found, **{one["Key"]: one["Value"] for one in attributes}}


@pytest.fixture(scope="session")
def load_balancer(name: str) -> dict[str, Any]:
    """The load balancer."""
    (found,) = boto3.client("elbv2").describe_load_balancers(Names=[name])["LoadBalancers"]
    return dict(found)


@pytest.fixture(scope="session")
def listeners(load_balancer: dict[str, Any]) -> dict[int, dict[str, Any]]:
    """The load balancer's listeners by port."""
    found = boto3.client("elbv2").describe_listeners(LoadBalancerArn=load_balancer["LoadBalancerArn"])["Listeners"]
    return {one["Port"]: dict(one) for one in found}


@pytest.fixture(scope="session")
def statements(name: str) -> dict[str, dict[str, Any]]:
    """The statements of the servers' own policy, by their ids."""
    policy: Any = boto3.client("iam").get_role_policy(RoleName=f"{name}-server", PolicyName=name)["PolicyDocument"]
    return {one["Sid"]: one for one in policy["Statement"]}
