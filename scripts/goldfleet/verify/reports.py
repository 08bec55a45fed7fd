"""Writes what the checks said to `.goldfleet/reports/`: JSON and JUnit files for all hosts."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from goldfleet.errors import RefusedError
from goldfleet.verify.junit_report import build_junit
from goldfleet.verify.model import CheckOutcome, HostResult, Verdict

FLEET_JUNIT = "junit.xml"


def report_folder(project: Path, run_id: str) -> Path:
    """Return where the reports of a run are, made if need be.

    Raises RefusedError when the folder cannot be made.
    """
    folder = project / ".goldfleet" / "reports" / run_id
    with _refusing_os_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return folder


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as plain JSON values."""
    return {
        "good": verdict.is_good,
        **{outcome.value: verdict.count(outcome) for outcome in CheckOutcome},
        "remarks": list(verdict.remarks),
        "differing": list(verdict.differing),
        "hosts": [_host_document(host) for host in verdict.hosts],
    }


def write_reports(verdict: Verdict, folder: Path) -> None:
    """Write report.json and junit.xml to a folder."""
    _write(folder / "report.json", json.dumps(verdict_document(verdict), indent=2) + "\n")
    _write(folder / FLEET_JUNIT, build_junit(verdict))


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
        "checks": [{**asdict(check), "outcome": check.outcome.value} for check in host.checks],
    }


def _write(path: Path, text: str) -> Path:
    """Replace a file in one step: somebody may be reading it while a run goes on."""
    fresh = path.with_name(f".{path.name}.new")
    with _refusing_os_errors(path.parent):
        fresh.write_text(text, encoding="utf-8")
        return fresh.replace(path)


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
