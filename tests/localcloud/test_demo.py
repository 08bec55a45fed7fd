"""`goldfleet demo`, as a newcomer runs it: the whole life of a fleet, and what it leaves behind."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.localcloud.conftest import BIN, ROOT
from tests.localcloud.test_up_down import host_traces


def start(state: Path, *options: str) -> subprocess.Popen[str]:
    """Start a demo with a state folder of its own."""
    env = {**os.environ, "GOLDFLEET_LOCAL_STATE": str(state)}
    command = [str(BIN / "goldfleet"), "demo", "--json", *options]
    return subprocess.Popen(
        command, env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def assert_whole_story(state: Path, *options: str) -> None:
    """Run a demo and assert that it kept its promises and left nothing."""
    demo = start(state, *options)
    printed, said = demo.communicate(timeout=1200)
    assert demo.returncode == 0, said
    facts = json.loads(printed)
    assert facts["good"] is True
    assert facts["requests_failed"] == 0
    assert facts["lowest_healthy"] >= facts["servers"] == 3
    duration = facts["versions"][0]["last"] - facts["versions"][0]["first"]
    assert facts["requests_sent"] >= 50 * duration
    assert {seen["version"] for seen in facts["versions"]} == {image["run"] for image in facts["images"]}
    assert facts["rebake_without_change"] == "nothing to do"
    assert facts["checks_passed"] > 900
    assert [difference for difference in facts["differences"] if "web_stack_greeting" in difference] != []
    page = (ROOT / facts["report"]).read_text()
    assert "never fewer than 3 healthy targets" in page
    assert not (state / "cloud.json").exists()
    (cloud_id,) = re.findall(r"network goldfleet-(\w+) removed", said)
    assert host_traces(cloud_id, "no route of that kind") == []


def test_demo_tells_its_story_and_leaves_nothing(tmp_path: Path) -> None:
    assert_whole_story(tmp_path / "state")


@pytest.mark.long
def test_demo_with_a_launch_configuration_keeps_the_same_promises(tmp_path: Path) -> None:
    assert_whole_story(tmp_path / "state", "--launch-kind", "configuration")


def test_unknown_launch_kind_is_refused(tmp_path: Path) -> None:
    demo = start(tmp_path / "state", "--launch-kind", "magic")
    _, said = demo.communicate(timeout=60)
    assert demo.returncode == 2
    assert "template or configuration" in said


def test_ctrl_c_twice_in_the_middle_leaves_nothing(tmp_path: Path) -> None:
    state = tmp_path / "state"
    demo = start(state)
    while "builder" not in (seen := _log(state)) and "Connected to SSH" not in seen:
        assert demo.poll() is None, demo.communicate()
        time.sleep(0.5)
    facts = json.loads((state / "cloud.json").read_text())
    os.killpg(demo.pid, signal.SIGINT)  # as the terminal does: everything in the process group
    time.sleep(1)
    os.killpg(demo.pid, signal.SIGINT)
    demo.communicate(timeout=240)
    assert demo.returncode == 5
    assert host_traces(facts["cloud_id"], facts["cidr"]) == []


def _log(state: Path) -> str:
    log = state / "bake-1.log"
    return log.read_text() if log.exists() else ""
