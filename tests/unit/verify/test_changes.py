"""What has changed since an earlier run, host by host and over all hosts."""

import json
from typing import Any

import pytest

from goldfleet.verify.changes import Shifted, Turned, changes, read_earlier
from goldfleet.verify.model import CheckOutcome, CheckResult, HostResult, Verdict
from goldfleet.verify.reports import verdict_document

PASSED, FAILED, ERROR, SKIPPED = CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.ERROR, CheckOutcome.SKIPPED


def host(name: str, image: str = "ami-1", **outcomes: CheckOutcome) -> HostResult:
    checks = tuple(CheckResult(check, outcome, 0.1) for check, outcome in outcomes.items())
    return HostResult(f"address of {name}", checks, instance_id=name, image_id=image)


def document(*hosts: HostResult) -> dict[str, Any]:
    """Return the report.json of hosts."""
    return dict(json.loads(json.dumps(verdict_document(Verdict(hosts)))))


BEFORE = (
    host("i-1", a=PASSED, b=FAILED, c=PASSED),
    host("i-2", a=PASSED, b=PASSED, c=PASSED),
    host("i-gone", a=PASSED),
)


def test_nothing_has_changed_since_the_same() -> None:
    seen = changes(read_earlier("run-1", document(*BEFORE)), BEFORE)
    assert seen.is_none
    assert (seen.run, seen.images) == ("run-1", ("ami-1",))


def test_checks_that_turned_are_told_by_host_the_worse_first() -> None:
    now = (
        host("i-1", a=FAILED, b=PASSED, c=SKIPPED),
        host("i-2", a=FAILED, b=PASSED, c=PASSED),
        host("i-new", a=PASSED),
    )
    seen = changes(read_earlier("run-1", document(*BEFORE)), now)
    assert seen.turned == (
        Turned("a", "passed", "failed", ("i-1", "i-2")),
        Turned("b", "failed", "passed", ("i-1",)),
        Turned("c", "passed", "skipped", ("i-1",)),
    )
    assert (seen.appeared, seen.gone) == (("i-new",), ("i-gone",))
    assert seen.shifted == (Shifted("a", 0, 3, 2, 3), Shifted("b", 1, 2, 0, 2))


def test_share_of_bad_hosts_is_compared_when_all_hosts_are_others() -> None:
    now = tuple(host(f"i-1{number}", "ami-2", a=ERROR if number == 0 else PASSED, b=PASSED) for number in range(10))
    seen = changes(read_earlier("run-1", document(*BEFORE)), now)
    assert seen.turned == ()
    assert seen.shifted == (Shifted("a", 0, 3, 1, 10), Shifted("b", 1, 2, 0, 10))


def test_check_that_was_not_there_before_has_not_changed() -> None:
    assert (
        changes(read_earlier("run-1", document(*BEFORE)), (*BEFORE[:1], host("i-2", z=FAILED), BEFORE[2])).turned == ()
    )


def test_host_without_an_instance_goes_by_its_address() -> None:
    nameless = HostResult("10.0.0.1", (CheckResult("a", PASSED, 0.1),))
    seen = changes(read_earlier("run-1", document(nameless)), [nameless])
    assert seen.is_none


@pytest.mark.parametrize(
    "text", ["{}", "[]", '{"checks": [], "hosts": [{"checks": [0]}]}', '{"checks": 1, "hosts": []}'], ids=str
)
def test_document_that_is_no_report_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no report of a verification"):
        read_earlier("run-1", json.loads(text))
