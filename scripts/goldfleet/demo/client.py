"""One HTTP/1.1 GET, judged: over a new connection or a kept one, no retry, within a time.

A kept connection that the server closed between requests is seen closed before the request is written, and is replaced:
that is no failure. Closed after that, it is one: what a careful client would try again, this one counts.
Source: RFC 9112, 9.3.1 and 9.6.
"""

import asyncio
import re
from dataclasses import dataclass, field
from itertools import cycle

import httpcore

from goldfleet.demo.traffic import Request
from goldfleet.errors import UsageError

KEPT_CONNECTIONS = 8
HEADERS = [("User-Agent", "goldfleet-demo"), ("Accept", "*/*")]
CLOSED_BY_SERVER = {
    "Server disconnected": "connection closed, no answer",
    "peer closed connection": "connection closed in the middle of an answer",
}


@dataclass(frozen=True)
class Expectation:
    """What a good answer is. The first group of `body`, if it has one, is the version that answered."""

    status: int
    body: re.Pattern[str]
    timeout_seconds: float = 5.0

    def find_fault(self, status: int, body: str) -> str:
        """Return what is wrong with an answer, "" for nothing."""
        if status != self.status:
            return f"status {status}"
        return "" if self.body.search(body) else "unexpected body"

    def find_version(self, body: str) -> str:
        """Return the version that an answer names, "" for none."""
        found = self.body.search(body)
        return str(found.group(1) or "") if found and self.body.groups else ""


def parse_url(text: str) -> httpcore.URL:
    """Return where requests go. Raises UsageError for what is not a URL of scheme http with a host."""
    try:
        url = httpcore.URL(text)
    except ValueError as error:
        raise UsageError(f"{text!r} is no URL: {error}.", "Give one like http://10.64.0.9/.") from error
    if url.scheme != b"http" or not url.host:
        raise UsageError(f"{text!r} is not a URL of scheme http with a host.", "Give one like http://10.64.0.9/.")
    return url


@dataclass
class Client:
    """Sends GETs to one URL; keeps a few connections, used in turn, as that many keep-alive clients would."""

    url: httpcore.URL
    expectation: Expectation
    kept_connections: int = KEPT_CONNECTIONS
    _new: httpcore.AsyncConnectionPool = field(init=False)
    _kept: list[httpcore.AsyncConnectionPool] = field(init=False)
    _turns: "cycle[httpcore.AsyncConnectionPool]" = field(init=False)

    def __post_init__(self) -> None:
        """Make a pool of one connection for each that is kept: a pool of many would use its first one only."""
        self._new = open_pool(kept=0)
        self._kept = [open_pool(kept=1) for _ in range(self.kept_connections)]
        self._turns = cycle(self._kept)

    async def send(self, due: float, epoch: float, *, is_kept: bool) -> Request:
        """Send one request that is due at `due` on the loop's clock (`epoch` on the wall's) and judge what comes back.

        Time counts from when it was due, so that a late start cannot make an answer look quick.
        """
        loop = asyncio.get_running_loop()
        pool = next(self._turns) if is_kept else self._new
        headers = HEADERS if is_kept else [*HEADERS, ("Connection", "close")]
        connecting = Connecting()
        status, body = 0, ""
        try:
            async with asyncio.timeout_at(due + self.expectation.timeout_seconds):
                answer = await pool.request("GET", self.url, headers=headers, extensions={"trace": connecting.note})
            status, body = answer.status, answer.content.decode("utf-8", "replace")
            error = self.expectation.find_fault(status, body)
        except (TimeoutError, httpcore.NetworkError, httpcore.ProtocolError) as fault:
            error = describe(fault)
        latency = loop.time() - due
        kind = "new" if connecting.is_seen else "kept"
        return Request(epoch, latency, not error, status, error, self.expectation.find_version(body), kind)

    async def close(self) -> None:
        """Close the kept connections."""
        for pool in (self._new, *self._kept):
            await pool.aclose()


@dataclass
class Connecting:
    """Whether a request opened a connection of its own."""

    is_seen: bool = False

    async def note(self, event: str, _: object) -> None:
        """Hear what the pool does. Source: httpcore, "Extensions", trace."""
        self.is_seen = self.is_seen or event == "connection.connect_tcp.started"


def open_pool(kept: int) -> httpcore.AsyncConnectionPool:
    """Return a pool that keeps so many connections for as long as the server does, and tries nothing again."""
    return httpcore.AsyncConnectionPool(
        max_connections=None, max_keepalive_connections=kept, keepalive_expiry=None, retries=0
    )


def describe(fault: Exception) -> str:
    """Return in a few words, the same for all of a kind, why no answer came."""
    match fault:
        case TimeoutError():
            return "no answer in time"
        case httpcore.ConnectError():
            return describe_connecting(fault)
        case httpcore.NetworkError():
            return "connection reset"
    return next(
        (words for start, words in CLOSED_BY_SERVER.items() if str(fault).startswith(start)), "answer is not HTTP"
    )


def describe_connecting(fault: httpcore.ConnectError) -> str:
    """Return what the operating system said of a connection that could not be opened.

    It stands below the error that httpcore hands on: one, or one for each address of a name.
    """
    cause: object = fault.args[0] if fault.args else None
    while isinstance(cause, BaseException) and cause.__cause__ is not None:
        cause = cause.__cause__
    if isinstance(cause, BaseExceptionGroup):
        cause = cause.exceptions[0]
    if isinstance(cause, ConnectionRefusedError):
        return "connection refused"
    return (cause.strerror if isinstance(cause, OSError) else None) or "connection could not be opened"
