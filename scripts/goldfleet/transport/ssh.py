"""Asks servers over SSH: one connection and one session for each, which stays open until the transport is closed.

Host keys are pinned; a server with another key is refused. Handshakes at one time are bounded, and a server that turns one
away because of too many (MaxStartups) is tried again a little later. Source: sshd_config(5), MaxStartups.
"""

import asyncio
import contextlib
import itertools
import os
import random
import socket
import threading
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import asyncssh

from goldfleet.transport.model import Answer, Cost, Replies
from goldfleet.transport.protocol import AnswerReader, GarbageError, agent_source, encode_questions, session_command

T = TypeVar("T")
READ_BYTES = 256 * 1024
TRIES = 5
"""How often a handshake is tried that the server's side ends before it says who it is."""

FIRST_PAUSE_SECONDS = 0.2


@dataclass(frozen=True)
class SshHost:
    """How one server is reached. What is empty, or no port, is as ssh_config(5) has it: the file `config`, else the user's own.

    `known_hosts` is the text of lines as in known_hosts(5); with none, "", the user's own file counts. `become` is what its
    session is started with, such as ("sudo", "-n", "--").
    """

    address: str
    user: str = ""
    known_hosts: str = ""
    port: int | None = None
    private_key: str = ""
    config: str = ""
    become: tuple[str, ...] = ()


@dataclass(frozen=True)
class SshLimits:
    """How long, and how many at once. `silence_seconds` is how long a server may say nothing beyond a question's own time."""

    connect_seconds: float = 10.0
    question_seconds: float = 60.0
    silence_seconds: float = 15.0
    handshakes: int = 100


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
        while not session.reader.is_over:
            try:
                patience = limits.question_seconds + limits.silence_seconds
                data = await asyncio.wait_for(session.process.stdout.read(READ_BYTES), patience)
                self._cost += Cost(bytes_received=len(data))
                for number, answer in session.reader.feed(data):
                    if number >= len(questions):
                        raise GarbageError(f"it answered question {number} of {len(questions)}")
                    answers[questions[number]] = answer
            except TimeoutError:
                return f"it said nothing for {patience:.0f} s; {_stuck_at(questions, answers)}"
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
        for tried in itertools.count(1):
            try:
                async with self._handshakes:  # the wait for one's turn counts for nothing
                    connection = await asyncio.wait_for(self._handshake(host), self._limits.connect_seconds)
            except (OSError, UnicodeError, asyncssh.Error) as error:
                is_turned_away = isinstance(error, asyncssh.ConnectionLost | ConnectionResetError)
                if not is_turned_away or tried == TRIES:
                    raise UnreachedError(explain_unreached(error, host, self._limits.connect_seconds)) from error
            else:
                self._cost += Cost(connections=1)
                return connection
            # Too many at once, perhaps: a little later, and not all at the same time.
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
            pause *= 2
        raise AssertionError("counting never ends")

    async def _handshake(self, host: SshHost) -> asyncssh.SSHClientConnection:
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
        return await asyncssh.connect(host.address, keepalive_interval=15, keepalive_count_max=4, **options)

    async def _close(self) -> None:
        for connection in self._connections:
            connection.abort()
        await asyncio.sleep(0)


def explain_unreached(error: OSError | UnicodeError | asyncssh.Error, host: SshHost, seconds: float) -> str:
    """Return why there is no connection to a server, and what to do about it."""
    address, said = host.address, str(error)
    match error:
        case TimeoutError():
            see = "see whether it runs, and whether its security groups let this machine in"
            return f"no answer from {address} within {seconds:.0f} s: {see}"
        case asyncssh.HostKeyNotVerifiable():
            pin = "pin the keys from its console (`goldfleet known-hosts`), or find out who answers there"
            return f"the host key that {address} shows is none of those known for it: {pin}"
        case asyncssh.PermissionDenied():
            return f"login denied to {host.user or 'this user'} on {address}: check user and private key ({said})"
        case asyncssh.ConnectionLost() | ConnectionResetError():
            return f"sshd on {address} ends connections before the login: see its log, and MaxStartups ({said})"
        case socket.gaierror() | UnicodeError():
            said = "it is not the name of any host; give its address, or a name that is resolved here"
        case OSError(errno=int() as number):
            said = os.strerror(number)
    return f"no connection to {address}: {said}"


def _stuck_at(questions: Sequence[str], answers: Mapping[str, Answer]) -> str:
    waiting = [one for one in questions if one not in answers]
    return f"{len(answers)} of {len(questions)} commands were answered, the next was: {waiting[0] if waiting else ''}"
