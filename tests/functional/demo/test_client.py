"""One GET, judged, against real sockets."""

import asyncio
import re
import socket
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from goldfleet.demo.client import Client, Expectation, parse_url
from goldfleet.demo.traffic import Request
from goldfleet.errors import UsageError
from tests.doubles import web

VERSION = re.compile(r"Image version: ([^<]+)")
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"14;note=x\r\n<p>Image version: ru\r\n7\r\nn-1</p>\r\n0\r\nTrailer: yes\r\n\r\n"
)
ENDED_BY_CLOSING = b"HTTP/1.1 200 OK\r\n\r\n" + web.PAGE
CUT = b"HTTP/1.1 200 OK\r\nContent-Length: 900\r\n\r\n" + web.PAGE


def send(url: str, kinds: Sequence[bool] = (False,), timeout_seconds: float = 5.0) -> list[Request]:
    """Send one request after the other; True wants a kept connection."""

    async def send_all() -> list[Request]:
        expectation = Expectation(200, VERSION, timeout_seconds)
        client = Client(parse_url(url), expectation, kept_connections=1)
        now = asyncio.get_running_loop().time
        sent = [await client.send(now(), 1000.0 + number, is_kept=kind) for number, kind in enumerate(kinds)]
        await client.close()
        return sent

    return asyncio.run(send_all())


@pytest.mark.parametrize(
    "text", [web.answer(), CHUNKED, ENDED_BY_CLOSING], ids=["length", "chunks", "ended by closing"]
)
@pytest.mark.parametrize("is_kept", [False, True], ids=["new", "kept"])
def test_good_answer_is_ok_and_names_its_version(text: bytes, is_kept: bool) -> None:
    with web.web_server(web.answers_once(text)) as url:
        [request] = send(url, [is_kept])
    assert (request.ok, request.status, request.error, request.version) == (True, 200, "", "run-1")
    assert request.time == 1000.0
    assert 0 < request.latency < 5


@pytest.mark.parametrize(
    ("serve", "error", "status"),
    [
        (web.keeps_answering(web.answer(status="503 Service Unavailable")), "status 503", 503),
        (web.keeps_answering(web.answer(b"Welcome to nginx!")), "unexpected body", 200),
        (web.keeps_answering(b"HTTP/1.1 204 No Content\r\n\r\n"), "status 204", 204),
        (web.answers_once(b""), "connection closed, no answer", 0),
        (web.answers_once(CUT), "connection closed in the middle of an answer", 0),
        (web.answers_once(b"SSH-2.0-OpenSSH_9.2p1\r\n\r\n"), "answer is not HTTP", 0),
        (web.answers_once(b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000), "answer is not HTTP", 0),
        (web.resets, "connection reset", 0),
    ],
    ids=["wrong status", "wrong body", "no body", "closed", "cut short", "not HTTP", "endless header", "reset"],
)
def test_anything_else_fails_and_says_why(serve: web.Serve, error: str, status: int) -> None:
    with web.web_server(serve) as url:
        [request] = send(url)
    assert (request.ok, request.error, request.status) == (False, error, status)


def test_nobody_listening_is_connection_refused() -> None:
    with web.web_server(web.never_answers) as url:
        pass
    [request] = send(url)
    assert (request.ok, request.error) == (False, "connection refused")


def test_name_of_two_addresses_says_what_became_of_the_first(monkeypatch: pytest.MonkeyPatch) -> None:
    """The addresses are both loopback's; only the resolver's answer is given."""
    with web.web_server(web.never_answers) as url:
        port = int(url.rsplit(":", 1)[1].rstrip("/"))
    asked = socket.getaddrinfo

    def two(host: str, *arguments: Any, **named: Any) -> list[Any]:
        return [found for name in ("127.0.0.1", "127.0.0.2") for found in asked(name, *arguments, **named)]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    [request] = send(f"http://two.addresses:{port}/")
    assert (request.ok, request.error) == (False, "connection refused")


@pytest.mark.parametrize("serve", [web.never_answers, web.drips], ids=["says nothing", "drips"])
def test_answer_that_takes_too_long_fails_when_its_time_is_over(serve: web.Serve) -> None:
    with web.web_server(serve) as url:
        [request] = send(url, timeout_seconds=0.3)
    assert (request.ok, request.error) == (False, "no answer in time")
    assert 0.3 <= request.latency < 3


def test_kept_connection_carries_the_next_request() -> None:
    with web.web_server(web.keeps_answering()) as url:
        requests = send(url, [True, True, False, True])
    assert [(request.ok, request.connection) for request in requests] == [
        (True, "new"), (True, "kept"), (True, "new"), (True, "kept"),
    ]  # fmt: skip


def test_connection_that_the_server_means_to_close_is_not_kept() -> None:
    with web.web_server(web.keeps_answering(web.answer(headers="Connection: close\r\n"))) as url:
        requests = send(url, [True, True])
    assert [(request.ok, request.connection) for request in requests] == [(True, "new"), (True, "new")]


def test_kept_connection_closed_between_requests_is_replaced_and_no_failure() -> None:
    """The event loop had no chance to see the end: it is found all the same."""
    closed = threading.Event()
    with web.web_server(web.answers_once(web.answer(), closed)) as url:

        async def send_two() -> list[Request]:
            client = Client(parse_url(url), Expectation(200, VERSION), kept_connections=1)
            now = asyncio.get_running_loop().time
            first = await client.send(now(), 0.0, is_kept=True)
            assert closed.wait(10)
            return [first, await client.send(now(), 1.0, is_kept=True)]

        requests = asyncio.run(send_two())
    assert [(request.ok, request.connection) for request in requests] == [(True, "new"), (True, "new")]


def test_kept_connection_closed_after_the_request_was_written_fails() -> None:
    with web.web_server(web.closes_at_the_second_request) as url:
        requests = send(url, [True, True])
    assert [(request.ok, request.connection, request.error) for request in requests] == [
        (True, "new", ""),
        (False, "kept", "connection closed, no answer"),
    ]


def test_late_start_counts_as_waiting() -> None:
    with web.web_server(web.keeps_answering()) as url:

        async def send_late() -> Request:
            due = asyncio.get_running_loop().time() - 2
            return await Client(parse_url(url), Expectation(200, VERSION)).send(due, 0.0, is_kept=False)

        request = asyncio.run(send_late())
    assert request.ok
    assert request.latency > 2


@pytest.mark.parametrize(
    "url", ["https://10.64.0.9/", "10.64.0.9", "http:///x", "http://10.64.0.9:http/"],
    ids=["https", "no scheme", "no host", "port is a word"],
)  # fmt: skip
def test_what_is_no_http_url_is_refused(url: str) -> None:
    with pytest.raises(UsageError, match=r"Give one like http://10\.64\.0\.9/"):
        parse_url(url)


def test_request_names_host_port_path_and_query_and_no_password() -> None:
    heard: list[bytes] = []
    with web.web_server(web.hears(heard)) as url:
        host = url.removeprefix("http://").removesuffix("/")
        [request] = send(f"http://user:secret@{host}/status?x=1")
    assert request.ok
    [line, *headers] = heard[0].decode().split("\r\n")
    assert line == "GET /status?x=1 HTTP/1.1"
    assert f"Host: {host}" in headers
    assert "secret" not in heard[0].decode()
