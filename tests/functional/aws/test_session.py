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
    {before}
    session = open_session(*{arguments!r})
    client = session.ec2()
    print(session.region, session.profile, client.meta.endpoint_url, client.meta.config.retries["mode"])
    {more}
except GoldfleetError as error:
    print(type(error).__name__, error)
"""


def open_with(environment: dict[str, str], *arguments: str | None, before: str = "pass", more: str = "pass") -> str:
    isolated = {
        "PATH": os.environ["PATH"],
        "AWS_CONFIG_FILE": "/nowhere",
        "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
        "AWS_EC2_METADATA_DISABLED": "true",
    }
    code = OPEN.format(arguments=arguments, before=before, more=more)
    ended = subprocess.run(
        [sys.executable, "-c", code], env={**isolated, **environment}, capture_output=True, text=True, check=True
    )
    return ended.stdout.strip()


def test_region_and_endpoint_come_from_the_environment() -> None:
    environment = {"AWS_DEFAULT_REGION": "eu-west-1", "AWS_ENDPOINT_URL": "http://127.0.0.1:9"}
    assert open_with(environment) == "eu-west-1 default http://127.0.0.1:9 standard"


def test_region_is_found_in_aws_region_alone() -> None:
    assert open_with({"AWS_REGION": "eu-west-3"}).startswith("eu-west-3 default https://ec2.eu-west-3.amazonaws.com")


@pytest.mark.parametrize(
    ("arguments", "region"), [((None, "eu-west-1"), "eu-west-1"), ((), "eu-west-2")], ids=["argument", "environment"]
)
def test_region_asked_for_comes_before_aws_region_and_that_before_boto3s_own(
    arguments: tuple[str | None, ...], region: str
) -> None:
    environment = {"AWS_REGION": "eu-west-2", "AWS_DEFAULT_REGION": "eu-west-3"}
    assert open_with(environment, *arguments).split()[0] == region


def test_empty_aws_region_does_not_hide_boto3s_own() -> None:
    assert open_with({"AWS_REGION": "", "AWS_DEFAULT_REGION": "eu-west-3"}).split()[0] == "eu-west-3"


@pytest.mark.parametrize("service", ["ec2", "ssm", "sts"])
@pytest.mark.parametrize(
    ("environment", "told"),
    [
        (
            {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE"},
            "UsageError The AWS credentials are incomplete: Partial credentials found in env, missing: "
            "AWS_SECRET_ACCESS_KEY. Set what is missing",
        ),
        (
            {"AWS_ENDPOINT_URL": "nonsense"},
            "UsageError The settings for AWS cannot be used: Invalid endpoint: nonsense.",
        ),
        ({"AWS_ENDPOINT_URL": "http://[x"}, "UsageError The settings for AWS cannot be used: Invalid IPv6 URL."),
        ({"AWS_MAX_ATTEMPTS": "many"}, "UsageError The settings for AWS cannot be used: invalid literal"),
        ({"AWS_REGION": "us_east!"}, "UsageError The AWS region is wrong: Provided region_name 'us_east!'"),
    ],
    ids=["half a key", "endpoint", "address", "attempts", "region"],
)
def test_wrong_settings_are_usage_errors_of_every_client(environment: dict[str, str], told: str, service: str) -> None:
    code = f"from goldfleet.aws.session import open_session as o\n    o().{service}()"
    assert open_with({"AWS_REGION": "eu-west-1", **environment}, before=code).startswith(told)


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


@pytest.mark.parametrize(
    ("environment", "attempts"), [({}, "6"), ({"AWS_MAX_ATTEMPTS": "2"}, "2")], ids=["ours", "the user's"]
)
def test_calls_are_tried_more_often_than_boto3_does_unless_the_user_says_how_often(
    environment: dict[str, str], attempts: str
) -> None:
    more = 'print(client.meta.config.retries["total_max_attempts"])'
    assert open_with({"AWS_REGION": "eu-west-3", **environment}, more=more).splitlines()[-1] == attempts
