"""`goldfleet demo`, as a newcomer runs it."""

import json
import os
import re
import signal
import subprocess
import time
from pathlib import Path

from tests.localcloud.conftest import BIN, ROOT
from tests.localcloud.test_up_down import host_traces


def start(state: Path) -> subprocess.Popen[str]:
    """Start a demo with a state folder of its own."""
    env = {**os.environ, "GOLDFLEET_LOCAL_STATE": str(state)}
    command = [str(BIN / "goldfleet"), "demo", "--json"]
    return subprocess.Popen(
        command, env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )


def test_demo_tells_its_story_and_leaves_nothing(tmp_path: Path) -> None:
    demo = start(tmp_path / "state")
    printed, said = demo.communicate(timeout=900)
    assert demo.returncode == 0, said
    facts = json.loads(printed)
    first, second = facts["images"]
    assert first["image_id"] != second["image_id"]
    assert facts["rebake_without_change"] == "nothing to do"
    assert facts["checks_passed"] > 100
    assert [difference for difference in facts["differences"] if "web_stack_greeting" in difference] != []
    assert "up: http://127.0.0.1:" in said
    assert not (tmp_path / "state" / "cloud.json").exists()
    (cloud_id,) = re.findall(r"network goldfleet-(\w+) removed", said)
    assert host_traces(cloud_id, "no route of that kind") == []


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
