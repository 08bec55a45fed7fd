"""Writes what the checks said to `.goldfleet/reports/`: one JSON file beside pytest's JUnit files."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from goldfleet.verify.model import CheckOutcome, Verdict


def report_folder(project: Path, run_id: str) -> Path:
    """Return where the reports of a run are, made if need be."""
    folder = project / ".goldfleet" / "reports" / run_id
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def verdict_document(verdict: Verdict) -> dict[str, Any]:
    """Return a verdict as plain JSON values."""
    return {
        "good": verdict.is_good,
        **{outcome.value: verdict.count(outcome) for outcome in CheckOutcome},
        "hosts": [
            {
                "host": host.host,
                "verdict": host.verdict,
                "unreachable": host.unreachable,
                "checks": [{**asdict(check), "outcome": check.outcome.value} for check in host.checks],
            }
            for host in verdict.hosts
        ],
    }


def write_report(verdict: Verdict, folder: Path) -> Path:
    """Write a verdict to report.json in a folder and return the file's path."""
    path = folder / "report.json"
    path.write_text(json.dumps(verdict_document(verdict), indent=2) + "\n", encoding="utf-8")
    return path
