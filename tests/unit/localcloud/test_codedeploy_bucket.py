"""AWS's CodeDeploy buckets: which requests are about them, who may read, and what stands behind for everything else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import pytest

from goldfleet.localcloud.codedeploy.bucket import CodeDeployBuckets, Place, find_place, is_public, objects
from goldfleet.localcloud.gate import ANONYMOUS

HOST = "aws-codedeploy-us-east-1.s3.us-east-1.amazonaws.com"
INSTALLER = Place("aws-codedeploy-us-east-1", "latest/install")
PACKAGE = "releases/codedeploy-agent_1.8.1-local2_all.deb"


def behind(_environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Stand for moto."""
    start_response("200 OK", [])
    return [b"moto"]


def ask(
    method: str, path: str, caller: str = ANONYMOUS, *, may: bool = True, host: str = HOST
) -> tuple[str, dict[str, str], bytes]:
    """Ask the buckets; return (status, headers, body)."""
    answered: list[tuple[str, dict[str, str]]] = []
    environ = {"HTTP_HOST": host, "PATH_INFO": path, "REQUEST_METHOD": method, "goldfleet.caller": caller}
    application = CodeDeployBuckets(behind, lambda _caller, action, _arn: may and action == "s3:GetObject")
    body = b"".join(application(environ, lambda status, headers: answered.append((status, dict(headers)))))
    return (*answered[0], body)


@pytest.mark.parametrize(
    ("host", "path", "place"),
    [
        (HOST, "/latest/install", INSTALLER),
        (HOST.upper(), "/latest/install", INSTALLER),
        ("aws-codedeploy-us-east-1.s3.amazonaws.com", "/latest/install", INSTALLER),
        ("aws-codedeploy-us-east-1.s3.dualstack.us-east-1.amazonaws.com", "/latest/install", INSTALLER),
        ("s3.us-east-1.amazonaws.com", "/aws-codedeploy-us-east-1/latest/install", INSTALLER),
        ("s3.amazonaws.com", "/aws-codedeploy-us-east-1/latest/install", INSTALLER),
        ("127.0.0.1", "/aws-codedeploy-us-east-1/latest%2Finstall", INSTALLER),
        (HOST, "/", Place("aws-codedeploy-us-east-1", "")),
        ("127.0.0.1", "/aws-codedeploy-us-east-1", Place("aws-codedeploy-us-east-1", "")),
        ("my-bucket.s3.us-east-1.amazonaws.com", "/aws-codedeploy-us-east-1/latest/install", None),
        ("aws-codedeploy-nowhere-1.s3.nowhere-1.amazonaws.com", "/latest/install", None),
        ("aws-codedeploy-us-east-1.s3.us-east-1.amazonaws.com.example.org", "/latest/install", None),
        ("ec2.us-east-1.amazonaws.com", "/aws-codedeploy-us-east-1/latest/install", None),
        ("127.0.0.1", "/my-bucket/aws-codedeploy-us-east-1", None),
    ],
)
def test_request_is_about_the_bucket_in_either_style_and_about_no_other(
    host: str, path: str, place: Place | None
) -> None:
    assert find_place(host, path) == place


@pytest.mark.parametrize(
    ("method", "host", "path", "public"),
    [
        ("GET", HOST, "/latest/install", True),
        ("HEAD", HOST, "/latest/install", True),
        ("PUT", HOST, "/latest/install", False),
        ("DELETE", HOST, "/latest/install", False),
        ("POST", HOST, "/latest/install", False),
        ("GET", HOST, "/", False),
        ("GET", "my-bucket.s3.us-east-1.amazonaws.com", "/latest/install", False),
        ("GET", "127.0.0.1", "/my-bucket/latest/install", False),
        ("GET", "127.0.0.1", "/", False),
    ],
)
def test_only_reading_an_object_needs_no_signature(method: str, host: str, path: str, public: bool) -> None:
    assert is_public(method, host, path) is public


@pytest.mark.parametrize("key", ["latest/install", "latest/LATEST_VERSION", "latestv2/install", PACKAGE])
def test_object_is_read_with_its_length_and_hash(key: str) -> None:
    status, headers, body = ask("GET", f"/{key}")
    assert (status, body) == ("200 OK", objects()[key])
    assert headers["Content-Length"] == str(len(body))
    assert headers["ETag"] == f'"{hashlib.md5(body, usedforsecurity=False).hexdigest()}"'


def test_head_has_the_length_and_no_body() -> None:
    status, headers, body = ask("HEAD", f"/{PACKAGE}")
    assert (status, headers["Content-Length"], body) == ("200 OK", str(len(objects()[PACKAGE])), b"")


def test_latest_version_names_a_package_that_is_there() -> None:
    assert json.loads(objects()["latest/LATEST_VERSION"])["deb"] in objects()


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/latest/missing"), ("GET", "/"), ("PUT", "/latest/install"), ("DELETE", "/x")]
)
def test_everything_else_is_denied_as_s3_denies_it(method: str, path: str) -> None:
    status, _, body = ask(method, path)
    assert status == "403 Forbidden"
    assert b"<Code>AccessDenied</Code>" in body


@pytest.mark.parametrize(("may", "status"), [(True, "200 OK"), (False, "403 Forbidden")])
def test_signed_request_needs_its_roles_permission(may: bool, status: str) -> None:
    assert ask("GET", "/latest/install", "ASIAEXAMPLE", may=may)[0] == status


def test_other_bucket_is_motos() -> None:
    assert ask("GET", "/latest/install", host="my-bucket.s3.us-east-1.amazonaws.com")[2] == b"moto"
