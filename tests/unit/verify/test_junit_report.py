from xml.etree import ElementTree

from goldfleet.verify.junit_report import build_junit
from goldfleet.verify.model import CheckOutcome, CheckResult, HostResult, Verdict

GOOD = CheckResult("test_web::test_port[80]", CheckOutcome.PASSED, 0.25)
BAD = CheckResult("test_web::test_page", CheckOutcome.FAILED, 0.5, "no <page>\x1b[0m & no \x00")


def suites_of(*hosts: HostResult) -> list[ElementTree.Element]:
    return list(ElementTree.fromstring(build_junit(Verdict(hosts))))  # noqa: S314 - written by the code under test


def test_each_host_is_a_suite_with_its_counts() -> None:
    (suite,) = suites_of(HostResult("10.0.0.1", (GOOD, BAD), instance_id="i-1", image_id="ami-1", seconds=2.5))
    told = {"name": "i-1", "hostname": "10.0.0.1", "tests": "2", "failures": "1", "errors": "0", "time": "2.500"}
    assert told.items() <= suite.attrib.items()
    properties = {one.get("name"): one.get("value") for one in suite.iter("property")}
    assert properties == {"instance_id": "i-1", "image_id": "ami-1", "note": ""}


def test_same_check_on_two_hosts_is_two_checks() -> None:
    hosts = [HostResult(f"10.0.0.{number}", (GOOD,), instance_id=f"i-{number}") for number in (1, 2)]
    cases = [case for suite in suites_of(*hosts) for case in suite.iter("testcase")]
    names = {(case.get("classname"), case.get("name")) for case in cases}
    assert names == {("i-1.test_web", "test_port[80]"), ("i-2.test_web", "test_port[80]")}


def test_unreachable_host_is_one_error_and_nothing_passed() -> None:
    (suite,) = suites_of(HostResult("10.0.0.1", unreachable="SSH is closed", instance_id="i-1"))
    assert (suite.get("tests"), suite.get("errors")) == ("1", "1")
    assert [error.get("message") for error in suite.iter("error")] == ["SSH is closed"]


def test_host_on_which_nothing_was_checked_is_an_error() -> None:
    hosts = (HostResult("10.0.0.1"), HostResult("10.0.0.2", not_run="a spec is wrong"))
    messages = [error.get("message") for suite in suites_of(*hosts) for error in suite.iter("error")]
    assert messages == ["no check passed", "a spec is wrong"]


def test_characters_that_xml_forbids_are_replaced() -> None:
    (suite,) = suites_of(HostResult("10.0.0.1", (BAD,)))
    assert [one.get("message") for one in suite.iter("failure")] == ["no <page>?[0m & no ?"]


def test_failure_is_shown_whole_where_that_is_known() -> None:
    shown = CheckResult("test_web::test_page", CheckOutcome.FAILED, 0.5, "no page", "def test_page():\n>   assert 0")
    (suite,) = suites_of(HostResult("10.0.0.1", (shown,)))
    assert [one.text for one in suite.iter("failure")] == ["def test_page():\n>   assert 0"]


def test_shared_verdict_that_does_not_hold_is_a_failure() -> None:
    verdict = Verdict((HostResult("10.0.0.1", (GOOD,)),), differing=("i-1: test_web::test_page: passed was shared",))
    root = ElementTree.fromstring(build_junit(verdict))  # noqa: S314 - written by the code under test
    assert [one.get("message") for one in root.iter("failure")] == list(verdict.differing)
