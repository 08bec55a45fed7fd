"""What goldfleet-seal stops before it removes anything: services, by a systemctl that writes down its calls, and agents."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

PROGRAM = Path(__file__).resolve().parents[3] / "roles/golden_seal/files/goldfleet-seal"
SYSTEMCTL = """#!/bin/sh
echo "systemctl $*" >> "$CALLS"
[ "$1" = list-units ] || { [ "$1" = stop ] && : > "$CALLS.stopped"; exit 0; }
for unit; do
  case $unit in
    {running}) [ -e "$CALLS.stopped" ] && [ $unit != {stubborn} ] || echo "$unit loaded active running" ;;
  esac
done
"""
OTHER = """#!/bin/sh
echo "${0##*/} $*" >> "$CALLS"
"""


@pytest.fixture
def seal() -> ModuleType:
    """The program as a module; nothing runs yet."""
    loader = importlib.machinery.SourceFileLoader("goldfleet_seal_program", str(PROGRAM))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader(loader.name, loader))  # type: ignore[arg-type]
    loader.exec_module(module)
    return module


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with every call of systemctl, cloud-init and journalctl, none of which does anything."""
    running = "chrony.service|systemd-random-seed.service|amazon-ssm-agent.service|rsyslog.service"
    texts = {"systemctl": SYSTEMCTL.replace("{running}", running).replace("{stubborn}", "amazon-ssm-agent.service")}
    for name, text in {**texts, "cloud-init": OTHER, "journalctl": OTHER}.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setenv("CALLS", str(tmp_path / "calls"))
    return tmp_path / "calls"


@pytest.fixture
def agent() -> Iterator[subprocess.Popen[bytes]]:
    """A process that calls itself what an agent of major 1 does, which no unit knows."""
    program = ["bash", "-c", "exec -a 'codedeploy-agent: master 4711' sleep 60"]
    with subprocess.Popen(program) as process:
        while b"codedeploy-agent: " not in Path(f"/proc/{process.pid}/cmdline").read_bytes():
            time.sleep(0.01)
        yield process
        process.kill()


def test_what_would_write_again_is_stopped_first(
    seal: ModuleType, calls: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The unit of the random seed among them, which writes a new one when the builder shuts down."""
    monkeypatch.setattr(seal, "list_agents", list)
    seal.quiet_services()
    told = [line for line in calls.read_text(encoding="utf-8").splitlines() if " list-units " not in line]
    assert told == [
        "systemctl stop amazon-ssm-agent.service chrony.service systemd-random-seed.service rsyslog.service",
        "systemctl kill --signal=KILL amazon-ssm-agent.service",
        "cloud-init clean --logs --seed",
        "journalctl --relinquish-var",
    ]


def test_agent_that_systemd_does_not_know_is_found_and_ended(
    seal: ModuleType, calls: Path, agent: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing else is: only what this test has started is looked at."""
    assert agent.pid in seal.list_agents()
    monkeypatch.setattr(seal, "list_agents", lambda: [agent.pid])
    seal.quiet_services()
    assert agent.wait(timeout=10) == -9
    assert agent.pid not in [int(name) for name in os.listdir("/proc") if name.isdigit()]


@pytest.mark.parametrize(
    ("command", "is_agent"),
    [
        ("/opt/codedeploy-agent/bin/codedeploy-agent\0run", True),
        ("codedeploy-agent: master 4711\0", True),
        ("codedeploy-agent: InstanceAgent::Plugins::CodeDeployPlugin::CommandPoller of master 4711", True),
        ("vim\0/etc/codedeploy-agent/conf/codedeployagent.yml", False),
        ("tail\0-f\0codedeploy-agent", False),
        ("", False),
    ],
)
def test_agents_are_told_by_what_they_call_themselves(
    seal: ModuleType, tmp_path: Path, command: str, is_agent: bool
) -> None:
    """Arguments of other programs may name the agent."""
    (tmp_path / "12").mkdir()
    (tmp_path / "12/cmdline").write_bytes(command.encode())
    (tmp_path / "self").mkdir()
    assert seal.list_agents(str(tmp_path)) == ([12] if is_agent else [])


def test_process_that_has_ended_meanwhile_is_none(seal: ModuleType, tmp_path: Path) -> None:
    """Between the list of processes and the look at one."""
    (tmp_path / "12").mkdir()
    assert seal.list_agents(str(tmp_path)) == []
