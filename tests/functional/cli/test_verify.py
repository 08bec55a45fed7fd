"""What `goldfleet verify` prints, and with which error it ends."""

import json
from pathlib import Path

import pytest

from goldfleet.cli.app import report_error
from goldfleet.cli.output import UnfinishedError
from goldfleet.cli.verify import check_servers_are_named_once, print_line
from goldfleet.cli.verify_report import MOST_CHECKS_NAMED, show_report, write_html, write_junit
from goldfleet.errors import AwsError, GoldfleetError, StoppedError, UsageError
from goldfleet.transport.model import Cost
from goldfleet.verify.members import NotChecked
from goldfleet.verify.model import CheckOutcome, CheckResult, HostResult, Verdict
from goldfleet.verify.wiring import Report

PASSED = CheckResult("test_x::test_a", CheckOutcome.PASSED, 0.1)
FAILED = CheckResult("test_x::test_b", CheckOutcome.FAILED, 0.1, "nginx is not there\nmore")
GOOD = HostResult("10.0.0.1", (PASSED,), instance_id="i-1", image_id="ami-1", seconds=2.04)
BAD = HostResult("10.0.0.2", (PASSED, FAILED), instance_id="i-2", image_id="ami-1", note="ami-1 is not known")
CLOSED = HostResult("10.0.0.3", unreachable="SSH is closed", instance_id="i-3")
STANDBY = NotChecked("i-9", "Standby", "Standby")


def report_of(*hosts: HostResult, error: GoldfleetError | None = None) -> Report:
    return Report("web", "run-1", Verdict(hosts, "/reports/run-1"), (STANDBY,), error)


def test_good_group_is_a_table_and_no_error(capsys: pytest.CaptureFixture[str]) -> None:
    show_report(report_of(GOOD), as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["i-1", "10.0.0.1", "ami-1", "good", "1", "0", "2.0"]
    assert lines[2:] == ["i-9: not checked: Standby", "reports: /reports/run-1"]


def test_bad_servers_are_told_apart_and_end_with_exit_6(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnfinishedError) as ended:
        show_report(report_of(GOOD, BAD, CLOSED), as_json=False)
    error = ended.value.error
    assert error.message == "2 of 3 servers of web are not proven: 1 failed, 1 unreachable."
    assert error.exit_code == 6
    shown = capsys.readouterr().out
    assert "i-3 unreachable: SSH is closed\n" in shown
    assert "failed: test_x::test_b on i-2:\n    nginx is not there\n" in shown
    assert "note: ami-1 is not known\n" in shown


def test_check_that_fails_on_several_servers_is_told_once(capsys: pytest.CaptureFixture[str]) -> None:
    other = HostResult("10.0.0.4", (FAILED,), instance_id="i-4")
    with pytest.raises(UnfinishedError):
        show_report(report_of(BAD, other), as_json=False)
    shown = capsys.readouterr().out
    assert shown.count("test_x::test_b") == 1
    assert "failed: test_x::test_b on i-2, i-4:" in shown


def test_only_so_many_failed_checks_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    many = tuple(CheckResult(f"test_x::test_{number}", CheckOutcome.ERROR, 0.1) for number in range(25))
    with pytest.raises(UnfinishedError):
        show_report(report_of(HostResult("10.0.0.1", many, instance_id="i-1")), as_json=False)
    shown = capsys.readouterr().out
    assert shown.count("failed: test_x::") == MOST_CHECKS_NAMED
    assert "failed: 5 more checks, see the reports" in shown


def test_json_is_one_document_with_the_facts_and_the_error(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnfinishedError) as ended:
        show_report(report_of(GOOD, BAD), as_json=True)
    code = report_error(ended.value.error, as_json=True, facts=ended.value.facts)
    document = json.loads(capsys.readouterr().out)
    assert code == 6
    assert [host["verdict"] for host in document["hosts"]] == ["good", "failed"]
    assert document["not_checked"] == [{"instance_id": "i-9", "lifecycle_state": "Standby", "why": "Standby"}]
    assert (document["group"], document["run"], document["error"]["kind"]) == ("web", "run-1", "VerificationError")


def test_stopped_run_is_exit_5_and_says_how_far_it_got() -> None:
    with pytest.raises(UnfinishedError) as ended:
        show_report(report_of(GOOD, error=StoppedError("Stopped by SIGINT.")), as_json=True)
    assert ended.value.error.exit_code == 5
    assert ended.value.error.message == "Stopped by SIGINT. Servers of web checked before: 1."


def test_failure_of_aws_is_exit_4_even_when_all_that_was_seen_is_good() -> None:
    with pytest.raises(UnfinishedError) as ended:
        show_report(report_of(GOOD, error=AwsError("throttled")), as_json=True)
    assert ended.value.error.exit_code == 4


def test_line_says_whose_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    print_line("i-1", "93 passed")
    assert capsys.readouterr().err == "i-1 | 93 passed\n"


def test_junit_file_goes_where_it_is_wanted(tmp_path: Path) -> None:
    write_junit(report_of(GOOD), tmp_path / "all.xml")
    assert 'name="i-1"' in (tmp_path / "all.xml").read_text()


def test_junit_file_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"--junit .* cannot be written: No such file"):
        write_junit(report_of(GOOD), tmp_path / "missing" / "all.xml")


def test_page_is_copied_to_where_it_is_wanted(tmp_path: Path) -> None:
    (tmp_path / "report.html").write_text("<h1>All 1 servers are proven</h1>")
    report = Report("web", "run-1", Verdict((GOOD,), str(tmp_path)), ())
    write_html(report, tmp_path / "page.html")
    assert (tmp_path / "page.html").read_text() == (tmp_path / "report.html").read_text()
    with pytest.raises(UsageError, match=r"--html .*/nowhere/page\.html cannot be written: No such file or directory"):
        write_html(report, tmp_path / "nowhere" / "page.html")


def test_verdicts_that_do_not_hold_by_themselves_end_with_exit_6(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report("web", "run-1", Verdict((GOOD,), differing=("i-1: test_x::test_a: passed was shared",)), ())
    with pytest.raises(UnfinishedError) as ended:
        show_report(report, as_json=False)
    assert ended.value.error.exit_code == 6
    assert ended.value.error.message.startswith(
        "Of the verdicts that servers of web shared, 1 are not what the checks come to"
    )
    assert "differs: i-1: test_x::test_a: passed was shared\n" in capsys.readouterr().out


def test_run_that_has_cost_too_much_ends_with_exit_6(capsys: pytest.CaptureFixture[str]) -> None:
    report = Report("web", "run-1", Verdict((GOOD,), "/reports/run-1", cost=Cost(1, 1, 500, 500)), ())
    with pytest.raises(UnfinishedError) as ended:
        show_report(report, as_json=False, budget={"connections": 1, "bytes": 999})
    assert ended.value.error.exit_code == 6
    said = "1,000 bytes a server, both ways, 999 allowed"
    assert ended.value.error.message == f"The run has cost more than it may: {said}."
    assert f"over budget: {said}\n" in capsys.readouterr().out
    assert ended.value.facts["over_budget"] == [said]


def test_servers_that_are_not_proven_are_told_before_what_it_has_cost() -> None:
    report = Report("", "run-1", Verdict((BAD,), "/reports/run-1", cost=Cost(2)), ())
    with pytest.raises(UnfinishedError) as ended:
        show_report(report, as_json=True, budget={"connections": 1})
    assert ended.value.error.message == "1 of 1 servers are not proven: 1 failed."


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((None, "", None, True, None), "Wanted one of: an Auto Scaling group"),
        (("web", "a", None, True, None), "Wanted one of: an Auto Scaling group"),
        (("web", "", "local", True, None), "Wanted one of: an Auto Scaling group"),
        ((None, "a", "local", True, None), "Wanted one of: an Auto Scaling group"),
        (("web", "", None, True, "specs"), "--specs and --image are for servers of no group"),
        ((None, "a", None, False, None), "--only-image and --sample are for the servers of a group"),
        ((None, "a", "ssm", True, None), "--transport ssm is for the servers of a group"),
    ],
)
def test_servers_are_named_in_one_way(
    arguments: tuple[str | None, str, str | None, bool, str | None], said: str
) -> None:
    with pytest.raises(UsageError, match=said):
        check_servers_are_named_once(*arguments)


@pytest.mark.parametrize(
    "arguments",
    [
        ("web", "", None, True, None),
        ("web", "", "ssm", False, None),
        (None, "a", "ssh", True, "x"),
        (None, "", "local", True, None),
    ],
)
def test_way_to_name_servers_is_understood(arguments: tuple[str | None, str, str | None, bool, str | None]) -> None:
    check_servers_are_named_once(*arguments)
