# mypy: ignore-errors
# ruff: noqa: F821 - agent.py stands before it, and whoever runs it sets MOST and EXPECTED
# For a command whose output is cut off: questions come through standard input, compressed, and one line goes to standard output
# that holds all answers, compressed and in base 85, in at most MOST characters. An answer that is expected, by its digest, is
# told by its number alone; the largest of the others are left out until the line is short enough, and that is told, too.
#
# The line: `P`, the text, `.`. In the text, `S NUMBERS MICROSECONDS`: which answers are as expected, as a hexadecimal number
# with a bit for each, and how long they took together; then the other answers, as agent.py has them, with `cut` in the place
# of the exit code of one that is left out.
import base64
import io
import os
import sys
import zlib

try:
    from _blake2 import blake2b  # a third of the time that hashlib takes to load
except ImportError:
    from hashlib import blake2b


def is_expected(number, code, out, err):
    said = f"{code} {len(out)} {len(err)}\n".encode()
    return EXPECTED[number] == blake2b(said + out + err, digest_size=8).digest()


def pack(text):
    return base64.b85encode(zlib.compress(text, 9))


def main(given):
    given.readline()  # the length of an agent that is not sent here
    seconds, questions = read_questions(given)
    same, took, others = 0, 0, []
    for number, question in enumerate(questions):
        line, out, err = answer(number, question, seconds, lambda: None)
        words = line.split()
        if is_expected(number, words[2].decode(), out, err):
            same, took = same | 1 << number, took + int(words[5])
        else:
            others.append([line, out, err])
    heading = f"S {same:x} {took}\n".encode()

    def packed():
        return pack(b"".join([heading, *(part for one in others for part in one), b".\n"]))

    text = packed()
    by_size = sorted(others, key=lambda one: len(one[1]) + len(one[2]))
    while len(text) > MOST - 2 and by_size:
        largest = by_size.pop()
        largest[:] = [b"A %s cut 0 0 %s s\n" % (largest[0].split()[1], largest[0].split()[5]), b"", b""]
        text = packed()
    os.write(1, b"P" + text + b".")


main(io.BytesIO(zlib.decompress(sys.stdin.buffer.read(), 31)))
