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

from goldfleet.verify.specs.collected import ChangesSomething, Collected, NotYetAsked, Phase

MOST_ROUNDS = 8
"""What is still not known then is asked while the test is judged: a test that asks in a long loop."""

LIVE = "live"


@dataclass
class Learnt:
    """How many rounds it took, and the tests that turned out to change their server, by the command that says so."""

    rounds: int = 0
    changing: dict[str, str] = field(default_factory=dict)


def learn(items: Sequence[pytest.Item], collected: Collected) -> Learnt:
    """Ask every server what these tests, all of one server, want to know. Tests marked as live are left out."""
    learnt = Learnt()
    left = [item for item in items if isinstance(item, pytest.Function) and not item.get_closest_marker(LIVE)]
    collected.phase = Phase.LEARNING
    try:
        while left and learnt.rounds < MOST_ROUNDS:
            left = [item for item in left if not _is_known(item, collected, learnt)]
            if not collected.missed:
                break
            collected.ask_all(collected.missed)
            collected.missed.clear()
            learnt.rounds += 1
    finally:
        collected.phase = Phase.JUDGING
        collected.missed.clear()
        if items:
            items[0].session._setupstate.teardown_exact(None)
    return learnt


def _is_known(item: pytest.Function, collected: Collected, learnt: Learnt) -> bool:
    """Run a test with what is known, whatever it says, and return whether it came to its end."""
    before = len(collected.missed)
    state = item.session._setupstate
    item._initrequest()  # a test that has run cannot run again otherwise
    with _quietly():
        try:
            state.setup(item)
            item.runtest()
            is_known = True
        except NotYetAsked:
            is_known = False
        except ChangesSomething as command:
            learnt.changing[_without_server(item)] = str(command)
            is_known = True
        except (Exception, pytest.fail.Exception, pytest.skip.Exception):  # noqa: BLE001 - it is judged later
            is_known = True
        finally:
            with contextlib.suppress(Exception, NotYetAsked, ChangesSomething):
                # What fixtures of the session have made serves all tests; they know no server.
                state.teardown_exact(_AnyOfTheSession(item.session))  # type: ignore[arg-type]
            item._initrequest()
    return is_known and len(collected.missed) == before


def is_live(item: pytest.Item, learnt: Learnt) -> bool:
    """Return whether a test asks everything itself, when it runs."""
    return item.get_closest_marker(LIVE) is not None or _without_server(item) in learnt.changing


def _without_server(item: pytest.Item) -> str:
    """Return a test's name, the same for each server."""
    callspec = getattr(item, "callspec", None)
    server = callspec.params["_testinfra_host"].backend.get_pytest_id() if callspec else ""
    return item.nodeid.replace(server, "")


@dataclass(frozen=True)
class _AnyOfTheSession:
    """Stands for the next test where all ends but what belongs to the session."""

    session: pytest.Session

    def listchain(self) -> list[pytest.Session]:
        return [self.session]


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
