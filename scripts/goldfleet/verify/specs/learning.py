"""Finds out what a suite asks, by running its tests for one server and asking what they want, until they want no more.

Nothing is made up: a test ends at the first command that was not asked yet, and starts anew once every server has answered
it. So a suite costs as many rounds as its longest chain of commands that rest on each other, not one for each command.
"""

import contextlib
import io
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pytest

from goldfleet.verify.specs.attempt import attempt
from goldfleet.verify.specs.collected import ChangesSomething, Collected, NotYetAsked, Phase
from goldfleet.verify.specs.names import bare_name, is_marked_live

MOST_ROUNDS = 8
"""What is still not known then is asked while the test is judged: a test that asks in a long loop."""


@dataclass
class Learnt:
    """How many rounds it took, and the tests that turned out to change their server, by the command that says so."""

    rounds: int = 0
    changing: dict[str, str] = field(default_factory=dict)


def learn(name: str, items: Sequence[pytest.Item], collected: Collected) -> Learnt:
    """Ask every server what these tests, all of one server, want to know. Tests marked as live are left out."""
    learnt = Learnt()
    left = [item for item in items if isinstance(item, pytest.Function) and not is_marked_live(item)]
    collected.phase = Phase.LEARNING
    try:
        while left and learnt.rounds < MOST_ROUNDS:
            left = [item for item in left if not _is_known(item, collected, learnt)]
            missed = [command for some in collected.missed.values() for command in some]
            if not missed:
                break
            collected.ask_learning(name, missed)
            collected.missed.clear()
            learnt.rounds += 1
    finally:
        collected.phase = Phase.JUDGING
        collected.missed.clear()
        if items:
            items[0].session._setupstate.teardown_exact(None)
    collected.ask_others(name)
    return learnt


def _is_known(item: pytest.Function, collected: Collected, learnt: Learnt) -> bool:
    """Run a test with what is known, whatever it says, and return whether it came to its end."""
    collected.begin_test()
    with _quietly():
        attempt(item, lambda: False)  # it is judged later
    stopped, collected.stopped = collected.stopped, None
    if isinstance(stopped, ChangesSomething):
        learnt.changing[bare_name(item)] = str(stopped)
    return not isinstance(stopped, NotYetAsked)


def is_live(item: pytest.Item, learnt: Learnt) -> bool:
    """Return whether a test asks everything itself, when it runs."""
    return is_marked_live(item) or bare_name(item) in learnt.changing


@contextlib.contextmanager
def _quietly() -> Iterator[None]:
    """Keep what tests print to themselves."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
        warnings.catch_warnings(),
    ):
        warnings.simplefilter("ignore")
        yield
