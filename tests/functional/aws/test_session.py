"""The session, found the way every AWS tool finds it, in an environment of the test's own."""

import os
import subprocess
import sys

import boto3
import pytest
from botocore.stub import Stubber

from goldfleet.aws.session import AwsSession, CallCounter

OPEN = """
from goldfleet.aws.session import open_session
from goldfleet.errors import GoldfleetError
try:
    session = open_session(*{arguments!r})
    client = session.ec2()
    print(session.region, session.profile, client.meta.endpoint_url, client.meta.config.retries["mode"])
    {more}
except GoldfleetError as error:
    print(type(error).__name__, error)
"""


def open_with(environment: dict[str, str], *arguments: str, more: str = "pass") -> str:
    isolated = {
        "PATH": os.environ["PATH"],
        "AWS_CONFIG_FILE": "/nowhere",
        "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    code = OPEN.format(arguments=arguments, more=more)
    ended = subprocess.run(
        [sys.executable, "-c", code], env={**isolated, **environment}, capture_output=True, text=True, check=True
    )
    return ended.stdout.strip()


def test_region_and_endpoint_come_from_the_environment() -> None:
    environment = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    assert open_with(environment) == "eu-west-1 default http://127.0.0.1:9 standard"


def test_missing_region_is_a_usage_error() -> None:
    assert open_with({}) == "UsageError No AWS region is set. Set one: --region, AWS_REGION, or the profile's region."


def test_unknown_profile_is_a_usage_error() -> None:
    assert open_with({}, "nobody").startswith("UsageError The config profile (nobody) could not be found.")


def test_missing_credentials_are_a_usage_error() -> None:
    told = open_with(
        {"AWS_DEFAULT_REGION": "eu-west-1"}, more="from goldfleet.aws.ec2 import Ec2; Ec2(client).key_pairs({})"
    )
    assert "UsageError No AWS credentials were found. Set a profile" in told


def test_endpoint_that_does_not_answer_is_an_aws_error() -> None:
    environment = {
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "y",
        "AWS_MAX_ATTEMPTS": "1",
    }
    told = open_with(environment, more="from goldfleet.aws.ec2 import Ec2; Ec2(client).key_pairs({})")
    assert "AwsError AWS could not be reached (DescribeKeyPairs)" in told
    assert "AWS_ENDPOINT_URL" in told


def test_calls_are_counted_by_operation(session: boto3.Session) -> None:
    counter = CallCounter()
    client = AwsSession(session, counter).ssm()
    with Stubber(client) as stubber:
        for _ in range(2):
            stubber.add_response("get_parameters", {"Parameters": []})
            client.get_parameters(Names=["/a"])
    assert counter.by_operation() == {"GetParameters": 2}
    assert counter.total == 2


@pytest.mark.parametrize("module", ["goldfleet.cli.app", "goldfleet.cli.bake", "goldfleet.cli.images"])
def test_command_line_does_not_import_boto3_before_it_is_needed(module: str) -> None:
    code = f"import sys, {module}\nprint([m for m in ('boto3', 'botocore', 'pydantic', 'rich', 'yaml') if m in sys.modules])"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"
