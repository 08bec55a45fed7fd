"""Questions and answers on the wire: whatever pieces they come in, whatever a login prints before, whatever garbage comes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfleet.transport.model import Answer
from goldfleet.transport.protocol import HELLO, AnswerReader, GarbageError, encode_questions

ANSWERS = st.builds(
    Answer,
    code=st.integers(0, 255),
    stdout=st.binary(max_size=60),
    stderr=st.binary(max_size=60),
    seconds=st.integers(0, 10**7).map(lambda micros: micros / 1_000_000),
    is_native=st.booleans(),
)


def wire(answers: list[Answer]) -> bytes:
    parts = [HELLO]
    for number, one in enumerate(answers):
        how = b"n" if one.is_native else b"s"
        sizes = (number, one.code, len(one.stdout), len(one.stderr), round(one.seconds * 1_000_000))
        parts += [b"A %d %d %d %d %d " % sizes + how + b"\n", one.stdout, one.stderr]
    return b"".join([*parts, b".\n"])


@given(
    st.lists(ANSWERS, max_size=5), st.binary(max_size=200).filter(lambda noise: b"\0" not in noise), st.integers(1, 64)
)
def test_answers_come_through_in_whatever_pieces(answers: list[Answer], noise: bytes, size: int) -> None:
    reader, sent, found = AnswerReader(), noise + wire(answers), []
    for start in range(0, len(sent), size):
        found += reader.feed(sent[start : start + size])
    assert found == list(enumerate(answers))
    assert reader.is_over


@pytest.mark.parametrize("killed", ["late", "long"])
def test_killed_command_is_told_from_an_exit_code(killed: str) -> None:
    ((_, answer),) = AnswerReader().feed(HELLO + f"A 0 {killed} 2 0 1000000 s\nab".encode())
    assert (answer.killed, answer.code, answer.stdout) == (killed, 137, b"ab")


@pytest.mark.parametrize(
    "line",
    [
        b"B 0 0 0 0 0 n\n",
        b"A 0 0 0 0 0\n",
        b"A x 0 0 0 0 n\n",
        b"A 0 0 -1 0 0 n\n",
        b"A 0 0 1e3 0 0 n\n",
        b"hello\n",
        b"x" * 300,
    ],
)
def test_garbage_is_told(line: bytes) -> None:
    with pytest.raises(GarbageError, match="it answered"):
        AnswerReader().feed(HELLO + line)


def test_login_that_never_ends_is_told() -> None:
    with pytest.raises(GarbageError, match="its login printed"):
        AnswerReader().feed(b"y\n" * 200_000)


def test_last_words_of_a_session_that_ended_are_kept() -> None:
    reader = AnswerReader()
    reader.feed(b"This account is currently not available.\n")
    assert reader.said_instead() == "This account is currently not available."


@given(st.lists(st.text(max_size=30), max_size=4), st.floats(0.5, 1000))
def test_questions_have_their_length_in_bytes(questions: list[str], seconds: float) -> None:
    sent = encode_questions(questions, seconds)
    _, _, rest = sent.partition(b"\n")
    for question in questions:
        size, _, rest = rest.partition(b"\n")
        assert rest[: int(size)].decode("utf-8", "surrogateescape") == question
        rest = rest[int(size) :]
    assert rest == b""
