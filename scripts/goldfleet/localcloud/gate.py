"""The gate before the local cloud's API: who may call, what, and a record of every call.

Refuses what a browser sends, what is not signed by a key that this cloud issued (unless everyone may read it), what the
cloud cannot answer truthfully, and moto's own control pages. One lock serialises the API: moto's backends are not made for
threads, and every slow act (booting, committing) runs outside it. Neighbours: server (wires it), signatures, permissions.
"""

import io
import json
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, quote
from xml.sax.saxutils import escape

from botocore.credentials import Credentials

from goldfleet.localcloud.signatures import (
    Signature,
    SignatureRefusedError,
    SignedRequest,
    check_signature,
    parse_signature,
)

SERVICES = frozenset({
    "acm", "autoscaling", "cloudwatch", "codedeploy", "ec2", "elasticloadbalancing", "iam", "kms", "logs", "monitoring",
    "s3", "secretsmanager", "ssm", "sts", "tagging",
})  # fmt: skip
REGIONAL_SERVICES = frozenset({"ec2", "autoscaling", "elasticloadbalancing", "codedeploy"})
# These invent addresses outside the cloud's range, or promise networks that it does not have.
UNTRUTHFUL_EC2_ACTIONS = frozenset({
    "AllocateAddress", "AssociateAddress", "CreateNatGateway", "CreateVpnConnection", "CreateVpnGateway",
    "CreateCustomerGateway", "CreateTransitGateway", "CreateVpcEndpoint", "CreateEgressOnlyInternetGateway",
    "RequestSpotFleet", "RequestSpotInstances", "CreateFleet", "AssociateVpcCidrBlock",
})  # fmt: skip
# Promised by no part of goldfleet.scaling.
UNTRUTHFUL_AUTOSCALING_ACTIONS = frozenset({
    "StartInstanceRefresh", "CancelInstanceRefresh", "RollbackInstanceRefresh", "PutWarmPool", "DeleteWarmPool",
    "PutNotificationConfiguration", "DeleteNotificationConfiguration", "AttachLoadBalancers", "DetachLoadBalancers",
    "AttachTrafficSources", "DetachTrafficSources", "GetPredictiveScalingForecast", "LaunchInstances",
})  # fmt: skip
UNTRUTHFUL_ACTIONS = {"ec2": UNTRUTHFUL_EC2_ACTIONS, "autoscaling": UNTRUTHFUL_AUTOSCALING_ACTIONS}
JSON_SERVICES = frozenset({"acm", "codedeploy", "kms", "logs", "secretsmanager", "ssm", "tagging"})

ANONYMOUS = "anonymous"
"""The caller of a request without a signature, where none is needed."""

WsgiApplication = Callable[[dict[str, Any], Any], Iterable[bytes]]


@dataclass(frozen=True)
class Call:
    """One API call as the record tells it."""

    service: str
    action: str
    access_key_id: str


@dataclass
class Gate:
    """The WSGI application that stands before moto's."""

    inner: WsgiApplication
    region: str
    hosts: tuple[str, ...]
    credentials_of: Callable[[str], Credentials | None]
    record: Callable[[dict[str, Any]], None]
    lock: threading.RLock
    is_public: Callable[[str, str, str], bool] = lambda _method, _host, _path: False
    """Whether a request, by method, host and path, is answered without a signature."""

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        started = time.monotonic()
        request = _read(environ)
        try:
            call = self._admit(request)
        except SignatureRefusedError as refusal:
            self._record(Call("-", "-", "-"), 403, started, refusal.code)
            return _refuse(request, refusal, start_response)
        statuses: list[str] = []

        def started_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> Any:
            statuses.append(status)
            kept = [pair for pair in headers if not pair[0].lower().startswith("access-control-")]
            return start_response(status, kept, exc_info)

        environ["goldfleet.caller"] = call.access_key_id
        with self.lock:
            body = b"".join(self.inner(environ, started_response))
        self._record(call, int(statuses[-1].split()[0]), started, "")
        return [body]

    def _admit(self, request: SignedRequest) -> Call:
        if "origin" in request.headers or request.method == "OPTIONS":
            raise SignatureRefusedError("AccessDenied", "The local cloud answers no browser.")
        host = request.headers.get("host", "").rsplit(":", 1)[0].lower()
        if host not in self.hosts and not host.endswith((".amazonaws.com", ".api.aws")):
            raise SignatureRefusedError("AccessDenied", f"The local cloud does not answer under the name {host!r}.")
        if request.path.startswith("/moto-api"):
            raise SignatureRefusedError("AccessDenied", "The local cloud has no control pages.")
        signature = parse_signature(request)
        if signature is None and self.is_public(request.method, host, request.path):
            return Call("s3", _action(request, "s3"), ANONYMOUS)
        if signature is None:
            raise SignatureRefusedError("MissingAuthenticationToken", "The request is not signed.")
        check_signature(request, signature, self.credentials_of)
        call = Call(signature.service, _action(request, signature.service), signature.access_key_id)
        self._check_truthful(call, signature)
        return call

    def _check_truthful(self, call: Call, signature: Signature) -> None:
        if call.service not in SERVICES:
            raise SignatureRefusedError("UnsupportedOperation", f"The local cloud has no service {call.service!r}.")
        if call.service in REGIONAL_SERVICES and signature.region != self.region:
            raise SignatureRefusedError("OptInRequired", f"The local cloud has one region, {self.region}.")
        if call.action in UNTRUTHFUL_ACTIONS.get(call.service, ()):
            raise SignatureRefusedError("UnsupportedOperation", f"The local cloud has no {call.action}.")

    def _record(self, call: Call, status: int, started: float, refusal: str) -> None:
        self.record({
            "time": round(time.time(), 3), "service": call.service, "action": call.action, "status": status,
            "seconds": round(time.monotonic() - started, 4), "caller": call.access_key_id, "refusal": refusal,
        })  # fmt: skip


def _read(environ: dict[str, Any]) -> SignedRequest:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    chunked = environ.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked"
    body = environ["wsgi.input"].read() if chunked else environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    environ["CONTENT_LENGTH"] = str(len(body))
    environ.pop("HTTP_TRANSFER_ENCODING", None)
    headers = {name[5:].replace("_", "-").lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
    if environ.get("CONTENT_TYPE"):
        headers["content-type"] = environ["CONTENT_TYPE"]
    headers["content-length"] = environ["CONTENT_LENGTH"]
    path = (environ.get("RAW_URI") or environ.get("REQUEST_URI") or quote(environ.get("PATH_INFO", "/"))).partition(
        "?"
    )[0]
    if path.startswith("http"):
        path = "/" + path.split("/", 3)[3]
    return SignedRequest(environ["REQUEST_METHOD"], path, environ.get("QUERY_STRING", ""), headers, body)


def _action(request: SignedRequest, service: str) -> str:
    target = request.headers.get("x-amz-target")
    if target:
        return target.rpartition(".")[2]
    if service == "s3":
        return f"{request.method} {request.path}"
    form = request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded")
    fields = parse_qs(request.body.decode(errors="replace")) if form else {}
    return (fields.get("Action") or parse_qs(request.query).get("Action") or [f"{request.method} {request.path}"])[0]


def _refuse(request: SignedRequest, refusal: SignatureRefusedError, start_response: Any) -> Iterable[bytes]:
    """Answer with the error in the protocol of the service that was asked."""
    try:
        signature = parse_signature(request)
    except SignatureRefusedError:
        signature = None
    service = signature.service if signature else ""
    code = "AuthFailure" if service == "ec2" and refusal.code == "InvalidClientTokenId" else refusal.code
    if service in JSON_SERVICES or "x-amz-target" in request.headers:
        kind, body = "application/x-amz-json-1.1", json.dumps({"__type": code, "message": str(refusal)})
    else:
        kind, body = "text/xml", _error_xml(service, code, escape(str(refusal)))
    start_response("403 Forbidden", [("Content-Type", kind), ("Content-Length", str(len(body.encode())))])
    return [body.encode()]


def _error_xml(service: str, code: str, message: str) -> str:
    error = f"<Code>{code}</Code><Message>{message}</Message>"
    if service == "ec2":
        return f"<Response><Errors><Error>{error}</Error></Errors><RequestID>local</RequestID></Response>"
    if service in ("s3", ""):
        return f"<Error>{error}<RequestId>local</RequestId></Error>"
    return f"<ErrorResponse><Error><Type>Sender</Type>{error}</Error><RequestId>local</RequestId></ErrorResponse>"
