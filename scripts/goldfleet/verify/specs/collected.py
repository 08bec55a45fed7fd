"""What servers have answered so far, and what is to be done about a command that was not foreseen.

While a suite is learnt, such a command ends the test for now (NotYetAsked) and is asked of every server at once; while it is
judged, it is asked of the one server, counted and shown. A live test asks everything itself, when it runs.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from _pytest.outcomes import OutcomeException

from goldfleet.transport.model import Answer, Replies, Transport
from goldfleet.verify.specs.changes import changes_something
from goldfleet.verify.specs.table import UNKNOWN, AnswerTable

PRELUDE = (
    "uname -s",
    "cat /etc/os-release",
    "uname -m",
    "command -v command",
    "test -d /run/systemd/system/",
    "command -v dpkg-query",
    "command -v ss",
    "command -v systemctl",
    "realpath /sbin/init",
    "command -v service",
)
"""What testinfra asks of a server before what a test asks of packages, services, sockets. Source: testinfra 10.2, modules."""


WHO = ":goldfleet: what a server is called"
"""Stands in the table for a server's own name, which a test may look at as at an answer."""

WHY_KILLED = {
    "late": "the command did not end in time, so it was killed",
    "long": "the command said more than 64 MiB, so it was killed",
    "cut": "the command said more than Run Command brings back, which is 24,000 characters, compressed; check it over SSH",
}


class Phase(Enum):
    """What a command that a test gives is for."""

    LEARNING = "learning"
    JUDGING = "judging"
    LIVE = "live"


class NotYetAsked(
    OutcomeException
):  # it ends a test as pytest.fail does, past whatever `except Exception` the test has
    """A command's answer is not there yet; it will be asked, and the test starts anew."""


class ChangesSomething(OutcomeException):
    """A command would change the server: the test that gives it is a live one."""


class ServerLostError(OutcomeException):
    """A server does not answer, so nothing can be said about it."""


class KilledError(AssertionError):
    """A command has no answer, since it took too long or said too much."""


@dataclass
class Collected:
    """The answers of every server, by command; asks for more through a transport."""

    transport: Transport
    names: Sequence[str]
    table: AnswerTable = field(init=False)
    addresses: Mapping[str, str] = field(default_factory=dict)
    """Where each server is, by name."""

    phase: Phase = Phase.JUDGING
    trouble: dict[str, str] = field(default_factory=dict)
    unforeseen: list[tuple[str, str]] = field(default_factory=list)
    """Commands that had to be asked while tests were judged, each with its server."""

    missed: dict[str, dict[str, None]] = field(default_factory=dict)
    """Commands that tests wanted while the suite was learnt, in order, by server."""

    looked: dict[int, int] = field(default_factory=dict)
    """What was looked at since this was last cleared, as numbers: answers by question."""

    stopped: OutcomeException | None = None
    """What ended the present run of a test first, also where the test goes on as if nothing had happened."""

    def begin_test(self) -> None:
        """Forget what the last run of a test has looked at, and what ended it."""
        self.looked.clear()
        self.stopped = None

    def __post_init__(self) -> None:
        """Begin with nothing known but what servers are called."""
        self.table = AnswerTable(self.names)
        for name in self.names:
            self.table.put(name, WHO, Answer(0, name.encode(), b""))

    def answer(self, name: str, command: str) -> Answer:
        """Return a server's answer.

        Raises NotYetAsked and ChangesSomething while learning, ServerLostError, KilledError. What has ended a test ends it
        again, should it go on: it would go on without an answer.
        """
        if self.stopped is not None:
            raise self.stopped
        try:
            answer = self._answer(name, command)
        except OutcomeException as stopped:
            self.stopped = stopped
            raise
        if answer.killed:
            raise KilledError(f"{WHY_KILLED[answer.killed]}: {command}")
        return answer

    def _answer(self, name: str, command: str) -> Answer:
        return self._ask_now(name, command) if self.phase is Phase.LIVE else self._known(name, command)

    def ask_all(self, commands: Iterable[str]) -> None:
        """Ask every server that still answers what it was not asked yet."""
        wanted = list(dict.fromkeys(commands))
        self.ask(dict.fromkeys(self.names, wanted))

    def ask_first(self, commands: Iterable[str]) -> None:
        """Ask what is asked before anything is known: of every server, or of the first one, where that is better."""
        if self.names:
            self.ask_learning(self.names[0], commands)

    def ask_learning(self, name: str, commands: Iterable[str]) -> None:
        """Ask what a server's tests wanted to know: of every server, or of that one, where the others are asked later.

        What names that server's own address is asked of it alone: others might wait for it in vain.
        """
        wanted = tuple(commands)
        shared = tuple(one for one in wanted if not self._is_about(name, one))
        asked = dict.fromkeys([] if self.transport.asks_one_first else self.names, shared)
        self.ask({**asked, name: wanted})

    def ask_others(self, name: str) -> None:
        """Ask every server what one of them has answered, if that was not done yet."""
        if self.transport.asks_one_first:
            self.ask_all(self.answered(name))

    def answered(self, name: str) -> list[str]:
        """Return what a server was asked and has answered, without what is about that server alone."""
        row = self.table.row(name)
        known = [one for one, number in self.table.questions.items() if row[number] != UNKNOWN and one != WHO]
        return [one for one in known if not self._is_about(name, one)]

    def _is_about(self, name: str, command: str) -> bool:
        address = self.addresses.get(name, "")
        return bool(address and re.search(rf"(?<![\w.]){re.escape(address)}(?![\w.])", command))

    def ask(self, commands: Mapping[str, Iterable[str]]) -> None:
        """Ask each of these servers that still answers what it was not asked yet."""
        left = {name: list(some) for name, some in commands.items() if name not in self.trouble}
        questions = {name: self.table.missing(name, some) for name, some in left.items()}
        self._keep(self.transport.ask({name: some for name, some in questions.items() if some}))

    def look_who(self, name: str) -> None:
        """Note that a test has looked at what its server is called."""
        question = self.table.number(WHO)
        self.looked[question] = self.table.row(name)[question]

    def _known(self, name: str, command: str) -> Answer:
        question = self.table.number(command)
        known = self.table.row(name)[question]
        if known != UNKNOWN:
            self.looked[question] = known
            return self.table.answer(known)
        if self.phase is Phase.LEARNING:
            if changes_something(command):
                raise ChangesSomething(command)
            self.missed.setdefault(name, {})[command] = None
            raise NotYetAsked(command)
        answer = self._ask_now(name, command)
        self.unforeseen.append((name, command))
        self.looked[question] = self.table.put(name, command, answer)
        return answer

    def _ask_now(self, name: str, command: str) -> Answer:
        if name not in self.trouble:
            reply = self.transport.ask({name: [command]})[name]
            if reply.trouble:
                self.trouble[name] = reply.trouble
            if command in reply.answers:
                return reply.answers[command]
        raise ServerLostError(f"{name}: {self.trouble.get(name, 'no answer')}")

    def _keep(self, replies: Mapping[str, Replies]) -> None:
        for name, reply in replies.items():
            for command, answer in reply.answers.items():
                self.table.put(name, command, answer)
            if reply.trouble:
                self.trouble[name] = reply.trouble
