"""Clients that can reach nothing, for botocore's Stubber; made once, since a client takes half a second."""

from typing import TYPE_CHECKING

import boto3
import pytest

if TYPE_CHECKING:
    from mypy_boto3_autoscaling import AutoScalingClient
    from mypy_boto3_ec2 import EC2Client
    from mypy_boto3_elbv2 import ElasticLoadBalancingv2Client
    from mypy_boto3_ssm import SSMClient


@pytest.fixture(scope="package")
def session() -> boto3.Session:
    return boto3.Session("AKIDEXAMPLE", "secret", region_name="us-east-1")


@pytest.fixture(scope="package")
def ec2_client(session: boto3.Session) -> "EC2Client":
    return session.client("ec2")


@pytest.fixture(scope="package")
def ssm_client(session: boto3.Session) -> "SSMClient":
    return session.client("ssm")


@pytest.fixture(scope="package")
def autoscaling_client(session: boto3.Session) -> "AutoScalingClient":
    return session.client("autoscaling")


@pytest.fixture(scope="package")
def elbv2_client(session: boto3.Session) -> "ElasticLoadBalancingv2Client":
    return session.client("elbv2")
