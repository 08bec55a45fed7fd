"""How questions go to the agent on a server, and answers come back. Pure; agent/session.py is the other end.

The agent itself goes first, through the session's standard input, and says HELLO: whatever a login prints before that is
no answer.
"""

import shlex
import signal
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.resources import files

from goldfleet.transport.model import Answer

HELLO = b"\0goldfleet-agent 1\n"
MOST_NOISE = 256 * 1024
"""How many bytes a login may print before HELLO."""

LONGEST_LINE = 200
KILLED = (b"late", b"long", b"cut")
"""What stands for the exit code of a command that the agent has killed, or whose answer it has left out."""

_PYTHON = "import sys; exec(sys.stdin.buffer.read(int(sys.stdin.buffer.readline())))"


class GarbageError(Exception):
    """What came is not what an agent says; the message says what came instead."""


def agent_source() -> bytes:
    """Return the agent for servers with Python, after its length: the first that a session's standard input gets."""
    source = python_agent("session.py")
    return b"%d\n%s" % (len(source), source)


def python_agent(way: str) -> bytes:
    """Return the agent in Python that takes questions in this way: session.py or packed.py."""
    folder = files("goldfleet.transport.agent")
    return b"".join((folder / name).read_bytes() for name in ("lookups.py", "agent.py", way))


def shell_agent() -> str:
    """Return the agent for /bin/sh."""
    return (files("goldfleet.transport.agent") / "agent.sh").read_text(encoding="utf-8")


def session_command(become: Sequence[str] = ()) -> str:
    """Return the command that a session runs: the agent in Python where there is Python, else the one for /bin/sh.

    `become` is what stands before it, such as ("sudo", "-n", "--"): it is asked for once, whatever is asked then.
    """
    python = f"exec python3 -I -S -c {shlex.quote(_PYTHON)}"
    choose = f"if command -v python3 >/dev/null 2>&1; then {python}; fi\n{shell_agent()}"
    return "exec " + shlex.join([*become, "/bin/sh", "-c", choose])


def encode_questions(questions: Sequence[str], seconds: float) -> bytes:
    """Return what asks an agent these questions, each of which may take so many seconds."""
    lines = [b"Q %g %d\n" % (seconds, len(questions))]
    for question in questions:
        command = question.encode("utf-8", "surrogateescape")
        lines.append(b"%d\n%s" % (len(command), command))
    return b"".join(lines)


@dataclass
class AnswerReader:
    """Makes answers of the bytes that a session's standard output brings, in whatever pieces they come."""

    _left: bytearray = field(default_factory=bytearray)
    _has_begun: bool = False
    is_over: bool = False
    """Whether all that was asked is answered."""

    def feed(self, data: bytes) -> list[tuple[int, Answer]]:
        """Return the answers that are whole now, each with the number of its question. Raises GarbageError."""
        self._left += data
        if not self._has_begun and not self._begin():
            return []
        found = []
        while answer := self._next():
            found.append(answer)
        return found

    def again(self) -> None:
        """Expect the answers to more questions."""
        self.is_over = False

    def said_instead(self) -> str:
        """Return the last line of what came and is no answer, "" when nothing came."""
        lines = self._left.decode("utf-8", "replace").strip().splitlines()
        return lines[-1].strip() if lines else ""

    def _begin(self) -> bool:
        at = self._left.find(HELLO)
        if at < 0 and len(self._left) > MOST_NOISE:
            raise GarbageError(f"its login printed more than {MOST_NOISE} bytes and did not come to an end")
        if at >= 0:
            del self._left[: at + len(HELLO)]
            self._has_begun = True
        return at >= 0

    def _next(self) -> tuple[int, Answer] | None:
        end = self._left.find(b"\n")
        if end < 0:
            if len(self._left) > LONGEST_LINE:
                raise GarbageError(f"it answered {bytes(self._left[:40])!r}")
            return None
        words = bytes(self._left[:end]).split()
        if words == [b"."]:
            del self._left[: end + 1]
            self.is_over = True
            return None
        try:
            kind, number, code, *sizes, how = words
            out, err, micros = map(int, sizes)
            if kind != b"A" or min(out, err, micros, int(number)) < 0:
                raise ValueError
            killed = code.decode("ascii", "replace") if code in KILLED else ""
            exit_code = 128 + signal.SIGKILL if killed else int(code)
        except ValueError:
            raise GarbageError(f"it answered {bytes(self._left[:40])!r}") from None
        if len(self._left) < end + 1 + out + err:
            return None
        text = bytes(self._left[end + 1 : end + 1 + out + err])
        del self._left[: end + 1 + out + err]
        answer = Answer(exit_code, text[:out], text[out:], micros / 1_000_000, how == b"n", killed)
        return int(number), answer
