"""Questions to servers and what they answer, as frozen values. Pure.

A question is a command, as somebody would give it to a server's /bin/sh.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True)
class Answer:
    """What a command said. `code` is its exit code; 128 and more is a signal. `seconds` is the server's own time for it.

    `is_native` says that no program was started for it. `killed` is "late" or "long" for a command that was killed because
    it took too long or said too much, "cut" where what it said is more than the way brings back, "" for all others.
    """

    code: int
    stdout: bytes
    stderr: bytes
    seconds: float = 0.0
    is_native: bool = False
    killed: str = ""


@dataclass(frozen=True)
class Cost:
    """What it took to ask: connections, sessions, bytes both ways, API calls, and the servers' own time for the answers."""

    connections: int = 0
    sessions: int = 0
    bytes_sent: int = 0
    bytes_received: int = 0
    api_calls: int = 0
    server_seconds: float = 0.0

    def __add__(self, other: "Cost") -> "Cost":
        """Return both together."""
        return Cost(
            self.connections + other.connections,
            self.sessions + other.sessions,
            self.bytes_sent + other.bytes_sent,
            self.bytes_received + other.bytes_received,
            self.api_calls + other.api_calls,
            self.server_seconds + other.server_seconds,
        )

    def __str__(self) -> str:
        """Return it in words."""
        kilobytes = (self.bytes_sent + self.bytes_received) / 1000
        calls = f"{self.api_calls:,} API calls, " if self.api_calls else ""
        return f"{self.connections:,} connections, {self.sessions:,} sessions, {calls}{kilobytes:,.0f} kB"


@dataclass(frozen=True)
class Replies:
    """What one server said: its answers by question, and why it said no more, "" when it answered everything."""

    answers: Mapping[str, Answer] = field(default_factory=dict)
    trouble: str = ""


@dataclass(frozen=True)
class SshHost:
    """How one server is reached. What is empty, or no port, is as ssh_config(5) has it: the file `config`, else the user's own.

    `known_hosts` is the text of lines as in known_hosts(5); with none, "", the user's own file counts. `become` is what its
    session is started with: see sudo. `proxy_command` is a program whose two ends lead to its sshd, such as a tunnel.
    """

    address: str
    user: str = ""
    known_hosts: str = ""
    port: int | None = None
    private_key: str = ""
    config: str = ""
    become: tuple[str, ...] = ()
    proxy_command: tuple[str, ...] = ()


@dataclass(frozen=True)
class SsmHost:
    """A managed node of Systems Manager, which answers as root. `group` is the Auto Scaling group all of which is asked, or "".

    `profile` and `region` are AWS's; what is empty is found the standard way.
    """

    instance_id: str
    address: str = ""
    group: str = ""
    profile: str = ""
    region: str = ""


@dataclass(frozen=True)
class LocalHost:
    """This server itself; `become` as in SshHost."""

    address: str = "localhost"
    become: tuple[str, ...] = ()


Host = SshHost | SsmHost | LocalHost


@dataclass(frozen=True)
class Limits:
    """How long, and how many at once.

    `sessions` is how many may be open at one time, 0 for any number: where there are more servers, each session ends with
    its answers. `login_seconds` is how long a login that is refused is tried again, for servers that may still be booting;
    `silence_seconds` is how long a server may say nothing beyond a question's own time, `answers_seconds` how long it may
    take for all that it is asked at one time.
    """

    connect_seconds: float = 10.0
    login_seconds: float = 0.0
    question_seconds: float = 60.0
    silence_seconds: float = 15.0
    answers_seconds: float = 300.0
    handshakes: int = 100
    sessions: int = 0


def sudo(user: str = "") -> tuple[str, ...]:
    """Return what a session is started with to be another user's, root's unless one is named; it never asks for a password."""
    return ("sudo", "-n", *(("-u", user) if user else ()), "--")


class Transport(Protocol):
    """A way to servers, which are called by name; may be asked again and again until it is closed."""

    def ask(self, questions: Mapping[str, Sequence[str]]) -> dict[str, Replies]:
        """Ask each server its questions, all servers at once, and return what each said. Trouble is a value, never raised."""
        ...

    def close(self) -> None:
        """End every connection."""
        ...

    @property
    def cost(self) -> Cost:
        """What all that was asked so far has taken."""
        ...

    @property
    def asks_one_first(self) -> bool:
        """Tell whether asking all servers again costs so much that one should be asked first, until nothing is open."""
        ...
