"""Who signed a request: Signature Version 4, checked with botocore's own signer.

Source: IAM user guide, "Create a signed AWS API request". Accepts the Authorization header and presigned query strings.
Neighbours: gate, which refuses what is not signed by a key that this cloud issued.
"""

import datetime
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import parse_qsl, quote

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

ALGORITHM = "AWS4-HMAC-SHA256"
CLOCK_SKEW_SECONDS = 15 * 60  # how far a request's time may be from the server's


@dataclass(frozen=True)
class SignedRequest:
    """The parts of an HTTP request that a signature covers. Header names are lower case."""

    method: str
    path: str  # as sent, percent-encoded
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Signature:
    """What a request says of its own signature."""

    access_key_id: str
    date: str
    region: str
    service: str
    signed_headers: tuple[str, ...]
    value: str
    presigned: bool


class SignatureRefusedError(Exception):
    """The request is not signed by a key of this cloud; `code` is AWS's error code."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def parse_signature(request: SignedRequest) -> Signature | None:
    """Return what the request says of its signature, None when it carries none.

    Raises SignatureRefusedError (IncompleteSignature) when it carries one that cannot be read.
    """
    header = request.headers.get("authorization", "")
    query = dict(parse_qsl(request.query, keep_blank_values=True))
    try:
        if header.startswith(ALGORITHM):
            fields = dict(part.strip().split("=", 1) for part in header.removeprefix(ALGORITHM).split(","))
            scope, signed, value = fields["Credential"], fields["SignedHeaders"], fields["Signature"]
            date = request.headers["x-amz-date"]
        elif query.get("X-Amz-Algorithm") == ALGORITHM:
            scope, signed, value = query["X-Amz-Credential"], query["X-Amz-SignedHeaders"], query["X-Amz-Signature"]
            date = query["X-Amz-Date"]
        else:
            return None
        access_key_id, _, region, service, _ = scope.split("/")
    except (KeyError, ValueError) as error:
        raise SignatureRefusedError("IncompleteSignature", "The request's signature cannot be read.") from error
    return Signature(access_key_id, date, region, service, tuple(signed.split(";")), value, not header)


def check_signature(
    request: SignedRequest,
    signature: Signature,
    credentials_of: Callable[[str], Credentials | None],
    now: datetime.datetime | None = None,
) -> None:
    """Return when the signature is right for a known key, and not older than AWS takes it.

    Raises SignatureRefusedError: InvalidClientTokenId for a key this cloud did not issue (or the wrong session token),
    SignatureDoesNotMatch for a wrong secret or a changed request, RequestExpired.
    """
    _check_time(request, signature, now or datetime.datetime.now(datetime.UTC))
    credentials = credentials_of(signature.access_key_id)
    token = request.headers.get("x-amz-security-token") or dict(parse_qsl(request.query)).get("X-Amz-Security-Token")
    if credentials is None or (credentials.token or None) != (token or None):
        raise SignatureRefusedError("InvalidClientTokenId", "The security token included in the request is invalid.")
    if not hmac.compare_digest(expected_signature(request, signature, credentials), signature.value):
        raise SignatureRefusedError(
            "SignatureDoesNotMatch", "The request signature we calculated does not match the signature you provided."
        )


def _check_time(request: SignedRequest, signature: Signature, now: datetime.datetime) -> None:
    try:
        signed = datetime.datetime.strptime(signature.date, "%Y%m%dT%H%M%SZ").replace(tzinfo=datetime.UTC)
        lasts = int(dict(parse_qsl(request.query))["X-Amz-Expires"]) if signature.presigned else CLOCK_SKEW_SECONDS
    except (KeyError, ValueError) as error:
        raise SignatureRefusedError("IncompleteSignature", "The signature's time cannot be read.") from error
    age = (now - signed).total_seconds()
    if age > lasts or age < -CLOCK_SKEW_SECONDS:
        raise SignatureRefusedError("RequestExpired", f"Request has expired: it was signed at {signature.date}.")


def expected_signature(request: SignedRequest, signature: Signature, credentials: Credentials) -> str:
    """Return the signature that the owner of `credentials` would have made for this request."""
    auth = SigV4Auth(credentials, signature.service, signature.region)
    timed = AWSRequest(method=request.method, url="http://localhost/")
    timed.context["timestamp"] = signature.date
    return str(auth.signature(auth.string_to_sign(timed, canonical_request(request, signature)), timed))


def canonical_request(request: SignedRequest, signature: Signature) -> str:
    """Return the canonical request over exactly the headers that the client signed."""
    headers = [
        f"{name}:{' '.join(request.headers.get(name, '').split())}\n" for name in sorted(signature.signed_headers)
    ]
    pairs = parse_qsl(request.query, keep_blank_values=True)
    encoded = sorted((_encode(key), _encode(value)) for key, value in pairs if key != "X-Amz-Signature")
    path = request.path if signature.service == "s3" else quote(request.path, safe="/-_.~")
    return "\n".join([
        request.method, path or "/", "&".join(f"{key}={value}" for key, value in encoded), "".join(headers),
        ";".join(signature.signed_headers), _payload_hash(request, signature),
    ])  # fmt: skip


def _payload_hash(request: SignedRequest, signature: Signature) -> str:
    """Return the payload's hash as the canonical request holds it.

    S3 clients may declare that they do not sign the payload, or sign it in chunks; any other declared hash must be true.
    """
    if signature.presigned and signature.service == "s3":
        return "UNSIGNED-PAYLOAD"
    seen = hashlib.sha256(request.body).hexdigest()
    declared = request.headers.get("x-amz-content-sha256", seen)
    unsigned = signature.service == "s3" and declared.startswith(("UNSIGNED-", "STREAMING-"))
    return declared if unsigned else seen


def _encode(text: str) -> str:
    return quote(text, safe="-_.~")
