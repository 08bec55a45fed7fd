"""What SendCommand asks, and what is refused."""

from typing import Any

import pytest

from goldfleet.localcloud.ssm import constraints
from goldfleet.localcloud.ssm.refusals import CallRefusedError
from goldfleet.localcloud.ssm.requests import command_spec, page

MINIMAL: dict[str, Any] = {
    "DocumentName": "AWS-RunShellScript",
    "InstanceIds": ["i-0123456789abcdef0"],
    "Parameters": {"commands": ["true"]},
}


def test_what_is_not_given_has_the_default_of_aws() -> None:
    spec = command_spec(MINIMAL)
    assert (spec.max_concurrency, spec.max_errors) == ("50", "0")
    assert (spec.timeout_seconds, spec.execution_timeout_seconds) == (3600, 3600)
    assert (spec.document_version, spec.working_directory, spec.output_bucket) == ("$DEFAULT", "", "")


def test_an_empty_working_directory_is_none_and_a_documents_arn_is_its_name() -> None:
    parameters = {"commands": ["a", "b"], "workingDirectory": [""], "executionTimeout": ["30"]}
    arn = "arn:aws:ssm:us-east-1::document/AWS-RunShellScript"
    spec = command_spec(MINIMAL | {"Parameters": parameters, "DocumentName": arn})
    assert (spec.commands, spec.working_directory, spec.execution_timeout_seconds) == (("a", "b"), "", 30)


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"DocumentName": "AWS-RunPowerShellScript"}, "InvalidDocument", "one document"),
        ({"Parameters": {}}, "InvalidParameters", "needs the parameter commands"),
        ({"Parameters": {"commands": ["a"], "colour": ["red"]}}, "InvalidParameters", "no parameter colour"),
        ({"Parameters": {"commands": ["a"], "executionTimeout": ["0"]}}, "InvalidParameters", "1 to 172800"),
        ({"Parameters": {"commands": ["a"], "executionTimeout": ["1m"]}}, "InvalidParameters", "1 to 172800"),
        ({"Parameters": {"commands": ["a" * 99_000]}}, "MaxDocumentSizeExceeded", "97KB"),
        ({"Parameters": {"commands": ["echo {{ ssm:secret }}"]}}, "UnsupportedOperation", "Parameter Store"),
        ({"InstanceIds": []}, "ValidationException", "either InstanceIds or Targets"),
        ({"Targets": [{"Key": "tag:a", "Values": ["b"]}]}, "ValidationException", "either InstanceIds or Targets"),
        ({"InstanceIds": ["i-0123456789abcdef0"] * 2}, "DuplicateInstanceId", "more than once"),
        (
            {"InstanceIds": [], "Targets": [{"Key": "resource-groups:Name", "Values": ["b"]}]},
            "UnsupportedOperation",
            "resource-groups:Name",
        ),
        ({"ServiceRoleArn": "arn:aws:iam::123456789012:role/r"}, "UnsupportedOperation", "ServiceRoleArn"),
        ({"CloudWatchOutputConfig": {"CloudWatchOutputEnabled": True}}, "UnsupportedOperation", "CloudWatch"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
def test_what_cannot_be_done_is_refused_by_name(change: dict[str, Any], code: str, words: str) -> None:
    with pytest.raises(CallRefusedError, match=words) as refused:
        command_spec(MINIMAL | change)
    assert refused.value.code == code


@pytest.mark.parametrize(
    ("action", "change", "words"),
    [
        ("SendCommand", {"InstanceIds": [f"i-{number:017x}" for number in range(51)]}, "at 'instanceIds'.*to 50"),
        ("SendCommand", {"Targets": [{"Key": "tag:a", "Values": ["b"]}] * 6}, "at 'targets'.*to 5"),
        (
            "SendCommand",
            {"Targets": [{"Key": "tag:a", "Values": ["b"] * 51}]},
            r"at 'targets\.1\.member\.Values'.*to 50",
        ),
        ("SendCommand", {"TimeoutSeconds": 29}, "Value '29' at 'timeoutSeconds'.*to 30"),
        ("SendCommand", {"MaxConcurrency": "0"}, "at 'maxConcurrency'.*regular expression"),
        ("SendCommand", {"MaxConcurrency": "101%"}, "at 'maxConcurrency'"),
        ("SendCommand", {"MaxErrors": "-1"}, "at 'maxErrors'"),
        ("SendCommand", {"Comment": "c" * 101}, "at 'comment'.*to 100"),
        ("SendCommand", {"DocumentName": None}, "at 'documentName'.*must not be null"),
        ("ListCommandInvocations", {"MaxResults": 51}, "at 'maxResults'.*to 50"),
        ("ListCommandInvocations", {"CommandId": "short"}, "at 'commandId'.*to 36"),
        ("GetCommandInvocation", {"CommandId": "c" * 36, "InstanceId": "i-1"}, "at 'instanceId'.*regular expression"),
        ("ListCommands", {"Filters": [{"key": "Colour", "value": "red"}]}, "enum value set"),
    ],
)
def test_shapes_are_those_that_aws_publishes(action: str, change: dict[str, Any], words: str) -> None:
    parameters = (MINIMAL if action == "SendCommand" else {}) | change
    with pytest.raises(CallRefusedError, match=words) as refused:
        constraints.check(action, {key: value for key, value in parameters.items() if value is not None})
    assert refused.value.code == "ValidationException"


@pytest.mark.parametrize("written", ["1", "50", "7%", "99%", "100%"])
def test_numbers_and_percentages_are_accepted(written: str) -> None:
    constraints.check("SendCommand", MINIMAL | {"MaxConcurrency": written, "MaxErrors": written})


def test_pages_begin_where_the_token_says() -> None:
    assert page({}, 50) == (0, 50)
    assert page({"NextToken": "100", "MaxResults": 7}, 50) == (100, 7)
    with pytest.raises(CallRefusedError) as refused:
        page({"NextToken": "no"}, 50)
    assert refused.value.code == "InvalidNextToken"
