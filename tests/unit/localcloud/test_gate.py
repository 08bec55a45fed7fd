"""The gate before the API, with an application behind it that says what reached it."""

import io
import json
import threading
from collections.abc import Iterable
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from goldfleet.localcloud.gate import Gate

KEY = Credentials("AKIAEXAMPLEEXAMPLE00", "secret")


class Behind:
    """The application behind the gate: remembers the bodies that reached it, answers with a CORS header."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self.bodies.append(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
        start_response("200 OK", [("Content-Type", "text/xml"), ("Access-Control-Allow-Origin", "*")])
        return [b"<ok/>"]


class Asked:
    """A gate, what is behind it, and what it recorded."""

    def __init__(self) -> None:
        self.behind, self.calls = Behind(), list[dict[str, Any]]()
        known = {KEY.access_key: KEY}
        self.gate = Gate(
            self.behind, "us-east-1", ("127.0.0.1",), known.get, self.calls.append, threading.RLock(),
            lambda _method, _host, path: path == "/public",
        )  # fmt: skip

    def ask(
        self, service: str, body: bytes, *, region: str = "us-east-1", path: str = "/"
    ) -> tuple[str, dict[str, str], str]:
        """Send a request signed with the known key; return (status, headers, body)."""
        request = AWSRequest("POST", f"http://127.0.0.1:4000{path}", data=body, headers={
            "Content-Type": "application/x-www-form-urlencoded", "Host": "127.0.0.1:4000",
        })  # fmt: skip
        SigV4Auth(KEY, service, region).add_auth(request)
        return self.send({name: str(value) for name, value in request.headers.items()}, body, path)

    def send(self, headers: dict[str, str], body: bytes = b"", path: str = "/") -> tuple[str, dict[str, str], str]:
        """Send a request as it is."""
        environ = {f"HTTP_{name.upper().replace('-', '_')}": value for name, value in headers.items()}
        environ["CONTENT_TYPE"] = environ.pop("HTTP_CONTENT_TYPE", "")
        environ |= {"REQUEST_METHOD": "POST", "PATH_INFO": path, "QUERY_STRING": "", "CONTENT_LENGTH": str(len(body))}
        answered: list[tuple[str, dict[str, str]]] = []

        def start(status: str, sent: list[tuple[str, str]], _exc_info: Any = None) -> None:
            answered.append((status, dict(sent)))

        text = b"".join(self.gate({**environ, "wsgi.input": io.BytesIO(body)}, start)).decode()
        return (*answered[0], text)


def test_signed_request_passes_whole_and_its_answer_carries_no_cors() -> None:
    asked = Asked()
    status, headers, text = asked.ask("ec2", b"Action=DescribeInstances")
    assert (status, text, asked.behind.bodies) == ("200 OK", "<ok/>", [b"Action=DescribeInstances"])
    assert not [name for name in headers if name.lower().startswith("access-control-")]


def test_call_is_recorded() -> None:
    asked = Asked()
    asked.ask("ec2", b"Action=DescribeInstances")
    (call,) = asked.calls
    assert (call["service"], call["action"], call["status"], call["caller"]) == (
        "ec2", "DescribeInstances", 200, KEY.access_key,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"Host": "127.0.0.1:4000"}, "not signed"),
        ({"Host": "127.0.0.1:4000", "Origin": "https://example.org"}, "no browser"),
        ({"Host": "rebound.example.org"}, "does not answer under the name"),
        ({"Host": "amazonaws.com.example.org"}, "does not answer under the name"),
    ],
)
def test_refused_request_reaches_nothing_and_is_recorded(headers: dict[str, str], words: str) -> None:
    asked = Asked()
    status, _, text = asked.send(headers, b"Action=RunInstances")
    assert status.startswith("403")
    assert words in text
    assert asked.behind.bodies == []
    assert asked.calls[0]["refusal"] != ""


def test_what_is_public_is_answered_without_a_signature_and_recorded_as_anonymous() -> None:
    asked = Asked()
    status, _, text = asked.send({"Host": "127.0.0.1:4000"}, path="/public")
    assert (status, text) == ("200 OK", "<ok/>")
    assert (asked.calls[0]["service"], asked.calls[0]["caller"]) == ("s3", "anonymous")


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        ({"Host": "127.0.0.1:4000", "Origin": "https://example.org"}, "no browser"),
        ({"Host": "rebound.example.org"}, "does not answer under the name"),
    ],
)
def test_what_is_public_is_closed_to_browsers_all_the_same(headers: dict[str, str], words: str) -> None:
    asked = Asked()
    status, _, text = asked.send(headers, path="/public")
    assert status.startswith("403")
    assert words in text
    assert asked.behind.bodies == []


@pytest.mark.parametrize("path", ["/moto-api/data.json", "/moto-api/reset"])
def test_motos_control_pages_are_closed_to_signed_requests_too(path: str) -> None:
    asked = Asked()
    status, _, _ = asked.ask("ec2", b"", path=path)
    assert status.startswith("403")
    assert asked.behind.bodies == []


@pytest.mark.parametrize(
    ("service", "body", "region", "code"),
    [
        ("ec2", b"Action=AllocateAddress", "us-east-1", "<Code>UnsupportedOperation</Code>"),
        ("ec2", b"Action=DescribeInstances", "eu-west-1", "<Code>OptInRequired</Code>"),
        ("rds", b"Action=DescribeDBInstances", "us-east-1", "<Code>UnsupportedOperation</Code>"),
    ],
)
def test_what_cannot_be_answered_truthfully_is_refused(service: str, body: bytes, region: str, code: str) -> None:
    asked = Asked()
    status, _, text = asked.ask(service, body, region=region)
    assert status.startswith("403")
    assert code in text
    assert asked.behind.bodies == []


def test_json_service_is_refused_in_json() -> None:
    asked = Asked()
    target = {"X-Amz-Target": "AmazonSSM.GetParameter"}
    status, _, text = asked.send({"Host": "127.0.0.1:4000", **target}, b"{}")
    assert (status, json.loads(text)["__type"]) == ("403 Forbidden", "MissingAuthenticationToken")
