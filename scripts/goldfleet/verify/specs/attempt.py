"""Runs one test with what is known of its server, as pytest would, and leaves nothing of it but what belongs to the session."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any
from unittest import TestCase

import pytest
from _pytest import assertion
from _pytest.subtests import failed_subtests_key

ENDS_ALL = (KeyboardInterrupt, pytest.exit.Exception)
_PRISTINE = "_goldfleet_pristine"
_OF_A_RUN = {_PRISTINE, "_request", "funcargs", "_obj", "_instance"}
"""Attributes that pytest itself sets for a run, and this module's own."""


@dataclass(frozen=True)
class Attempt:
    """What setting up, running and taking down a test came to; pytest's reports of these, where something needs them made.

    `failed_parts` are the reports of its subtests that failed.
    """

    calls: Sequence[pytest.CallInfo[None]]
    reports: Sequence[pytest.TestReport] = ()
    failed_parts: Sequence[pytest.TestReport] = ()


@dataclass(frozen=True)
class _Pristine:
    """What a test was collected with, and may change when it runs."""

    markers: list[pytest.Mark]
    keywords: dict[str, Any]
    stash: dict[Any, Any]
    properties: list[tuple[str, object]]
    names: frozenset[str]


@dataclass(frozen=True)
class _AnyOfTheSession:
    """Stands for the next test where all ends but what belongs to the session."""

    session: pytest.Session

    def listchain(self) -> list[pytest.Session]:
        return [self.session]


def attempt(item: pytest.Function, counts: Callable[[], bool]) -> Attempt:
    """Set a test up, run it, take it down again; return what each of these came to.

    `counts` is asked after each part, and tells whether what the test comes to is of any interest: only then is anybody told.

    Fixtures that are not the session's are made anew for each test, so whatever a test rests on, it looks at itself. Those of
    the session know no server: testinfra's `host` belongs to a module. Of an earlier run nothing is left: neither the
    instance of its class nor marks that it was given while it ran.
    """
    _restore(item)
    item._initrequest()  # a test that has run cannot run again otherwise
    following: Any = _AnyOfTheSession(item.session)
    hook, is_reported = item.ihook, _is_reported(item)
    calls: list[pytest.CallInfo[None]] = []
    reports: list[pytest.TestReport] = []

    def do(what: Any, when: Any) -> pytest.CallInfo[None]:
        call = pytest.CallInfo.from_call(what, when, reraise=ENDS_ALL)
        calls.append(call)
        if is_reported and counts():
            reports.append(hook.pytest_runtest_makereport(item=item, call=call))
        return call

    with _told_nobody(item.config) as parts, _compared(item):
        if do(partial(hook.pytest_runtest_setup, item=item), "setup").excinfo is None:
            do(partial(hook.pytest_runtest_call, item=item), "call")
        do(partial(hook.pytest_runtest_teardown, item=item, nextitem=following), "teardown")
    item._initrequest()
    return Attempt(calls, reports, [part for part in parts if part.failed])


class _Parts:
    """A plugin that keeps what a test says of its parts while it runs, as subtests do."""

    def __init__(self) -> None:
        self.reports: list[pytest.TestReport] | None = None

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if self.reports is not None:
            self.reports.append(report)


_PARTS: pytest.StashKey[_Parts] = pytest.StashKey()


@contextmanager
def _told_nobody(config: pytest.Config) -> Iterator[list[pytest.TestReport]]:
    """Hand out what a test says of its parts, and keep it from everybody else: the test may not come to its end."""
    if (parts := config.stash.get(_PARTS, None)) is None:
        parts = config.stash[_PARTS] = _Parts()
        config.pluginmanager.register(parts)
    told: list[Any] = config.hook.pytest_runtest_logreport._hookimpls
    everybody: list[Any] = told[:]
    reports: list[pytest.TestReport] = []
    told[:] = [one for one in everybody if one.plugin is parts]
    parts.reports = reports
    try:
        yield reports
    finally:
        told[:], parts.reports = everybody, None


@contextmanager
def _compared(item: pytest.Function) -> Iterator[None]:
    """Have a failed comparison say how both sides differ, which pytest does around each test only."""
    wrapper = assertion.pytest_runtest_protocol(item)
    next(wrapper)
    try:
        yield
    finally:
        wrapper.close()


def _restore(item: pytest.Function) -> None:
    """Give a test back what it was collected with."""
    keywords: Any = item.keywords
    kept: _Pristine | None = vars(item).get(_PRISTINE)
    if kept is None:
        kept = _Pristine(
            list(item.own_markers),
            dict(keywords._markers),
            dict(item.stash._storage),
            list(item.user_properties),
            frozenset(vars(item)),
        )
        setattr(item, _PRISTINE, kept)
    item.own_markers[:] = kept.markers
    keywords._markers.clear()
    keywords._markers.update(kept.keywords)
    item.stash._storage.clear()
    item.stash._storage.update(kept.stash)
    item.user_properties[:] = kept.properties
    item._report_sections.clear()
    for name in set(vars(item)) - kept.names - _OF_A_RUN:
        delattr(item, name)
    if isinstance(item.parent, pytest.Class) and not issubclass(item.parent.obj, TestCase):
        # An instance for each run, as for each item: what a test keeps there is of its own server.
        vars(item).pop("_instance", None)
        vars(item).pop("_obj", None)
    item.config.stash.get(failed_subtests_key, {}).clear()


def _is_reported(item: pytest.Function) -> bool:
    """Tell whether pytest's reports may say something else than the calls: then they are made, right after each call."""
    impls = item.ihook.pytest_runtest_makereport.get_hookimpls()
    modules = (getattr(impl.plugin, "__name__", type(impl.plugin).__module__) for impl in impls)
    return not all(module.startswith("_pytest.") for module in modules) or (
        isinstance(item.parent, pytest.Class) and issubclass(item.parent.obj, TestCase)
    )
