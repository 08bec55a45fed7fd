"""Writes what the checks said to `.goldfleet/reports/`: JSON and JUnit files for all hosts."""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldfleet.errors import RefusedError
from goldfleet.verify.budget import costs
from goldfleet.verify.junit_report import junit_parts
from goldfleet.verify.model import CheckOutcome, CheckResult, HostResult, Verdict
from goldfleet.verify.page import Subject, render

FLEET_JUNIT = "junit.xml"
PAGE = "report.html"
FORMAT = 2
"""Of report.json; 1 had each host's checks written out."""


@dataclass(frozen=True)
class Reporting:
    """Where the reports of a run are written, and what it is about: see Verdict."""

    folder: Path
    subject: str = ""
    is_whole: bool = False


def report_folder(project: Path, run_id: str) -> Path:
    """Return where the reports of a run are, made if need be.

    Raises RefusedError when the folder cannot be made.
    """
    folder = project / ".goldfleet" / "reports" / run_id
    with _refusing_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as plain JSON values, as docs/reference/verify_report.schema.json has it.

    What a check came to is there once, however many hosts it is of; hosts name it by its place in `checks`.
    """
    numbers: dict[int, int] = {}
    checks: list[CheckResult] = []
    rows: dict[int, list[int]] = {}  # hosts that agree share one
    for host in verdict.hosts:
        for check in host.checks if id(host.checks) not in rows else ():
            if id(check) not in numbers:
                numbers[id(check)] = len(checks)
                checks.append(check)
        if id(host.checks) not in rows:
            rows[id(host.checks)] = [numbers[id(check)] for check in host.checks]
    return {
        "format": FORMAT,
        "subject": verdict.subject,
        "whole": verdict.is_whole and not verdict.missing,
        "good": verdict.is_good,
        **{outcome.value: verdict.count(outcome) for outcome in CheckOutcome},
        "remarks": list(verdict.remarks),
        "differing": list(verdict.differing),
        "missing": list(verdict.missing),
        "cost": {**vars(verdict.cost), "per": costs(verdict)},
        "checks": [{**vars(check), "outcome": check.outcome.value} for check in checks],
        "hosts": [{**_host_document(host), "checks": rows[id(host.checks)]} for host in verdict.hosts],
    }


def write_reports(verdict: Verdict, folder: Path) -> None:
    """Write report.json and junit.xml to a folder."""
    _write(folder / "report.json", [json.dumps(verdict_document(verdict)), "\n"])
    _write(folder / FLEET_JUNIT, junit_parts(verdict))


def write_page(verdict: Verdict, subject: Subject) -> None:
    """Write report.html to the folder of a verdict's reports."""
    _write(Path(verdict.report_folder) / PAGE, [render(verdict, subject)])


def _host_document(host: HostResult) -> dict[str, Any]:
    return {
        "host": host.host,
        "instance_id": host.instance_id,
        "image_id": host.image_id,
        "verdict": host.verdict,
        "unreachable": host.unreachable,
        "not_run": host.not_run,
        "note": host.note,
        "seconds": round(host.seconds, 3),
    }


def _write(path: Path, parts: Iterable[str]) -> None:
    """Replace a file in one step: somebody may be reading it while a run goes on."""
    fresh = path.with_name(f".{path.name}.new")
    with _refusing_os_errors(path.parent):
        with fresh.open("w", encoding="utf-8", errors="backslashreplace") as file:
            file.writelines(parts)
        fresh.replace(path)


@contextmanager
def _refusing_os_errors(folder: Path) -> Iterator[None]:
    """Turn a full disk, a missing right and their like inside the block into RefusedError."""
    try:
        yield
    except OSError as error:
        raise RefusedError(
            f"Reports could not be written to {folder}: {error.strerror or error}.",
            "Free space or set rights there, then run again.",
        ) from error
