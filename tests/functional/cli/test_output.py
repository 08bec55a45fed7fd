"""What is printed where."""

import io
import json
from dataclasses import replace

import pytest
from rich.console import Console

from goldfleet.bake.catalog import CatalogEntry, ImageDetails
from goldfleet.bake.cleanup import Removed
from goldfleet.bake.janitor import DeleteKeyPair, RunPlan
from goldfleet.bake.model import CheckCounts, Outcome, Stage, StageTime
from goldfleet.bake.wiring import BakeReport
from goldfleet.cli.bake import bake_document, print_report
from goldfleet.cli.images import details_document, removed_document, show_removed
from goldfleet.cli.known_hosts import parse_tags, show_pinned
from goldfleet.cli.output import LiveProgress, PlainProgress, UnfinishedError, make_progress, print_table
from goldfleet.errors import AwsError, StoppedError, UsageError
from goldfleet.ssh.pinning import Pinned

OUTCOME = Outcome("baked", "app", "ami-1", "run-1", "f" * 64, "ami-0", ("no verified image yet",), CheckCounts(57))
REPORT = BakeReport(OUTCOME, {"DescribeImages": 2, "RunInstances": 1})
TIMES = [StageTime(Stage.BUILD, 61.25, "done"), StageTime(Stage.VERIFY, 3.0, "done")]


def test_plain_progress_is_lines_on_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    progress = PlainProgress()
    progress.stage_started(Stage.BUILD)
    progress.note("Baking because: role web_stack changed.")
    progress.line("amazon-ebs.golden: hello")
    progress.stage_ended(Stage.BUILD, 1.25, "done")
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines() == [
        "==> build",
        "    Baking because: role web_stack changed.",
        "  | amazon-ebs.golden: hello",
        "==> build: done in 1.2 s",
    ]
    assert progress.times == [StageTime(Stage.BUILD, 1.25, "done")]


def test_progress_is_plain_where_there_is_no_terminal() -> None:
    assert isinstance(make_progress(), PlainProgress)


def test_live_progress_leaves_a_line_a_stage() -> None:
    stream = io.StringIO()
    progress = LiveProgress(Console(file=stream, force_terminal=True, width=80))
    progress.stage_started(Stage.BUILD)
    progress.line("[bold]not markup[/")
    progress.stage_ended(Stage.BUILD, 2.0, "failed")
    progress.close()
    assert "failed" in stream.getvalue()
    assert "build" in stream.getvalue()


def test_report_is_a_table_and_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    print_report(REPORT, TIMES)
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert lines == [
        ["stage", "seconds", "s"],
        ["build", "61.2"],
        ["verify", "3.0"],
        ["total", "64.2"],
        ["app:", "ami-1", "baked", "and", "current,", "57", "checks", "passed,", "3", "AWS", "calls"],
    ]


def test_reports_and_documents_of_a_bake_are_named(capsys: pytest.CaptureFixture[str]) -> None:
    folder = ".goldfleet/reports/run-1"
    print_report(BakeReport(replace(OUTCOME, reports=folder, documents=(f"{folder}/sbom.cdx.json",)), {}), TIMES)
    assert capsys.readouterr().out.splitlines()[-1] == "reports, sbom.cdx.json: .goldfleet/reports/run-1/"


def test_nothing_to_do_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    outcome = Outcome("nothing to do", "app", "ami-1", "run", "f", "ami-0", ("ami-1 has these inputs",))
    print_report(BakeReport(outcome, {}), [])
    assert capsys.readouterr().out == "nothing to do: ami-1 has these inputs\n"


def test_bake_as_json_has_stages_checks_and_calls() -> None:
    document = json.loads(json.dumps(bake_document(REPORT, TIMES)))
    assert document["image_id"] == "ami-1"
    assert document["checks"]["passed"] == 57
    assert document["stages"][0] == {"stage": "build", "seconds": 61.25, "outcome": "done"}
    assert document["aws_calls"] == 3


def test_image_as_json_has_facts_and_tags() -> None:
    entry = CatalogEntry("app", "ami-1", "n", "available", "2026", "current", "no", "", "f", "ami-0", "c", "r")
    document = json.loads(json.dumps(details_document(ImageDetails(entry, None, {"a": "b"}))))
    assert (document["image_id"], document["facts"], document["tags"]) == ("ami-1", None, {"a": "b"})


def test_removals_as_json_are_words() -> None:
    removed = Removed(RunPlan("run-1", "2026", (DeleteKeyPair("k"),)), ("could not delete key pair k",))
    assert removed_document(removed) == {
        "run": "run-1",
        "expires": "2026",
        "removals": ["delete key pair k"],
        "left": ["could not delete key pair k"],
    }


def test_table_shows_brackets_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("a",), [("[red]x[/red]",)])
    assert "[red]x[/red]" in capsys.readouterr().out


def test_tags_become_filters() -> None:
    assert parse_tags(["role=web", "role=db", "a=b=c"], has_ids=False) == {"tag:role": ["web", "db"], "tag:a": ["b=c"]}
    assert parse_tags([], has_ids=True) == {}
    with pytest.raises(UsageError, match="No instance was named"):
        parse_tags([], has_ids=False)


PLAN = RunPlan("run-1", "2026", (DeleteKeyPair("k"),))


def test_removals_that_left_something_print_no_json_of_their_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnfinishedError) as caught:
        show_removed((Removed(PLAN, ("could not delete key pair k",)),), "done:", as_json=True)
    assert capsys.readouterr().out == ""
    assert isinstance(caught.value.error, StoppedError)
    assert caught.value.facts["runs"][0]["left"] == ["could not delete key pair k"]


def test_removals_are_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    show_removed((Removed(PLAN),), "done:", as_json=True)
    assert json.loads(capsys.readouterr().out)["runs"][0]["removals"] == ["delete key pair k"]


def test_silent_console_prints_no_json_of_its_own(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnfinishedError) as caught:
        show_pinned([Pinned("i-1", ("a",), 1), Pinned("i-2", ("b",), 0)], 60, as_json=True)
    assert capsys.readouterr().out == ""
    assert isinstance(caught.value.error, AwsError)
    assert "console of i-2 within 60 s" in caught.value.error.message
    assert [one["keys"] for one in caught.value.facts["instances"]] == [1, 0]


def test_silent_console_is_in_the_table_too(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnfinishedError):
        show_pinned([Pinned("i-2", ("b",), 0)], 60, as_json=False)
    assert "i-2" in capsys.readouterr().out


def test_pinned_instances_are_one_json_document(capsys: pytest.CaptureFixture[str]) -> None:
    show_pinned([Pinned("i-1", ("a",), 1)], 60, as_json=True)
    assert json.loads(capsys.readouterr().out) == {"instances": [{"instance_id": "i-1", "names": ["a"], "keys": 1}]}
