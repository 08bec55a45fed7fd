"""Earlier verifications are found among real reports, and what changed since is on the page."""

from pathlib import Path

from goldfleet.verify.history import changes_of
from goldfleet.verify.model import CheckOutcome, CheckResult, HostResult, Verdict
from goldfleet.verify.page import Subject, render
from goldfleet.verify.reports import write_reports


def keep(
    folder: Path, run: str, image: str, outcome: CheckOutcome, *, subject: str = "web", is_whole: bool = True
) -> Verdict:
    """Write the reports of a verification of one server, and return its verdict."""
    host = HostResult("10.0.0.1", (CheckResult("test_x::test_y", outcome, 0.1),), instance_id="i-1", image_id=image)
    own = folder / run
    own.mkdir()
    verdict = Verdict((host,), str(own), subject=subject, is_whole=is_whole)
    write_reports(verdict, own)
    return verdict


def test_last_run_and_last_image_are_compared(tmp_path: Path) -> None:
    keep(tmp_path, "20260101-1", "ami-0", CheckOutcome.PASSED)
    keep(tmp_path, "20260101-2", "ami-1", CheckOutcome.PASSED)
    keep(tmp_path, "20260101-3", "ami-2", CheckOutcome.FAILED)
    keep(tmp_path, "20260101-4", "ami-2", CheckOutcome.FAILED, subject="api")
    keep(tmp_path, "20260101-5", "ami-2", CheckOutcome.FAILED, is_whole=False)
    verdict = keep(tmp_path, "20260101-6", "ami-2", CheckOutcome.FAILED)
    keep(tmp_path, "20260101-7", "ami-2", CheckOutcome.PASSED)
    seen = changes_of(verdict)
    assert [(one.run, one.images, one.is_none) for one in seen] == [
        ("20260101-3", ("ami-2",), True),
        ("20260101-2", ("ami-1",), False),
    ]
    page = render(verdict, Subject("web", "now", changes=seen))
    assert page.index("Since 20260101-3") < page.index("Nothing has changed.") < page.index("Since 20260101-2 (ami-1)")
    assert "wrong on 0 of 1 servers then, on 1 of 1 now" in page


def test_partial_run_is_compared_with_nothing(tmp_path: Path) -> None:
    keep(tmp_path, "1", "ami-1", CheckOutcome.PASSED)
    assert changes_of(keep(tmp_path, "2", "ami-1", CheckOutcome.FAILED, is_whole=False)) == ()


def test_reports_that_cannot_be_read_are_passed_over(tmp_path: Path) -> None:
    keep(tmp_path, "1", "ami-1", CheckOutcome.PASSED)
    (tmp_path / "2").mkdir()
    (tmp_path / "3").mkdir()
    (tmp_path / "3" / "report.json").write_text('{"good"')
    (tmp_path / "4").mkdir()
    (tmp_path / "4" / "report.json").write_text('{"format": 1, "hosts": []}')
    assert [one.run for one in changes_of(keep(tmp_path, "5", "ami-1", CheckOutcome.PASSED))] == ["1"]
