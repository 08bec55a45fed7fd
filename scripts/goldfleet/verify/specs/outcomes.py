"""What the parts of a test say together: how it ended, and why."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from unittest import SkipTest

import pytest

from goldfleet.verify.model import CheckOutcome
from goldfleet.verify.specs.attempt import Attempt

_NO_FAILURES = (pytest.skip.Exception, pytest.xfail.Exception, SkipTest)
LONGEST_MESSAGE = 400
LONGEST_DETAIL = 8000
_NOISE = re.compile(r"backend=<[^>]*>, | at 0x[0-9a-f]+(?=>)")
"""What testinfra says of itself in each failed command, which hides the command; and where Python keeps an object."""


@dataclass(frozen=True)
class Conclusion:
    """How a test ended; `message` says why unless it passed, `detail` shows it as pytest does, or is ""."""

    outcome: CheckOutcome
    message: str = ""
    detail: str = ""


def conclude(item: pytest.Item, attempt: Attempt, *, is_whole: bool) -> Conclusion:
    """Return what a test came to. Markers such as xfail count, as pytest has it; `is_whole` asks for the detail."""
    calls = attempt.calls
    if attempt.reports:
        found_all = [_reported(report) for report in attempt.reports]
    else:
        found_all = list(_concluded(item, calls, is_whole=is_whole))
    if attempt.failed_parts:
        found_all.append(_parts(attempt.failed_parts))
    return max(found_all, key=lambda one: _RANK.index(one.outcome), default=Conclusion(CheckOutcome.PASSED))


def _concluded(item: pytest.Item, calls: Sequence[pytest.CallInfo[None]], *, is_whole: bool) -> Iterator[Conclusion]:
    is_plain = not any(True for _ in item.iter_markers("xfail"))
    for call in calls:
        if call.excinfo is None and is_plain:
            continue
        is_failure = is_plain and call.excinfo is not None and not isinstance(call.excinfo.value, _NO_FAILURES)
        if is_failure and not is_whole and call.excinfo is not None:
            yield Conclusion(_bad(call.when), _message(call.when, call.excinfo.exconly(tryshort=True)))
        else:
            yield _reported(item.ihook.pytest_runtest_makereport(item=item, call=call))


_RANK = (CheckOutcome.PASSED, CheckOutcome.SKIPPED, CheckOutcome.FAILED, CheckOutcome.ERROR)


def _reported(report: pytest.TestReport) -> Conclusion:
    if report.passed:
        return Conclusion(CheckOutcome.PASSED)
    whole: Any = report.longrepr
    if report.skipped:
        return Conclusion(CheckOutcome.SKIPPED, _cut(_reason(report), LONGEST_MESSAGE))
    crash = getattr(whole, "reprcrash", None)
    said = crash.message if crash is not None else str(whole)
    return Conclusion(_bad(report.when), _message(report.when, said), _cut(str(whole), LONGEST_DETAIL))


def _parts(failed: Sequence[pytest.TestReport]) -> Conclusion:
    """Return what failed subtests say together: why the first did, and how each is shown."""
    first = _reported(failed[0])
    shown = "\n".join(f"{part.head_line}\n{part.longrepr}" for part in failed)
    more = f"{len(failed)} subtests failed, the first: " if len(failed) > 1 else "a subtest failed: "
    message = _cut(f"{more}{first.message}", LONGEST_MESSAGE)
    return Conclusion(CheckOutcome.FAILED, message, _cut(shown, LONGEST_DETAIL))


def _reason(report: pytest.TestReport) -> str:
    """Return why a test was skipped, or may fail."""
    if hasattr(report, "wasxfail"):
        return f"expected to fail: {report.wasxfail.removeprefix('reason: ')}"
    where: Any = report.longrepr
    return str(where[2] if isinstance(where, tuple) else where).removeprefix("Skipped: ")


def _bad(when: str | None) -> CheckOutcome:
    return CheckOutcome.FAILED if when == "call" else CheckOutcome.ERROR


def _message(when: str | None, said: str) -> str:
    said = _NOISE.sub("", said)
    return _cut(said if when == "call" else f"failed on {when} with {said}", LONGEST_MESSAGE)


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 1] + "…"
