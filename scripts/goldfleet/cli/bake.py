"""`goldfleet bake`."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from goldfleet.cli.output import (
    JsonOption,
    ProfileOption,
    ProjectOption,
    RegionOption,
    make_progress,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from goldfleet.bake.model import StageTime
    from goldfleet.bake.wiring import BakeReport


def bake(
    image: Annotated[
        str | None, typer.Argument(help="Image of goldfleet.toml; not needed when it has one only.")
    ] = None,
    *,
    if_changed: Annotated[
        bool, typer.Option("--if-changed", help="Bake only when something that goes in has changed.")
    ] = False,
    var: Annotated[
        list[str] | None, typer.Option(help="name=value: a role variable for this bake; may be given again.")
    ] = None,
    project: ProjectOption = ".",
    profile: ProfileOption = None,
    region: RegionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bake a golden AMI, prove it on a booted copy, publish it.

    Ctrl-C stops it in an orderly way: Packer cleans up, then goldfleet does.
    """
    from pathlib import Path

    from goldfleet.bake.ports import BakeRequest
    from goldfleet.bake.wiring import AwsOptions, run_bake
    from goldfleet.config.overrides import parse_variables, with_variables
    from goldfleet.config.reading import load_settings

    folder = Path(project).resolve()
    name, settings = load_settings(folder).pick_image(image)
    request = BakeRequest(folder, name, with_variables(settings, parse_variables(var or [])), if_changed)
    progress = make_progress()
    try:
        report = run_bake(request, AwsOptions(profile, region), progress)
    finally:
        progress.close()
    if as_json:
        print_json(bake_document(report, progress.times))
    else:
        print_report(report, progress.times)


def bake_document(report: "BakeReport", times: "list[StageTime]") -> dict[str, Any]:
    """Return what a bake did as plain JSON values; a stage that ran twice is there twice."""
    from dataclasses import asdict

    stages = [{"stage": time.stage.value, "seconds": round(time.seconds, 3), "outcome": time.outcome} for time in times]
    calls = {"aws_calls": report.aws_calls_total, "aws_calls_by_operation": report.aws_calls}
    return {**asdict(report.outcome), "stages": stages, **calls}


def print_report(report: "BakeReport", times: "list[StageTime]") -> None:
    """Print what a bake did on stdout: seconds by stage, a sentence, and where the reports are."""
    outcome = report.outcome
    if outcome.action == "nothing to do":
        print(f"nothing to do: {outcome.reasons[0]}")
        return
    print_table(("stage", "seconds s"), _rows(times))
    checks = f", {outcome.checks.passed} checks passed" if outcome.action == "baked" else ""
    print(
        f"{outcome.image}: {outcome.image_id} {outcome.action} and current{checks}, {report.aws_calls_total} AWS calls"
    )
    if outcome.reports:
        names = ", ".join(["reports", *(path.rpartition("/")[2] for path in outcome.documents)])
        print(f"{names}: {outcome.reports}/")


def _rows(times: "list[StageTime]") -> list[tuple[str, str]]:
    rows = [(time.stage.value, f"{time.seconds:.1f}") for time in times]
    return [*rows, ("total", f"{sum(time.seconds for time in times):.1f}")]
