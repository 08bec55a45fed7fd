"""Runs one test with what is known of its server, as pytest would, and leaves nothing of it but what belongs to the session."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import pytest

ENDS_ALL = (KeyboardInterrupt, pytest.exit.Exception)


@dataclass(frozen=True)
class _AnyOfTheSession:
    """Stands for the next test where all ends but what belongs to the session."""

    session: pytest.Session

    def listchain(self) -> list[pytest.Session]:
        return [self.session]


def attempt(item: pytest.Function) -> list[pytest.CallInfo[None]]:
    """Set a test up, run it, take it down again; return what each of these came to.

    Fixtures that are not the session's are made anew for each test, so whatever a test rests on, it looks at itself. Those of
    the session know no server: testinfra's `host` belongs to a module.
    """
    item._initrequest()  # a test that has run cannot run again otherwise
    item._report_sections.clear()
    following: Any = _AnyOfTheSession(item.session)
    hook = item.ihook
    calls = [_call(partial(hook.pytest_runtest_setup, item=item), "setup")]
    if calls[0].excinfo is None:
        calls.append(_call(partial(hook.pytest_runtest_call, item=item), "call"))
    calls.append(_call(partial(hook.pytest_runtest_teardown, item=item, nextitem=following), "teardown"))
    item._initrequest()
    return calls


def raised(calls: Sequence[pytest.CallInfo[None]], kind: type[BaseException]) -> BaseException | None:
    """Return the first exception of a kind that ended a part of a test, or None."""
    for call in calls:
        if call.excinfo is not None and isinstance(call.excinfo.value, kind):
            return call.excinfo.value
    return None


def _call(what: Any, when: Any) -> pytest.CallInfo[None]:
    return pytest.CallInfo.from_call(what, when, reraise=ENDS_ALL)
