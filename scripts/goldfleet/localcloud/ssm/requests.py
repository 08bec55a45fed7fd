"""What a Run Command call asks, as the model's values: pure; refuses what cannot be right, and what is not done here."""

import re
from collections.abc import Mapping
from typing import Any

from goldfleet.localcloud.ssm.limits import SIZE_LIMIT_BYTES, size_of
from goldfleet.localcloud.ssm.model import CommandSpec, Target
from goldfleet.localcloud.ssm.refusals import CallRefusedError, unsupported, validation_error

Parameters = Mapping[str, Any]
DOCUMENT = "AWS-RunShellScript"
DEFAULT_TIMEOUT_SECONDS = 3600
# The document's own parameters. Source: DescribeDocument of AWS-RunShellScript.
DOCUMENT_PARAMETERS = frozenset({"commands", "workingDirectory", "executionTimeout"})
EXECUTION_TIMEOUT = re.compile("([1-9][0-9]{0,4})|(1[0-6][0-9]{4})|(17[0-1][0-9]{3})|(172[0-7][0-9]{2})|(172800)")
UNSUPPORTED = ("NotificationConfig", "ServiceRoleArn", "AlarmConfiguration", "DocumentHash")


def command_spec(parameters: Parameters) -> CommandSpec:
    """Return what SendCommand asks for; what is not given has AWS's default."""
    _refuse_unsupported(parameters)
    if parameters["DocumentName"].rpartition("/")[2] != DOCUMENT:
        raise CallRefusedError("InvalidDocument", f"The local cloud has one document, {DOCUMENT}.")
    given = _document_parameters(parameters.get("Parameters") or {})
    instance_ids, targets = _whom(parameters)
    return CommandSpec(
        commands=tuple(given["commands"]),
        parameters=given,
        instance_ids=instance_ids,
        targets=targets,
        document_version=parameters.get("DocumentVersion") or "$DEFAULT",
        comment=parameters.get("Comment") or "",
        working_directory="".join(given.get("workingDirectory", [])),
        execution_timeout_seconds=int("".join(given.get("executionTimeout", [])) or 3600),
        timeout_seconds=parameters.get("TimeoutSeconds") or DEFAULT_TIMEOUT_SECONDS,
        max_concurrency=parameters.get("MaxConcurrency") or "50",
        max_errors=parameters.get("MaxErrors") or "0",
        output_bucket=parameters.get("OutputS3BucketName") or "",
        output_prefix=parameters.get("OutputS3KeyPrefix") or "",
    )


def _refuse_unsupported(parameters: Parameters) -> None:
    for name in UNSUPPORTED:
        if parameters.get(name):
            raise unsupported(name)
    if (parameters.get("CloudWatchOutputConfig") or {}).get("CloudWatchOutputEnabled"):
        raise unsupported("CloudWatchOutputConfig")


def _document_parameters(given: Mapping[str, list[str]]) -> Mapping[str, list[str]]:
    unknown = sorted(set(given) - DOCUMENT_PARAMETERS)
    if unknown:
        raise CallRefusedError("InvalidParameters", f"The document {DOCUMENT} has no parameter {', '.join(unknown)}.")
    if not given.get("commands"):
        raise CallRefusedError("InvalidParameters", f"The document {DOCUMENT} needs the parameter commands.")
    timeout = given.get("executionTimeout", [])
    if timeout and not EXECUTION_TIMEOUT.fullmatch("".join(timeout)):
        raise CallRefusedError("InvalidParameters", f"executionTimeout must be 1 to 172800 seconds, not {timeout}.")
    if any(re.search(r"\{\{\s*ssm:", line) for line in given["commands"]):
        raise unsupported("references to Parameter Store in commands ({{ssm:NAME}})")
    if size_of(given) > SIZE_LIMIT_BYTES:
        message = "The total size of your parameter(s) and document exceeds the 97KB limit."
        raise CallRefusedError("MaxDocumentSizeExceeded", message)
    return given


def _whom(parameters: Parameters) -> tuple[tuple[str, ...], tuple[Target, ...]]:
    instance_ids = tuple(parameters.get("InstanceIds") or ())
    targets = tuple(Target(one["Key"], tuple(one.get("Values") or ())) for one in parameters.get("Targets") or ())
    if bool(instance_ids) == bool(targets):
        raise validation_error("Specify either InstanceIds or Targets.")
    if len(set(instance_ids)) < len(instance_ids):
        raise CallRefusedError("DuplicateInstanceId", "An instance ID is given more than once.")
    for target in targets:
        if target.key.lower() != "instanceids" and target.key != "tag-key" and not target.key.startswith("tag:"):
            raise unsupported(f"targets by {target.key}")
    return instance_ids, targets


def page(parameters: Parameters, default: int) -> tuple[int, int]:
    """Return where a page begins and how many items it holds; raises InvalidNextToken."""
    token = parameters.get("NextToken") or "0"
    if not token.isdigit():
        raise CallRefusedError("InvalidNextToken", "The specified token isn't valid.")
    return int(token), int(parameters.get("MaxResults") or default)
