"""Signatures made by botocore's own signers are accepted, and nothing else is."""

import dataclasses
import datetime
from urllib.parse import urlsplit

import pytest
from botocore.auth import S3SigV4Auth, S3SigV4QueryAuth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from goldfleet.localcloud.signatures import SignatureRefusedError, SignedRequest, check_signature, parse_signature

KEY = Credentials("AKIAEXAMPLEEXAMPLE00", "secret/of+the=operator")
TEMPORARY = Credentials("ASIAEXAMPLEEXAMPLE00", "another secret", "session-token==")
KNOWN = {credentials.access_key: credentials for credentials in (KEY, TEMPORARY)}


def signed(auth: SigV4Auth, url: str, body: bytes = b"", method: str = "POST") -> SignedRequest:
    """Return a request as the server receives it, signed by one of botocore's signers."""
    request = AWSRequest(method=method, url=url, data=body, headers={"Content-Type": "application/x-amz-json-1.1"})
    auth.add_auth(request)
    prepared = request.prepare()
    parts = urlsplit(prepared.url)
    headers = {
        name.lower(): value.decode() if isinstance(value, bytes) else str(value)
        for name, value in prepared.headers.items()
    }
    headers.setdefault("host", parts.netloc)
    return SignedRequest(method, parts.path or "/", parts.query, headers, body)


def check(request: SignedRequest, now: datetime.datetime | None = None) -> None:
    signature = parse_signature(request)
    assert signature is not None
    check_signature(request, signature, KNOWN.get, now)


@pytest.mark.parametrize(
    "request_",
    [
        signed(SigV4Auth(KEY, "ec2", "us-east-1"), "http://127.0.0.1:4000/", b"Action=DescribeInstances"),
        signed(SigV4Auth(KEY, "iam", "us-east-1"), "http://127.0.0.1:4000/?b=2&a=1%20x&a=", method="GET"),
        signed(SigV4Auth(TEMPORARY, "ssm", "us-east-1"), "https://ssm.us-east-1.amazonaws.com/", b"{}"),
        signed(S3SigV4Auth(KEY, "s3", "us-east-1"), "http://127.0.0.1:4000/bucket/a%20key/%C3%A9", b"data", "PUT"),
        signed(S3SigV4QueryAuth(KEY, "s3", "us-east-1"), "http://127.0.0.1:4000/bucket/key?versionId=1", method="GET"),
    ],
    ids=["query", "get with a query", "temporary", "s3", "presigned s3"],
)
def test_botocores_signature_is_accepted(request_: SignedRequest) -> None:
    check(request_)
    assert parse_signature(request_) is not None


@given(st.binary(max_size=64), st.binary(min_size=1, max_size=64))
def test_changed_body_is_refused(body: bytes, extra: bytes) -> None:
    request = signed(SigV4Auth(KEY, "ssm", "us-east-1"), "http://127.0.0.1:4000/", body)
    with pytest.raises(SignatureRefusedError) as refused:
        check(dataclasses.replace(request, body=body + extra))
    assert refused.value.code == "SignatureDoesNotMatch"


def test_changed_s3_body_is_refused_although_its_hash_is_declared() -> None:
    request = signed(S3SigV4Auth(KEY, "s3", "us-east-1"), "http://127.0.0.1:4000/bucket/key", b"data", "PUT")
    with pytest.raises(SignatureRefusedError, match="does not match"):
        check(dataclasses.replace(request, body=b"other"))


def test_unknown_key_is_refused() -> None:
    foreign = Credentials("AKIAFOREIGNFOREIGN00", KEY.secret_key)
    with pytest.raises(SignatureRefusedError) as refused:
        check(signed(SigV4Auth(foreign, "ec2", "us-east-1"), "http://127.0.0.1:4000/"))
    assert refused.value.code == "InvalidClientTokenId"


def test_temporary_key_without_its_token_is_refused() -> None:
    bare = Credentials(TEMPORARY.access_key, TEMPORARY.secret_key)
    with pytest.raises(SignatureRefusedError) as refused:
        check(signed(SigV4Auth(bare, "ec2", "us-east-1"), "http://127.0.0.1:4000/"))
    assert refused.value.code == "InvalidClientTokenId"


@pytest.mark.parametrize("minutes", [-16, 16, 60 * 24 * 365])
def test_signature_of_another_time_is_refused(minutes: int) -> None:
    request = signed(SigV4Auth(KEY, "ec2", "us-east-1"), "http://127.0.0.1:4000/")
    with pytest.raises(SignatureRefusedError) as refused:
        check(request, datetime.datetime.now(datetime.UTC) + datetime.timedelta(minutes=minutes))
    assert refused.value.code == "RequestExpired"


def test_presigned_request_lasts_as_long_as_it_says() -> None:
    request = signed(S3SigV4QueryAuth(KEY, "s3", "us-east-1", expires=60), "http://127.0.0.1:4000/b/k", method="GET")
    with pytest.raises(SignatureRefusedError, match="expired"):
        check(request, datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=90))


def test_unsigned_payload_is_for_s3_only() -> None:
    request = signed(SigV4Auth(KEY, "ssm", "us-east-1"), "http://127.0.0.1:4000/", b"{}")
    declared = {**request.headers, "x-amz-content-sha256": "UNSIGNED-PAYLOAD"}
    with pytest.raises(SignatureRefusedError):
        check(dataclasses.replace(request, headers=declared, body=b"other"))


def test_unsigned_request_has_no_signature() -> None:
    assert parse_signature(SignedRequest("GET", "/", "", {"host": "x"}, b"")) is None


@pytest.mark.parametrize("header", ["AWS4-HMAC-SHA256 nonsense", "AWS4-HMAC-SHA256 Credential=a/b, Signature=c"])
def test_unreadable_signature_is_refused(header: str) -> None:
    with pytest.raises(SignatureRefusedError) as refused:
        parse_signature(SignedRequest("GET", "/", "", {"authorization": header}, b""))
    assert refused.value.code == "IncompleteSignature"
