"""pytest's plugin of the bench: servers that are not there, whose answers are worked out; a share of them differs.

The environment variable GOLDFLEET_BENCH_DIFFERING says which share of all answers, in per cent, and GOLDFLEET_BENCH_KINDS
in how many ways the answers to one question differ.
"""

import os
from collections.abc import Mapping, Sequence
from random import Random

from goldfleet.transport.model import Answer, Cost, Host, Limits, Replies
from goldfleet.verify.specs import asking

SYSTEM = {
    "uname -s": Answer(0, b"Linux\n", b""),
    "cat /etc/os-release": Answer(0, b'ID=debian\nVERSION_ID="12"\n', b""),
    "uname -m": Answer(0, b"x86_64\n", b""),
    "command -v command": Answer(0, b"command\n", b""),
}
GOOD, MISSING = Answer(0, b"644\n", b""), Answer(1, b"", b"")


class RecordedTransport:
    """Answers at once."""

    asks_one_first = False

    def __init__(self, hosts: Mapping[str, Host], limits: Limits) -> None:
        del limits
        self.cost = Cost(len(hosts), len(hosts))
        self._random = Random(7)  # noqa: S311 - no secret
        self._share = float(os.environ["GOLDFLEET_BENCH_DIFFERING"]) / 100
        self._kinds = int(os.environ["GOLDFLEET_BENCH_KINDS"])

    def ask(self, questions: Mapping[str, Sequence[str]]) -> dict[str, Replies]:
        """Return the answers to whatever is asked."""
        return {name: Replies({one: self._answer(one) for one in some}) for name, some in questions.items()}

    def close(self) -> None:
        """There is nothing to end."""

    def _answer(self, question: str) -> Answer:
        if not question.startswith("stat "):
            return SYSTEM.get(question, MISSING)
        if self._random.random() < self._share:
            return Answer(0, f"{self._random.randrange(self._kinds):o}\n".encode(), b"")
        return GOOD


asking.open_transport = RecordedTransport  # type: ignore[attr-defined]
