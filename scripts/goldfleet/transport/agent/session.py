# mypy: ignore-errors
# ruff: noqa: F821 - agent.py stands before it
# For a session that stays open: questions come through standard input, any number of times, and answers go to standard output
# as they are found, some together.
import os
import sys


class Answers:
    """Collects answers and sends them together."""

    def __init__(self):
        self.parts = []
        self.size = 0

    def add(self, *parts):
        self.parts.extend(parts)
        self.size += sum(map(len, parts))
        if self.size > ENOUGH:
            self.send()

    def send(self):
        text = memoryview(b"".join(self.parts))
        self.parts, self.size = [], 0
        while text:
            text = text[os.write(1, text) :]


def main(given):
    answers = Answers()
    while True:
        asked = read_questions(given)
        if asked is None:
            return
        seconds, questions = asked
        for number, question in enumerate(questions):
            answers.add(*answer(number, question, seconds, answers.send))
        answers.add(b".\n")
        answers.send()


os.write(1, b"\0goldfleet-agent 1\n")
main(sys.stdin.buffer)
