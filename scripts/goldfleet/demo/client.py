"""One HTTP/1.1 GET, judged: over a new connection or a kept one, no retry, within a time.

A kept connection that the server closed between requests is seen closed before the request is written, and is replaced:
that is no failure. Closed after that, it is one: what a careful client would try again, this one counts.
Source: RFC 9112, 9.3.1 and 9.6.
"""

import asyncio
import http.client
import io
import re
import select
from collections import deque
from dataclasses import dataclass, field
from typing import NamedTuple
from urllib.parse import urlsplit

from goldfleet.demo.traffic import Request
from goldfleet.errors import UsageError

KEPT_CONNECTIONS = 8
WITHOUT_BODY = (204, 304)


@dataclass(frozen=True)
class Expectation:
    """What a good answer is. The first group of `body`, if it has one, is the version that answered."""

    status: int
    body: re.Pattern[str]
    timeout_seconds: float = 5.0

    def find_fault(self, answer: "Answer") -> str:
        """Return what is wrong with an answer, "" for nothing."""
        if answer.status != self.status:
            return f"status {answer.status}"
        return "" if self.body.search(answer.body) else "unexpected body"

    def find_version(self, answer: "Answer") -> str:
        """Return the version that an answer names, "" for none."""
        found = self.body.search(answer.body)
        return str(found.group(1) or "") if found and self.body.groups else ""


class Answer(NamedTuple):
    """What a server answered, and whether its connection can carry another request."""

    status: int
    body: str
    is_kept: bool


NO_ANSWER = Answer(0, "", is_kept=False)


@dataclass(frozen=True)
class Address:
    """Where requests go, from a URL of scheme http."""

    host: str
    port: int
    path: str
    authority: str

    @classmethod
    def parse(cls, url: str) -> "Address":
        """Raises UsageError for what is not an http URL with a host."""
        try:
            parts = urlsplit(url)
            port = parts.port or 80
        except ValueError as error:
            raise UsageError(f"{url!r} is no URL: {error}.", "Give one like http://10.64.0.9/.") from error
        if parts.scheme != "http" or not parts.hostname:
            raise UsageError(f"{url!r} is not a URL of scheme http with a host.", "Give one like http://10.64.0.9/.")
        path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        return cls(parts.hostname, port, path, parts.netloc.rpartition("@")[2])


@dataclass(eq=False)
class Connection:
    """One connection to the server."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @property
    def is_open(self) -> bool:
        """Tell whether the server has left it open and said nothing: anything to read now is its end, or nonsense.

        It asks the kernel, as the event loop may not have looked yet.
        """
        if self.writer.is_closing() or self.reader.at_eof():
            return False
        return not select.select([self.writer.get_extra_info("socket")], [], [], 0)[0]

    def drop(self) -> None:
        """Close it at once, whatever is under way."""
        self.writer.transport.abort()


@dataclass
class Client:
    """Sends GETs to one address; keeps a few connections, used in turn, as that many keep-alive clients would."""

    address: Address
    expectation: Expectation
    kept_connections: int = KEPT_CONNECTIONS
    _idle: deque[Connection] = field(default_factory=deque)
    _busy: int = 0

    async def send(self, due: float, epoch: float, *, is_kept: bool) -> Request:
        """Send one request that is due at `due` on the loop's clock (`epoch` on the wall's) and judge what comes back.

        Time counts from when it was due, so that a late start cannot make an answer look quick.
        """
        loop = asyncio.get_running_loop()
        connection: Connection | None = None
        answer, error, kind = NO_ANSWER, "", "new"
        self._busy += is_kept
        try:
            async with asyncio.timeout_at(due + self.expectation.timeout_seconds):
                connection = self._take() if is_kept else None
                kind = "kept" if connection else "new"
                connection = connection or await self._open()
                answer = await exchange(connection, self.address, is_kept=is_kept)
            error = self.expectation.find_fault(answer)
        except (OSError, EOFError, ValueError, asyncio.LimitOverrunError, http.client.HTTPException) as fault:
            error = describe(fault)
        latency = loop.time() - due
        self._busy -= is_kept
        self._put_back(connection, may_keep=answer.is_kept and is_kept)
        return Request(epoch, latency, not error, answer.status, error, self.expectation.find_version(answer), kind)

    async def _open(self) -> Connection:
        return Connection(*await asyncio.open_connection(self.address.host, self.address.port))

    def _take(self) -> Connection | None:
        """Return the kept connection that has been idle longest and is still open; None when a new one is due."""
        while self._idle and len(self._idle) + self._busy > self.kept_connections:
            connection = self._idle.popleft()
            if connection.is_open:
                return connection
            connection.drop()
        return None

    def _put_back(self, connection: Connection | None, *, may_keep: bool) -> None:
        if connection is None:
            return
        if may_keep and len(self._idle) < self.kept_connections:
            self._idle.append(connection)
        else:
            connection.drop()

    def close(self) -> None:
        """Drop the kept connections."""
        while self._idle:
            self._idle.pop().drop()


async def exchange(connection: Connection, address: Address, *, is_kept: bool) -> Answer:
    """Write a request and read its answer to the end."""
    header = (
        f"GET {address.path} HTTP/1.1\r\nHost: {address.authority}\r\nUser-Agent: goldfleet-demo\r\nAccept: */*\r\n"
    )
    closing = "" if is_kept else "Connection: close\r\n"
    connection.writer.write(f"{header}{closing}\r\n".encode())
    head = await connection.reader.readuntil(b"\r\n\r\n")
    line, _, rest = head.partition(b"\r\n")
    protocol, _, status_text = line.decode("latin-1").partition(" ")
    status = int(status_text.split(" ", 1)[0])
    headers = http.client.parse_headers(io.BytesIO(rest))
    body, is_framed = await read_body(connection.reader, status, headers)
    stays = protocol == "HTTP/1.1" and headers.get("Connection", "").lower() != "close"
    return Answer(status, body.decode("utf-8", "replace"), is_framed and stays)


async def read_body(reader: asyncio.StreamReader, status: int, headers: http.client.HTTPMessage) -> tuple[bytes, bool]:
    """Return the body, and whether its end was marked rather than being the connection's. Source: RFC 9112, 6.3."""
    if status in WITHOUT_BODY:
        return b"", True
    if headers.get("Transfer-Encoding", "").lower() == "chunked":
        return await read_chunks(reader), True
    length = headers.get("Content-Length")
    if length is None:
        return await reader.read(), False
    return await reader.readexactly(int(length)), True


async def read_chunks(reader: asyncio.StreamReader) -> bytes:
    """Return a body that comes in chunks; what follows the last one is read and dropped. Source: RFC 9112, 7.1."""
    parts = []
    while size := int((await reader.readuntil(b"\r\n")).partition(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return b"".join(parts)


def describe(fault: Exception) -> str:
    """Return in a few words, the same for all of a kind, why no answer came."""
    match fault:
        case TimeoutError():
            return "no answer in time"
        case ConnectionRefusedError():
            return "connection refused"
        case ConnectionError():
            return "connection reset"
        case asyncio.IncompleteReadError():
            return "connection closed in the middle of an answer" if fault.partial else "connection closed, no answer"
        case OSError():
            return fault.strerror or type(fault).__name__
    return "answer is not HTTP"
