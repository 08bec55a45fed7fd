"""Questions as one command line, and answers as one line of text: for a service that runs a command and cuts off what it says.

agent/packed.py is the other end, where there is Python; else it is the agent for /bin/sh, whose answers are compressed whole.
What a server is expected to answer goes there as digests, and answers that are as expected do not come back. Pure.
"""

import base64
import binascii
import gzip
import shlex
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from goldfleet.transport.model import Answer
from goldfleet.transport.protocol import (
    HELLO,
    AnswerReader,
    GarbageError,
    encode_questions,
    python_agent,
    shell_agent,
)

DIGEST_BYTES = 8
UNEXPECTED = bytes(DIGEST_BYTES)
_PYTHON, _SHELL, _END = "P", "G", "."
_END_OF_TEXT = "goldfleet-end"


class CutOffError(Exception):
    """The line has no end: the service has cut it off."""


@dataclass(frozen=True)
class Packed:
    """What a line says, by the number of the question: which answers are as expected, and the others.

    `seconds` is what those that are as expected took together.
    """

    same: frozenset[int] = frozenset()
    seconds: float = 0.0
    answers: Mapping[int, Answer] = field(default_factory=dict)


def digest(answer: Answer) -> bytes:
    """Return what stands for an answer where it is expected."""
    said = f"{answer.killed or answer.code} {len(answer.stdout)} {len(answer.stderr)}\n".encode()
    return blake2b(said + answer.stdout + answer.stderr, digest_size=DIGEST_BYTES).digest()


def packed_command(questions: Sequence[str], seconds: float, expected: Mapping[str, Answer], most: int) -> str:
    """Return a command line for /bin/sh that answers questions, in one line of at most so many characters.

    It ends with 0 whatever is answered. Each question may take so many seconds; `expected` holds answers by question.
    It has no `{{`, which Systems Manager would take for the name of a parameter.
    """
    asked = gzip.compress(b"0\n" + encode_questions(questions, seconds), 9, mtime=0)
    digests = b"".join(digest(expected[one]) if one in expected else UNEXPECTED for one in questions)
    size = DIGEST_BYTES
    program = (
        "import sys,zlib,binascii as b;"
        f"e=b.a2b_base64(sys.argv[2]);EXPECTED=[e[n:n+{size}] for n in range(0,len(e),{size})];MOST={most};"
        "exec(zlib.decompress(b.a2b_base64(sys.argv[1])))"
    )
    source = _text(zlib.compress(python_agent("packed.py"), 9))
    python = f"questions | python3 -I -S -c {shlex.quote(program)} {source} {_text(digests)}"
    shell = f"printf {_SHELL}; questions | gzip -d | /bin/sh -c {shlex.quote(shell_agent())} | gzip -9 | base64 -w 0"
    return "\n".join([
        "export HOME=${HOME:-/root}",  # the SSM agent sets none
        f"questions() {{ base64 -d <<'{_END_OF_TEXT}'", _text(asked), _END_OF_TEXT, "}",
        "if command -v python3 >/dev/null 2>&1; then", python, "else", f"{shell}; printf {_END}", "fi", "exit 0",
    ])  # fmt: skip


def read_packed(text: str, number_of_questions: int) -> Packed:
    """Return what a line says.

    Raises CutOffError when its end is missing, GarbageError when it is none.
    """
    line = text.strip().partition("\n")[0].strip()  # what the command said on standard error may stand below
    kind = line[:1]
    if kind not in (_PYTHON, _SHELL):
        raise GarbageError(f"it said {line[:40]!r}" if line else "it said nothing")
    if not line.endswith(_END):
        raise CutOffError
    try:
        packed = line[1:-1]
        body = (
            zlib.decompress(base64.b85decode(packed)) if kind == _PYTHON else gzip.decompress(base64.b64decode(packed))
        )
    except (ValueError, zlib.error, OSError, EOFError, binascii.Error) as error:
        raise GarbageError(f"it said {line[:40]!r}: {error}") from error
    return (
        _unpacked(body, number_of_questions) if kind == _PYTHON else Packed(answers=_answers(body, number_of_questions))
    )


def _unpacked(body: bytes, number_of_questions: int) -> Packed:
    heading, _, rest = body.partition(b"\n")
    try:
        sign, bits, micros = heading.split()
        if sign != b"S":
            raise ValueError
        numbers, took = int(bits, 16), int(micros) / 1_000_000
    except ValueError:
        raise GarbageError(f"it answered {heading[:40]!r}") from None
    same = frozenset(number for number in range(number_of_questions) if numbers >> number & 1)
    return Packed(same, took, _answers(HELLO + rest, number_of_questions))


def _answers(stream: bytes, number_of_questions: int) -> dict[int, Answer]:
    reader = AnswerReader()
    answers = dict(reader.feed(stream))
    if not reader.is_over or any(number >= number_of_questions for number in answers):
        raise GarbageError(f"it answered {len(answers)} of {number_of_questions} questions")
    return answers


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
