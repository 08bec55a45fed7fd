"""Which answers a test has looked at, and what it came to; so that it is run once for each distinct set of them. Pure.

A test asks one thing after another, and what it asks next rests on what it was told: a tree. Servers that answered alike in
all that a test looks at come to the same leaf, and share its verdict.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

V = TypeVar("V")


class UnstableError(ValueError):
    """A test looked at something else, or came to something else, though it was told the same."""


@dataclass(slots=True)
class _Node(Generic[V]):
    """What is asked here, by number, and where each answer leads, by number; or a verdict, and then nothing is asked."""

    question: int = -1
    verdict: V | None = None
    ways: dict[int, "_Node[V]"] = field(default_factory=dict)


class Traces(Generic[V]):
    """What is known of one test. Questions and answers are numbers, the same for the same text."""

    def __init__(self) -> None:
        self._root: _Node[V] | None = None

    def find(self, answers: Sequence[int]) -> V | None:
        """Return the verdict for a server, whose answers are given by the number of the question; None if not known yet."""
        node = self._root
        while node is not None and node.verdict is None:
            node = node.ways.get(answers[node.question])
        return None if node is None else node.verdict

    def add(self, asked: Sequence[tuple[int, int]], verdict: V) -> None:
        """Keep what a test came to that has looked at these answers, in this order.

        Raises UnstableError when the test asked something else before, with the same answers so far: then it is not one whose
        verdicts can be shared.
        """
        if self._root is None:
            self._root = _Node()
        node = self._root
        for question, answer in asked:
            if node.verdict is not None or node.question not in (-1, question):
                raise UnstableError(f"asked {question} after what led to {node.question} before")
            node.question = question
            node = node.ways.setdefault(answer, _Node())
        if node.question != -1 or node.verdict not in (None, verdict):
            raise UnstableError("came to something else with the same answers")
        node.verdict = verdict
