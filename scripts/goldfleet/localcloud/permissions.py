"""What a role's policies allow: IAM's evaluation of identity policies, for the credentials that machines hold.

The operator's own key is the account's administrator and is not evaluated. Source: IAM user guide, "Policy evaluation
logic": an explicit Deny wins, then an Allow, else the request is denied. Conditions are not evaluated: a statement with a
Condition allows nothing and denies nothing here, which errs on the side of refusing. Pure; `authorization` asks it.
"""

import fnmatch
import json
from collections.abc import Iterable
from typing import Any

from goldfleet.localcloud.state import ACCOUNT_ID

ALWAYS_ALLOWED = frozenset({"sts:GetCallerIdentity"})


def is_allowed(statements: Iterable[dict[str, Any]], action: str, resource: str | None) -> bool:
    """Say whether statements allow an action (`service:Action`) on a resource's ARN; None is an action without resource."""
    allowed = False
    for statement in statements:
        if "Condition" in statement or not _matches(statement, action, resource):
            continue
        if statement["Effect"] == "Deny":
            return False
        allowed = True
    return allowed or action in ALWAYS_ALLOWED


def resources_of(service: str, region: str, parameters: dict[str, Any]) -> list[str | None]:
    """Return the ARNs that a request is about, `[None]` where the service's requests are not told apart here."""
    if service == "secretsmanager":
        return [_secret(region, parameters["SecretId"])] if "SecretId" in parameters else [None]
    if service != "ssm":
        return [None]
    if "DocumentName" in parameters:
        return _command(region, parameters)
    names = [*parameters.get("Names", []), *(parameters[key] for key in ("Name", "Path") if key in parameters)]
    return [f"arn:aws:ssm:{region}:{ACCOUNT_ID}:parameter/{name.lstrip('/')}" for name in names] or [None]


def _command(region: str, parameters: dict[str, Any]) -> list[str | None]:
    """Return what a command is sent with and to; of targets every instance, since a policy's conditions are not evaluated.

    Source: Service authorization reference, AWS Systems Manager, SendCommand. The documents that AWS owns have no account.
    """
    document = f"arn:aws:ssm:{region}::document/{parameters['DocumentName'].rpartition('/')[2]}"
    instances = parameters.get("InstanceIds") or ["*"]
    return [document, *(f"arn:aws:ec2:{region}:{ACCOUNT_ID}:instance/{one}" for one in instances)]


def _secret(region: str, secret_id: str) -> str:
    """Return the ARN of a secret that is named by ARN or name.

    An ARN ends in six characters that AWS chose, which policies match by `-??????` or a wider wildcard; which ones they are
    makes no difference here. Source: Secrets Manager user guide, "Permissions policy examples".
    """
    return (
        secret_id
        if secret_id.startswith("arn:")
        else f"arn:aws:secretsmanager:{region}:{ACCOUNT_ID}:secret:{secret_id}-chosen"
    )


def statements_of(documents: Iterable[str]) -> list[dict[str, Any]]:
    """Return all statements of policy documents (JSON)."""
    found: list[dict[str, Any]] = []
    for document in documents:
        statements = json.loads(document)["Statement"]
        found += statements if isinstance(statements, list) else [statements]
    return found


def _matches(statement: dict[str, Any], action: str, resource: str | None) -> bool:
    if "NotAction" in statement:
        concerned = not _any_match(statement["NotAction"], action, fold_case=True)
    else:
        concerned = _any_match(statement["Action"], action, fold_case=True)
    if not concerned or resource is None:
        return concerned
    if "NotResource" in statement:
        return not _any_match(statement["NotResource"], resource)
    return _any_match(statement.get("Resource", "*"), resource)


def _any_match(patterns: str | list[str], value: str, *, fold_case: bool = False) -> bool:
    every = [patterns] if isinstance(patterns, str) else patterns
    if fold_case:
        every, value = [pattern.lower() for pattern in every], value.lower()
    return any(fnmatch.fnmatchcase(value, pattern.replace("[", "[[]")) for pattern in every)
