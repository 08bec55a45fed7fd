"""Make moto refuse what the policies of a caller's role do not allow; `permissions` decides."""

import json
from typing import Any
from xml.sax.saxutils import escape

from moto.core.authorization import ActionAuthenticatorMixin
from moto.core.exceptions import AccessDeniedError, JsonRESTError
from moto.iam.models import iam_backends
from moto.s3.exceptions import S3AccessDeniedError
from moto.sts.models import sts_backends
from werkzeug.exceptions import HTTPException

from goldfleet.localcloud.gate import JSON_SERVICES
from goldfleet.localcloud.permissions import is_allowed, resources_of, statements_of
from goldfleet.localcloud.state import ACCOUNT_ID

# What S3 calls its permissions where they differ from the operation (S3 user guide, "Required permissions").
S3_PERMISSIONS = {
    "HeadObject": "GetObject",
    "HeadBucket": "ListBucket",
    "ListObjects": "ListBucket",
    "ListObjectsV2": "ListBucket",
}


class Ec2UnauthorizedError(HTTPException):
    """EC2's refusal, in its own form: Packer cannot read another service's. Source: EC2 API reference, "Error codes"."""

    code = 403

    def __init__(self, caller: str, action: str) -> None:
        """Say who may not do what."""
        refused = f"User: {caller} is not authorized to perform: {action}"
        text = f"You are not authorized to perform this operation. {refused} because no identity-based policy allows it"
        error = f"<Code>UnauthorizedOperation</Code><Message>{escape(text)}</Message>"
        super().__init__(f"<Response><Errors><Error>{error}</Error></Errors><RequestID>local</RequestID></Response>")


def enforce_role_policies() -> None:
    """Put this check in moto's place; call once, before anything is served.

    The operator's own key is the account's administrator and passes.
    """
    ActionAuthenticatorMixin._authenticate_and_authorize_action = _authorize


def may(access_key_id: str, action: str, resource: str | None) -> bool:
    """Say whether the owner of a key may do an action (`service:Action`) on a resource's ARN."""
    role = _role(access_key_id)
    return role is None or is_allowed(statements_of(_documents(_role_name(role))), action, resource)


def role_may(role_name: str, action: str) -> bool:
    """Say whether a role, whoever has assumed it, may do an action on any resource."""
    return is_allowed(statements_of(_documents(role_name)), action, "*")


def _role(access_key_id: str) -> Any:
    """Return the role that a key was issued for, None for the operator's own key."""
    return sts_backends[ACCOUNT_ID]["aws"].get_assumed_role_from_access_key(access_key_id)


def _authorize(self: Any, iam_request_class: type, resource: str = "*") -> None:
    role = _role(self.get_access_key())
    if role is None:
        return
    action, resources = _request(self, iam_request_class, resource)
    statements = statements_of(_documents(_role_name(role)))
    if all(is_allowed(statements, action, target) for target in resources):
        return
    if action.startswith("s3:"):
        raise S3AccessDeniedError()
    if action.startswith("ec2:"):
        raise Ec2UnauthorizedError(role.arn, action)
    if action.partition(":")[0] in JSON_SERVICES:
        message = f"User: {role.arn} is not authorized to perform: {action}"
        raise JsonRESTError("AccessDeniedException", message)
    raise AccessDeniedError(user_arn=role.arn, action=action)


def _request(response: Any, iam_request_class: type, resource: str) -> tuple[str, list[str | None]]:
    """Return the action (`service:Action`) and the resources that a request is about."""
    operation = response._get_action()
    operation = operation[0] if isinstance(operation, list) else operation
    if iam_request_class.__name__ == "S3IAMRequest":
        return f"s3:{S3_PERMISSIONS.get(operation, operation)}", [resource]
    service = str(response.service_name)
    parameters = json.loads(response.body or "{}") if service in ("secretsmanager", "ssm") else {}
    return f"{service}:{operation}", resources_of(service, response.region, parameters)


def _role_name(assumed: Any) -> str:
    return str(assumed.role_arn.split("/")[-1])


def _documents(role_name: str) -> list[str]:
    backend = iam_backends[ACCOUNT_ID]["aws"]
    inline = [backend.get_role_policy(role_name, name)[1] for name in backend.list_role_policies(role_name)]
    attached, _ = backend.list_attached_role_policies(role_name)
    return [*inline, *(_default_version(policy) for policy in attached)]


def _default_version(policy: Any) -> str:
    return next(str(version.document) for version in policy.versions if version.is_default)
