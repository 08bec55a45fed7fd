"""The mutation tool end to end: a mutant is caught by a spec, and nothing is left of a run, whether it ends or is stopped."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.localcloud.conftest import ROOT, wait_for

pytestmark = pytest.mark.long
TOOL = [sys.executable, "-m", "tests.mutation", "golden_seal", "--scenario", "default", "--again"]
MUTANT = "'Let the login user look at the seal, and no more' deleted"
LABEL = "label=goldfleet.mutation"


def left() -> list[str]:
    """Return the machines and images that runs have left."""
    looks = (["ps", "--all", "--quiet"], ["images", "--all", "--quiet"])
    return [
        line
        for look in looks
        for line in subprocess.run(
            ["podman", *look, "--filter", LABEL], capture_output=True, text=True, check=True
        ).stdout.split()
    ]


def test_deleted_task_is_caught_by_a_spec_and_nothing_is_left(tmp_path: Path) -> None:
    file = tmp_path / "verdicts.json"
    done = subprocess.run(
        [*TOOL, "--only", MUTANT, "--json", str(file)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    (verdict,) = json.loads(file.read_text())
    assert (verdict["task"], verdict["mutation"]) == ("Let the login user look at the seal, and no more", "deleted")
    assert verdict["caught"]["kind"] == "spec"
    assert left() == []


def test_stopped_run_leaves_nothing_and_says_that_it_may_go_on() -> None:
    process = subprocess.Popen(TOOL, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    wait_for("a machine", left, 120)
    process.send_signal(signal.SIGINT)
    said = process.communicate(timeout=120)[1]
    assert (process.returncode, "Start it again to go on" in said, left()) == (5, True, [])
