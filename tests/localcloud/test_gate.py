"""Who the local cloud answers, and that it never hands out an address outside its range."""

import ipaddress
import json
import re
import subprocess
import urllib.error
import urllib.request

import pytest

from tests.localcloud.conftest import BIN, Cloud

ADDRESS = re.compile(r"(?<![\d.])(\d{1,3}(?:\.\d{1,3}){3})(?![\d.])")


def ask(cloud: Cloud, headers: dict[str, str], method: str = "POST", path: str = "/") -> tuple[int, dict[str, str]]:
    """Send an unsigned request and return (status, headers)."""
    request = urllib.request.Request(  # noqa: S310  loopback
        cloud.env["AWS_ENDPOINT_URL"] + path, data=b"Action=DescribeInstances" if method == "POST" else None,
        headers=headers, method=method,
    )  # fmt: skip
    try:
        with urllib.request.urlopen(request) as answer:  # noqa: S310
            return answer.status, {key.lower(): value for key, value in answer.headers.items()}
    except urllib.error.HTTPError as error:
        return error.code, {key.lower(): value for key, value in error.headers.items()}


@pytest.mark.parametrize(
    ("headers", "method", "path"),
    [
        ({}, "POST", "/"),
        ({"Origin": "https://example.org"}, "POST", "/"),
        ({"Origin": "https://example.org", "Access-Control-Request-Method": "POST"}, "OPTIONS", "/"),
        ({"Host": "rebound.example.org"}, "POST", "/"),
        ({}, "POST", "/moto-api/reset"),
        ({}, "GET", "/moto-api/"),
        ({"Authorization": "AWS4-HMAC-SHA256 Credential=nonsense"}, "POST", "/"),
    ],
)
def test_unsigned_or_browsers_requests_are_refused_without_cors(
    cloud: Cloud, headers: dict[str, str], method: str, path: str
) -> None:
    status, answered = ask(cloud, headers, method, path)
    assert status == 403
    assert not [name for name in answered if name.startswith("access-control-")]


@pytest.mark.parametrize(
    ("service", "changed", "code"),
    [
        ("ec2", {"AWS_ACCESS_KEY_ID": "AKIAFOREIGNFOREIGN00"}, "AuthFailure"),
        ("sts", {"AWS_ACCESS_KEY_ID": "AKIAFOREIGNFOREIGN00"}, "InvalidClientTokenId"),
        ("ssm", {"AWS_SECRET_ACCESS_KEY": "wrong" * 8}, "SignatureDoesNotMatch"),
        ("s3api", {"AWS_SECRET_ACCESS_KEY": "wrong" * 8}, "SignatureDoesNotMatch"),
    ],
)
def test_foreign_key_or_wrong_secret_is_refused_in_the_services_own_words(
    cloud: Cloud, service: str, changed: dict[str, str], code: str
) -> None:
    action = {
        "ec2": "describe-instances", "sts": "get-caller-identity", "ssm": "describe-parameters", "s3api": "list-buckets",
    }[service]  # fmt: skip
    done = subprocess.run(
        [str(BIN / "aws"), service, action], env=cloud.env | changed, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert code in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["ec2", "allocate-address"],
        ["ec2", "create-nat-gateway", "--subnet-id", "subnet-1"],
        ["lambda", "list-functions"],
        ["ec2", "describe-instances", "--region", "eu-west-1"],
    ],
)
def test_what_cannot_be_answered_truthfully_is_refused(cloud: Cloud, arguments: list[str]) -> None:
    error = cloud.aws_refused(*arguments)
    assert "UnsupportedOperation" in error or "OptInRequired" in error


def test_no_answer_holds_an_address_outside_the_range(cloud: Cloud) -> None:
    cloud.terminate(*cloud.launch())
    network = ipaddress.ip_network(json.loads((cloud.state / "cloud.json").read_text())["cidr"])
    allowed = [network, *map(ipaddress.ip_network, ("0.0.0.0/32", "127.0.0.0/8", "169.254.169.254/32"))]
    seen = 0
    for action in ("instances", "network-interfaces", "subnets", "vpcs", "addresses", "security-groups", "volumes",
                   "images", "route-tables", "network-acls", "dhcp-options", "internet-gateways", "nat-gateways"):  # fmt: skip
        text = json.dumps(cloud.aws("ec2", f"describe-{action}"))
        for address in map(ipaddress.ip_address, ADDRESS.findall(text)):
            seen += 1
            assert any(address in block for block in allowed), f"describe-{action} holds {address}"
    assert seen > 10


def test_calls_are_recorded_with_service_action_and_caller(cloud: Cloud) -> None:
    cloud.aws("sts", "get-caller-identity")
    calls = [json.loads(line) for line in (cloud.state / "calls.jsonl").read_text().splitlines()]
    last = [call for call in calls if call["action"] == "GetCallerIdentity"][-1]
    assert (last["service"], last["status"], last["caller"]) == ("sts", 200, cloud.env["AWS_ACCESS_KEY_ID"])
