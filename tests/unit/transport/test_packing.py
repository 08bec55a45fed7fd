"""What a packed line says, whatever becomes of it on its way; and the command that asks for one."""

import base64
import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfleet.transport.model import Answer
from goldfleet.transport.packing import CutOffError, Packed, digest, packed_command, read_packed
from goldfleet.transport.protocol import HELLO, GarbageError

QUESTIONS = st.lists(
    st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), max_size=5, unique=True
)


def line(body: bytes) -> str:
    return f"P{base64.b85encode(zlib.compress(body)).decode()}."


def test_expected_answers_are_told_by_their_numbers_and_the_others_whole() -> None:
    packed = read_packed(line(b"S 5 1500000\nA 1 3 2 1 10 s\nhi!.\n"), 3)
    assert packed == Packed(frozenset([0, 2]), 1.5, {1: Answer(3, b"hi", b"!", 0.00001)})


def test_answer_that_is_left_out_is_told() -> None:
    packed = read_packed(line(b"S 0 0\nA 0 cut 0 0 10 s\n.\n"), 1)
    assert packed.answers[0].killed == "cut"


def test_line_of_a_server_without_python_has_all_answers() -> None:
    said = base64.b64encode(gzip.compress(HELLO + b"A 0 0 2 0 0 s\nhi.\n")).decode()
    assert read_packed(f"G{said}.", 1) == Packed(answers={0: Answer(0, b"hi", b"")})


@pytest.mark.parametrize("around", ["{}", "\n{}\n", "{}\n----------ERROR-------\nsh: 1: something."])
def test_what_stands_around_a_line_is_no_part_of_it(around: str) -> None:
    assert read_packed(around.format(line(b"S 1 0\n.\n")), 1).same == {0}


@given(st.data())
def test_line_that_was_cut_anywhere_is_known_as_such(data: st.DataObject) -> None:
    whole = line(b"S 5 1500000\nA 1 3 2 1 10 s\nhi!.\n")
    with pytest.raises(CutOffError):
        read_packed(whole[: data.draw(st.integers(1, len(whole) - 1))], 3)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("", "it said nothing"),
        ("Welcome to web1.", "'Welcome to web1.'"),
        ("P.", "it said 'P.'"),
        ("Pnot base 85 \x7f.", "it said 'Pnot base 85"),
        ("Gnot gzip.", "it said 'Gnot gzip.'"),
        (line(b"S 0"), "it answered b'S 0'"),
        (line(b"X 0 0\n.\n"), "it answered b'X 0 0'"),
        (line(b"S zz 0\n.\n"), "it answered b'S zz 0'"),
        (line(b"S 0 0\nA 1 0 0 0 0 s\n"), "it answered 1 of 3 questions"),
        (line(b"S 0 0\nA 7 0 0 0 0 s\n.\n"), "it answered 1 of 3 questions"),
        (line(b"S 0 0\nhow are you?\n.\n"), "it answered b'how are you?"),
    ],
)
def test_what_is_no_such_line_is_refused_with_its_own_words(said: str, told: str) -> None:
    with pytest.raises(GarbageError) as caught:
        read_packed(said, 3)
    assert told in str(caught.value)


@given(QUESTIONS, st.integers(0, 2**32))
def test_command_holds_nothing_that_systems_manager_takes_for_a_parameter(questions: list[str], seed: int) -> None:
    expected = {one: Answer(seed % 200, str(seed).encode(), b"{{ssm:name}}") for one in questions}
    assert "{{" not in packed_command([*questions, "echo '{{ssm:name}}'"], 10, expected, 24000)


@given(st.binary(), st.binary(), st.integers(0, 255))
def test_digest_tells_answers_apart_by_all_that_they_are(out: bytes, err: bytes, code: int) -> None:
    answer = Answer(code, out, err)
    others = [Answer(code ^ 1, out, err), Answer(code, out + b"x", err), Answer(code, out, err + b"x"), Answer(
        code, out, err, killed="late")]  # fmt: skip
    if out and out != err:
        others.append(Answer(code, err, out))
    assert digest(answer) == digest(Answer(code, out, err, seconds=3, is_native=True))
    assert digest(answer) not in {digest(other) for other in others}
