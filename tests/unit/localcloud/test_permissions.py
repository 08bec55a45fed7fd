"""IAM's evaluation of identity policies."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfleet.localcloud.permissions import is_allowed, resources_of, statements_of


def allow(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": action, "Resource": resource, **more}


def deny(action: str, resource: str = "*") -> dict[str, Any]:
    return {"Effect": "Deny", "Action": action, "Resource": resource}


@pytest.mark.parametrize(
    ("statements", "action", "resource", "allowed"),
    [
        ([], "s3:GetObject", None, False),
        ([], "sts:GetCallerIdentity", None, True),
        ([allow("s3:GetObject")], "s3:GetObject", "arn:aws:s3:::b/k", True),
        ([allow("s3:Get*")], "s3:GetObject", "arn:aws:s3:::b/k", True),
        ([allow("S3:getobject")], "s3:GetObject", "arn:aws:s3:::b/k", True),
        ([allow("s3:GetObject", "arn:aws:s3:::b/app/*")], "s3:GetObject", "arn:aws:s3:::b/app/x/y", True),
        ([allow("s3:GetObject", "arn:aws:s3:::b/app/*")], "s3:GetObject", "arn:aws:s3:::b/other", False),
        ([allow("s3:GetObject", ["arn:x", "arn:aws:s3:::b/?"])], "s3:GetObject", "arn:aws:s3:::b/k", True),
        (
            [allow("s3:*"), deny("s3:GetObject", "arn:aws:s3:::b/secret")],
            "s3:GetObject",
            "arn:aws:s3:::b/secret",
            False,
        ),
        ([deny("s3:GetObject"), allow("s3:*")], "s3:GetObject", "arn:aws:s3:::b/k", False),
        ([allow("s3:GetObject", Condition={"Bool": {"x": "true"}})], "s3:GetObject", "arn:aws:s3:::b/k", False),
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], "iam:ListUsers", None, False),
        ([{"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"}], "ec2:RunInstances", None, True),
        ([{"Effect": "Allow", "Action": "ssm:*", "NotResource": "arn:a*"}], "ssm:GetParameter", "arn:aws", False),
    ],
)
def test_evaluation(statements: list[dict[str, Any]], action: str, resource: str | None, allowed: bool) -> None:
    assert is_allowed(statements, action, resource) is allowed


@given(st.lists(st.sampled_from([allow("a:*"), allow("a:B"), deny("a:C"), allow("x:*")]), max_size=5))
def test_an_explicit_deny_always_wins(statements: list[dict[str, Any]]) -> None:
    assert not is_allowed([*statements, deny("a:B")], "a:B", None)


@pytest.mark.parametrize(
    ("service", "parameters", "resources"),
    [
        ("ssm", {"Name": "/a/b"}, ["arn:aws:ssm:us-east-1:123456789012:parameter/a/b"]),
        ("ssm", {"Path": "/a"}, ["arn:aws:ssm:us-east-1:123456789012:parameter/a"]),
        ("ssm", {"Names": ["x", "/y"]}, [f"arn:aws:ssm:us-east-1:123456789012:parameter/{name}" for name in "xy"]),
        ("ssm", {}, [None]),
        (
            "ssm",
            {"DocumentName": "AWS-RunShellScript", "InstanceIds": ["i-1", "i-2"]},
            [
                "arn:aws:ssm:us-east-1::document/AWS-RunShellScript",
                "arn:aws:ec2:us-east-1:123456789012:instance/i-1",
                "arn:aws:ec2:us-east-1:123456789012:instance/i-2",
            ],
        ),
        (
            "ssm",
            {"DocumentName": "arn:aws:ssm:us-east-1::document/AWS-RunShellScript", "Targets": [{"Key": "tag:a"}]},
            [
                "arn:aws:ssm:us-east-1::document/AWS-RunShellScript",
                "arn:aws:ec2:us-east-1:123456789012:instance/*",
            ],
        ),
        ("secretsmanager", {"SecretId": "a/b"}, ["arn:aws:secretsmanager:us-east-1:123456789012:secret:a/b-chosen"]),
        (
            "secretsmanager",
            {"SecretId": "arn:aws:secretsmanager:x:1:secret:a-AbCdEf"},
            ["arn:aws:secretsmanager:x:1:secret:a-AbCdEf"],
        ),
        ("secretsmanager", {"Name": "new"}, [None]),
        ("ec2", {"Name": "/a"}, [None]),
    ],
)
def test_resources_of_a_request(service: str, parameters: dict[str, Any], resources: list[str | None]) -> None:
    assert resources_of(service, "us-east-1", parameters) == resources


@pytest.mark.parametrize("pattern", ["secret:app/*", "secret:app/db-??????", "secret:app/db*"])
def test_policies_of_secrets_match_a_secret_asked_for_by_name(pattern: str) -> None:
    (arn,) = resources_of("secretsmanager", "us-east-1", {"SecretId": "app/db"})
    statements = [allow("secretsmanager:GetSecretValue", f"arn:aws:secretsmanager:*:123456789012:{pattern}")]
    assert is_allowed(statements, "secretsmanager:GetSecretValue", arn)


def test_documents_hold_one_statement_or_many() -> None:
    documents = [json.dumps({"Statement": allow("a:B")}), json.dumps({"Statement": [allow("a:C"), deny("a:D")]})]
    assert [statement["Action"] for statement in statements_of(documents)] == ["a:B", "a:C", "a:D"]
