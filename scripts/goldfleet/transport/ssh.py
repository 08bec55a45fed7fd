"""Asks servers over SSH: one connection and one session for each, which stays open until the transport is closed.

Host keys are pinned; a server with another key is refused. Handshakes at one time are bounded, and a server that turns one
away because of too many (MaxStartups) is tried again a little later. Source: sshd_config(5), MaxStartups.
"""

import asyncio
import contextlib
import errno
import itertools
import os
import random
import socket
import threading
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import asyncssh

from goldfleet.transport.model import Answer, Cost, Replies, SshHost, SshLimits
from goldfleet.transport.protocol import AnswerReader, GarbageError, agent_source, encode_questions, session_command

T = TypeVar("T")
_OF_A_BOOT = (ConnectionRefusedError, asyncssh.PermissionDenied, asyncssh.ConnectionLost, ConnectionResetError)
"""What a server says that is about to be ready: sshd is not up, or the user's key is not there yet."""

SSH_PORT = 22
READ_BYTES = 256 * 1024
TRIES = 5
"""How often a handshake is tried that the server's side ends before it says who it is."""

FIRST_PAUSE_SECONDS = 0.2

LOGIN_PAUSE_SECONDS = 1.0
"""How long after a refused login the next one is tried, while a server may still be booting."""


class UnreachedError(Exception):
    """There is no session; the message says why."""


@dataclass
class _Session:
    process: asyncssh.SSHClientProcess[bytes]
    reader: AnswerReader = field(default_factory=AnswerReader)
    is_broken: bool = False


class SshTransport:
    """Servers over SSH, by name."""

    def __init__(self, hosts: Mapping[str, SshHost], limits: SshLimits) -> None:
        self._hosts = hosts
        self._limits = limits
        self._sessions: dict[str, _Session] = {}
        self._connections: list[asyncssh.SSHClientConnection] = []
        self._cost = Cost()
        self._loop = asyncio.new_event_loop()
        self._handshakes = asyncio.Semaphore(limits.handshakes)
        self._thread = threading.Thread(target=self._loop.run_forever, name="ssh", daemon=True)
        self._thread.start()

    @property
    def cost(self) -> Cost:
        """What all that was asked so far has taken."""
        return self._cost

    def ask(self, questions: Mapping[str, Sequence[str]]) -> dict[str, Replies]:
        """Ask each server its questions, all servers at once, and return what each said."""
        return self._run(self._ask_all(questions))

    def close(self) -> None:
        """End every connection."""
        if not self._loop.is_closed():
            self._run(self._close())
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _ask_all(self, questions: Mapping[str, Sequence[str]]) -> dict[str, Replies]:
        asked = [self._ask(name, some) for name, some in questions.items()]
        return dict(zip(questions, await asyncio.gather(*asked), strict=True))

    async def _ask(self, name: str, questions: Sequence[str]) -> Replies:
        try:
            session = self._sessions.get(name) or await self._open(name)
        except UnreachedError as error:
            return Replies(trouble=str(error))
        answers: dict[str, Answer] = {}
        trouble = await self._collect(session, questions, answers)
        session.is_broken = bool(trouble)
        return Replies(answers, trouble)

    async def _collect(self, session: _Session, questions: Sequence[str], answers: dict[str, Answer]) -> str:
        """Fill in the answers to questions as they come; return why some are missing, "" when none is."""
        if session.is_broken:
            return "the session is over"
        limits = self._limits
        sent = encode_questions(questions, limits.question_seconds)
        self._cost += Cost(bytes_sent=len(sent))
        session.reader.again()
        with contextlib.suppress(BrokenPipeError):  # it is over already: what it said last is read below
            session.process.stdin.write(sent)
        deadline = self._loop.time() + limits.answers_seconds
        while not session.reader.is_over:
            try:
                left = deadline - self._loop.time()
                patience = min(limits.question_seconds + limits.silence_seconds, left)
                data = await asyncio.wait_for(session.process.stdout.read(READ_BYTES), patience)
                self._cost += Cost(bytes_received=len(data))
                for number, answer in session.reader.feed(data):
                    if number >= len(questions):
                        raise GarbageError(f"it answered question {number} of {len(questions)}")
                    answers[questions[number]] = answer
            except TimeoutError:
                said = (
                    f"said nothing for {patience:.0f} s"
                    if patience < left
                    else f"took longer than {limits.answers_seconds:.0f} s"
                )
                return f"it {said}; {_stuck_at(questions, answers)}"
            except GarbageError as error:
                return str(error)
            except (OSError, asyncssh.Error) as error:
                return f"the connection was lost: {error}"
            if not data:
                return await self._why_it_ended(session, questions, answers)
        return ""

    async def _why_it_ended(self, session: _Session, questions: Sequence[str], answers: Mapping[str, Answer]) -> str:
        with contextlib.suppress(asyncio.TimeoutError, asyncssh.Error, OSError):
            said = await asyncio.wait_for(session.process.stderr.read(), 1)
            if line := (said.decode("utf-8", "replace").strip() or session.reader.said_instead()):
                return f"the session ended: {line.splitlines()[-1]}"
        return f"the session ended early; {_stuck_at(questions, answers)}"

    async def _open(self, name: str) -> _Session:
        host = self._hosts[name]
        connection = await self._connect(host)
        self._connections.append(connection)
        try:
            process = await asyncio.wait_for(
                connection.create_process(session_command(host.become), encoding=None, term_type=None),
                self._limits.connect_seconds,
            )
        except TimeoutError:
            raise UnreachedError(f"no session within {self._limits.connect_seconds:.0f} s") from None
        except (OSError, asyncssh.Error) as error:
            raise UnreachedError(f"no session: {error}") from error
        self._cost += Cost(sessions=1)
        source = agent_source()
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(source)
        self._cost += Cost(bytes_sent=len(source))
        self._sessions[name] = _Session(process)
        return self._sessions[name]

    async def _connect(self, host: SshHost) -> asyncssh.SSHClientConnection:
        """Return a connection to a server. Raises UnreachedError."""
        pause = FIRST_PAUSE_SECONDS
        patient_until = self._loop.time() + self._limits.login_seconds
        seconds = self._limits.connect_seconds
        for tried in itertools.count(1):
            client = _Client()
            try:
                async with self._handshakes:  # the wait for one's turn counts for nothing
                    connection = await asyncio.wait_for(self._handshake(host, client), seconds)
            except (OSError, ValueError, asyncssh.Error) as error:
                is_turned_away = isinstance(error, asyncssh.ConnectionLost | ConnectionResetError) and tried < TRIES
                may_boot = isinstance(error, _OF_A_BOOT) and self._loop.time() < patient_until
                if not is_turned_away and not may_boot:
                    raise UnreachedError(explain_unreached(error, host, seconds, is_open=client.is_open)) from error
            else:
                self._cost += Cost(connections=1)
                return connection
            # Too many at once, perhaps: a little later, and not all at the same time.
            await asyncio.sleep(LOGIN_PAUSE_SECONDS if may_boot else pause * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
            pause *= 2
        raise AssertionError("counting never ends")

    async def _handshake(self, host: SshHost, client: "_Client") -> asyncssh.SSHClientConnection:
        chosen: dict[str, Any] = {
            "username": host.user,
            "client_keys": [host.private_key] if host.private_key else None,
        }
        chosen |= {"config": [host.config] if host.config else None, "port": host.port}
        if host.known_hosts:
            chosen["known_hosts"] = asyncssh.import_known_hosts(host.known_hosts)
        options = {name: value for name, value in chosen.items() if value}
        if host.private_key:
            options["agent_path"] = None
        return await asyncssh.connect(
            host.address, keepalive_interval=15, keepalive_count_max=4, client_factory=lambda: client, **options
        )

    async def _close(self) -> None:
        for connection in self._connections:
            connection.abort()
        await asyncio.sleep(0)


def explain_unreached(
    error: OSError | ValueError | asyncssh.Error, host: SshHost, seconds: float, *, is_open: bool = False
) -> str:
    """Return why there is no connection to a server, and what to do about it; `is_open` tells that its port answered."""
    address, port, said = host.address, host.port or SSH_PORT, str(error)
    match error:
        case TimeoutError() if is_open:
            why = f"port {port} of {address} is open, but sshd does not answer within {seconds:.0f} s"
        case TimeoutError():
            why = (
                f"SSH is closed: port {port} of {address} did not answer within {seconds:.0f} s; the instance's security "
                f"groups (and network ACLs) must allow port {port} from this machine"
            )
        case asyncssh.HostKeyNotVerifiable():
            why = (
                f"the host key of {address} is none of those pinned for it: another machine answers at this address, or its "
                "host keys were made anew after the launch; do not trust it before you know which"
            )
        case asyncssh.PermissionDenied():
            why = (
                f"login denied to user {host.user or 'of this name'} on {address}: check user and private key (ssh_username "
                f"of the image and ssh_private_key of the group in goldfleet.toml) against the key pair of the launch ({said})"
            )
        case asyncssh.ConnectionLost() | ConnectionResetError():
            why = f"sshd on {address} ends connections before the login: see its log, and MaxStartups ({said})"
        case ConnectionRefusedError():
            why = f"connection refused: no sshd listens on port {port} of {address}"
        case socket.gaierror() | UnicodeError():
            why = f"{address} is not the name of any host; give its address, or a name that is resolved here"
        case OSError(errno=errno.EHOSTUNREACH | errno.ENETUNREACH):
            why = f"no way to {address}: the instance is gone, or this machine is not in its network"
        case asyncssh.KeyImportError():
            why = (
                f"the private key {host.private_key} cannot be used: {said}. One with a passphrase is for ssh-agent: load it "
                "there, and name no key"
            )
        case _:
            number = error.errno if isinstance(error, OSError) else None
            why = f"no connection to {address}: {os.strerror(number) if number else said}"
    return why


class _Client(asyncssh.SSHClient):
    """Notes that somebody listens at the other end."""

    def __init__(self) -> None:
        self.is_open = False

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:  # noqa: ARG002 - asyncssh's signature
        self.is_open = True


def _stuck_at(questions: Sequence[str], answers: Mapping[str, Answer]) -> str:
    waiting = [one for one in questions if one not in answers]
    return f"{len(answers)} of {len(questions)} commands were answered, the next was: {waiting[0] if waiting else ''}"
