"""Asks servers by sessions that stay open: one for each server, all servers at once. How a session is opened is for others.

Where sessions are few, each ends as soon as its server has answered, and the next server's may begin. So it is where this
process may not open as many files as there are servers.
"""

import asyncio
import contextlib
import resource
import threading
from abc import ABC, abstractmethod
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from goldfleet.transport.model import Answer, Cost, Limits, Replies
from goldfleet.transport.protocol import AnswerReader, GarbageError, agent_source, encode_questions

T = TypeVar("T")
READ_BYTES = 256 * 1024
SPARE_FILES = 64
"""What everything else in the process keeps open, at most."""

LAST_WORDS_SECONDS = 5.0
"""How long a session that is over may take to say why."""


class UnreachedError(Exception):
    """There is no session; the message says why."""


class Process(Protocol):
    """The agent as a running program; asyncssh's and asyncio's are both one."""

    @property
    def stdin(self) -> Any: ...
    @property
    def stdout(self) -> Any: ...
    @property
    def stderr(self) -> Any: ...
    @property
    def returncode(self) -> int | None: ...
    async def wait(self) -> Any: ...


@dataclass
class Session:
    """A session, and what has come of it so far."""

    process: Process
    reader: AnswerReader = field(default_factory=AnswerReader)
    is_broken: bool = False


class Sessions(ABC):
    """Servers that are asked by sessions, by name."""

    lost: tuple[type[Exception], ...] = (OSError,)
    """What reading raises when a connection is gone."""

    files = 4
    """How many files a session keeps open here, at most."""

    def __init__(self, limits: Limits, number_of_servers: int) -> None:
        self._limits = limits
        wanted = min(limits.sessions or number_of_servers, number_of_servers)
        most = min(wanted, max(1, openable_files(wanted * self.files) // self.files))
        self._are_few = most < number_of_servers
        self._sessions: dict[str, Session] = {}
        self._cost = Cost()
        self._loop = asyncio.new_event_loop()
        self._places = asyncio.Semaphore(max(1, most))
        self._thread = threading.Thread(target=self._loop.run_forever, name="sessions", daemon=True)
        self._thread.start()

    @property
    def cost(self) -> Cost:
        """What all that was asked so far has taken."""
        return self._cost

    @property
    def asks_one_first(self) -> bool:
        """Tell whether asking all servers again costs so much that one should be asked first, until nothing is open."""
        return self._are_few

    def ask(self, questions: Mapping[str, Sequence[str]]) -> dict[str, Replies]:
        """Ask each server its questions, all servers at once, and return what each said."""
        return self._run(self._ask_all(questions))

    def close(self) -> None:
        """End every connection."""
        if not self._loop.is_closed():
            self._run(self._close(list(self._sessions)))
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()

    @abstractmethod
    async def _open(self, name: str) -> Process:
        """Return the agent, started on a server. Raises UnreachedError."""

    @abstractmethod
    async def _close(self, names: Sequence[str]) -> None:
        """End the connections to servers."""

    def _run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _ask_all(self, questions: Mapping[str, Sequence[str]]) -> dict[str, Replies]:
        asked = [self._ask(name, some) for name, some in questions.items()]
        return dict(zip(questions, await asyncio.gather(*asked), strict=True))

    async def _ask(self, name: str, questions: Sequence[str]) -> Replies:
        if not self._are_few:
            return await self._ask_session(name, questions)
        async with self._places:
            try:
                return await self._ask_session(name, questions)
            finally:
                await self._close([name])
                self._sessions.pop(name, None)

    async def _ask_session(self, name: str, questions: Sequence[str]) -> Replies:
        try:
            session = self._sessions.get(name) or await self._begin(name)
        except UnreachedError as error:
            return Replies(trouble=str(error))
        answers: dict[str, Answer] = {}
        trouble = await self._collect(session, questions, answers)
        session.is_broken = bool(trouble)
        return Replies(answers, trouble)

    async def _begin(self, name: str) -> Session:
        process = await self._open(name)
        self._cost += Cost(sessions=1)
        source = agent_source()
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            process.stdin.write(source)
        self._cost += Cost(bytes_sent=len(source))
        self._sessions[name] = Session(process)
        return self._sessions[name]

    async def _collect(self, session: Session, questions: Sequence[str], answers: dict[str, Answer]) -> str:
        """Fill in the answers to questions as they come; return why some are missing, "" when none is."""
        if session.is_broken:
            return "the session is over"
        limits = self._limits
        sent = encode_questions(questions, limits.question_seconds)
        self._cost += Cost(bytes_sent=len(sent))
        session.reader.again()
        with contextlib.suppress(
            BrokenPipeError, ConnectionResetError
        ):  # it is over already: what it said last is read below
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
                    self._cost += Cost(server_seconds=answer.seconds)
            except TimeoutError:
                said = (
                    f"said nothing for {patience:.0f} s"
                    if patience < left
                    else f"took longer than {limits.answers_seconds:.0f} s"
                )
                return f"it {said}; {_stuck_at(questions, answers)}"
            except GarbageError as error:
                return str(error)
            except self.lost as error:
                return f"the connection was lost: {error}"
            if not data:
                return await self._why_it_ended(session, questions, answers)
        return ""

    async def _why_it_ended(self, session: Session, questions: Sequence[str], answers: Mapping[str, Answer]) -> str:
        process, said = session.process, b""
        with contextlib.suppress(asyncio.TimeoutError, *self.lost):
            said = await asyncio.wait_for(process.stderr.read(), LAST_WORDS_SECONDS)
            await asyncio.wait_for(process.wait(), LAST_WORDS_SECONDS)
        code = f" with exit code {process.returncode}" if process.returncode else ""
        if line := (said.decode("utf-8", "replace").strip() or session.reader.said_instead()):
            return f"the session ended{code}: {line.splitlines()[-1]}"
        return f"the session ended early{code}; {_stuck_at(questions, answers)}"


def openable_files(wanted: int) -> int:
    """Return how many files this process may open for sessions; its own limit is raised where that is less than wanted."""
    now, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if now not in (resource.RLIM_INFINITY, most) and wanted + SPARE_FILES > now:
        raised = wanted + SPARE_FILES if most == resource.RLIM_INFINITY else min(most, wanted + SPARE_FILES)
        resource.setrlimit(resource.RLIMIT_NOFILE, (raised, most))
        now = raised
    return wanted if now == resource.RLIM_INFINITY else now - SPARE_FILES


def _stuck_at(questions: Sequence[str], answers: Mapping[str, Answer]) -> str:
    waiting = [one for one in questions if one not in answers]
    return f"{len(answers)} of {len(questions)} commands were answered, the next was: {waiting[0] if waiting else ''}"
