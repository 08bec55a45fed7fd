"""What every server has answered, as numbers: one for each distinct question, one for each distinct answer to it. Pure.

Servers of one image answer alike, so ten thousand of them take little more memory than one.
"""

from collections.abc import Sequence

from goldfleet.transport.model import Answer

UNKNOWN = -1


class AnswerTable:
    """Questions down, servers across."""

    def __init__(self, names: Sequence[str]) -> None:
        self.questions: dict[str, int] = {}
        self._answers: list[Answer] = []
        self._numbers: dict[tuple[int, bytes, bytes, str], int] = {}
        self._rows: dict[str, list[int]] = {name: [] for name in names}

    def number(self, question: str) -> int:
        """Return a question's number."""
        return self.questions.setdefault(question, len(self.questions))

    def row(self, name: str) -> list[int]:
        """Return the numbers of a server's answers, by the question's number; UNKNOWN where it has not answered."""
        row = self._rows[name]
        row.extend([UNKNOWN] * (len(self.questions) - len(row)))
        return row

    def put(self, name: str, question: str, answer: Answer) -> int:
        """Keep what a server has answered, and return the answer's number."""
        number = self.number(question)
        key = (answer.code, answer.stdout, answer.stderr, answer.killed)
        known = self._numbers.get(key)
        if known is None:
            known = self._numbers[key] = len(self._answers)
            self._answers.append(answer)
        self.row(name)[number] = known
        return known

    def answer(self, number: int) -> Answer:
        """Return an answer by its number."""
        return self._answers[number]

    def missing(self, name: str, questions: Sequence[str]) -> list[str]:
        """Return which of these questions a server has not answered, in order."""
        row, numbers = self._rows[name], self.questions
        return [
            one
            for one in questions
            if (at := numbers.get(one, UNKNOWN)) == UNKNOWN or at >= len(row) or row[at] == UNKNOWN
        ]
