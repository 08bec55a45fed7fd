"""The instance metadata service: IMDSv2, and v1 where the launch allows it, as a WSGI application.

Machines ask 169.254.169.254; the source address says which machine asks. Serves what the EC2 user guide's "Instance
metadata categories" lists and machines here use: identity, user data, key, tags where allowed, and the credentials of the
instance profile's role. Knows instances through the port `MetadataSource` only.
"""

import json
import secrets
import threading
import time
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from werkzeug.wrappers import Request, Response

MAX_TOKEN_SECONDS = 21600  # EC2 user guide, "Use IMDSv2"
TOKEN_PATH = "/latest/api/token"  # noqa: S105  a path, not a password


@dataclass(frozen=True)
class InstanceMetadata:
    """What the service tells one instance about itself."""

    http_endpoint: str
    http_tokens: str
    user_data: bytes | None
    categories: dict[str, str]  # path below meta-data/ -> value
    identity_document: dict[str, Any]
    key_name: str | None
    role_name: str | None


@dataclass(frozen=True)
class RoleCredentials:
    """Temporary credentials of an instance profile's role; times are RFC 3339."""

    access_key_id: str
    secret_access_key: str
    session_token: str
    last_updated: str
    expiration: str


class MetadataSource(Protocol):
    """Where the service learns of instances."""

    def instance_at(self, address: str) -> InstanceMetadata | None:
        """Return what the instance at a private address may know, None where no instance has it."""

    def credentials_for(self, address: str) -> RoleCredentials | None:
        """Return current credentials of the role of the instance at that address, None where it has no role."""


@dataclass
class MetadataService:
    """The WSGI application."""

    source: MetadataSource
    clock: Callable[[], float] = time.monotonic
    _tokens: dict[str, tuple[str, float]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one request."""
        body: Iterable[bytes] = self.answer(Request(environ))(environ, start_response)
        return body

    def answer(self, request: Request) -> Response:
        """Return the response to a request; the caller's address decides whose metadata it sees."""
        address = request.remote_addr or ""
        instance = self.source.instance_at(address)
        if instance is None or instance.http_endpoint != "enabled":
            return _plain("", 403)
        if request.path == TOKEN_PATH:
            return self._issue_token(request, address) if request.method == "PUT" else _plain("", 405)
        if request.method not in ("GET", "HEAD"):
            return _plain("", 405)
        refused = self._refuse_token(request, address, instance.http_tokens)
        return refused or self._document(request.path, address, instance)

    def _issue_token(self, request: Request, address: str) -> Response:
        wanted = request.headers.get("X-aws-ec2-metadata-token-ttl-seconds", "")
        if "X-Forwarded-For" in request.headers:
            return _plain("", 403)
        if not wanted.isdigit() or not 1 <= int(wanted) <= MAX_TOKEN_SECONDS:
            return _plain("", 400)
        token = secrets.token_urlsafe(42)
        now = self.clock()
        with self._lock:
            self._tokens = {key: value for key, value in self._tokens.items() if value[1] > now}
            self._tokens[token] = (address, now + int(wanted))
        response = _plain(token)
        response.headers["X-aws-ec2-metadata-token-ttl-seconds"] = wanted
        return response

    def _refuse_token(self, request: Request, address: str, http_tokens: str) -> Response | None:
        token = request.headers.get("X-aws-ec2-metadata-token")
        if token is None:
            return _plain("", 401) if http_tokens == "required" else None
        with self._lock:
            owner, expires = self._tokens.get(token, ("", 0.0))
        return None if owner == address and expires > self.clock() else _plain("", 401)

    def _document(self, path: str, address: str, instance: InstanceMetadata) -> Response:
        version, _, rest = path.strip("/").partition("/")
        if not version:
            return _plain("latest")
        if rest == "meta-data" or rest.startswith("meta-data/"):
            return self._category(rest.removeprefix("meta-data").strip("/"), address, instance)
        documents: dict[str, str | bytes] = {
            "dynamic/instance-identity/document": json.dumps(instance.identity_document)
        }
        if instance.user_data:
            documents["user-data"] = instance.user_data
        return _plain(documents[rest]) if rest in documents else _listing({**documents, "meta-data/": ""}, rest)

    def _category(self, key: str, address: str, instance: InstanceMetadata) -> Response:
        if instance.role_name and key == f"iam/security-credentials/{instance.role_name}":
            credentials = self.source.credentials_for(address)
            return _plain("", 404) if credentials is None else _plain(json.dumps(_credentials(credentials), indent=2))
        if key == "public-keys" and instance.key_name:
            return _plain(f"0={instance.key_name}")
        known = dict(instance.categories)
        if instance.role_name:
            known[f"iam/security-credentials/{instance.role_name}"] = ""
        return _plain(known[key]) if key in known else _listing(known, key)


def _credentials(credentials: RoleCredentials) -> dict[str, str]:
    return {
        "Code": "Success",
        "LastUpdated": credentials.last_updated,
        "Type": "AWS-HMAC",
        "AccessKeyId": credentials.access_key_id,
        "SecretAccessKey": credentials.secret_access_key,
        "Token": credentials.session_token,
        "Expiration": credentials.expiration,
    }


def _listing(known: Collection[str], folder: str) -> Response:
    prefix = f"{folder}/" if folder else ""
    below = {key.removeprefix(prefix) for key in known if key.startswith(prefix)}
    if not below:
        return _plain("", 404)
    entries = {name.partition("/")[0] + ("/" if "/" in name else "") for name in below}
    return _plain("\n".join(sorted(entries)))


def _plain(body: str | bytes, status: int = 200) -> Response:
    response = Response(body, status=status, mimetype="text/plain")
    response.headers["Server"] = "EC2ws"
    return response
