"""A server and real backends, each a machine of its own: molecule's scenario `backends` starts them and runs these tests.

The environment variable GOLDFLEET_BACKENDS_FILE names a JSON file with the server's machine, the domain, the password and
the engines; a backend's machine is called SERVER-ENGINE.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

BACKENDS = {
    "mysql": "database/main", "postgresql": "database/reports", "redis": "cache/sessions", "memcached": "cache/pages",
}  # fmt: skip
"""Which backend is which engine's, in the scenarios' variables."""
SETTINGS = "/run/goldfleet/settings.json"


def read_scenario() -> dict[str, Any]:
    """Return what molecule's scenario has started."""
    scenario: dict[str, Any] = json.loads(Path(os.environ["GOLDFLEET_BACKENDS_FILE"]).read_text(encoding="utf-8"))
    return scenario


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give one test to each engine of the scenario."""
    if "engine" in metafunc.fixturenames:
        metafunc.parametrize("engine", read_scenario()["engines"], scope="session")


def podman(*arguments: str, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run podman."""
    return subprocess.run(["podman", *arguments], input=text, capture_output=True, text=True, check=False)


@dataclass
class Rig:
    """The server under test and the machines of its backends."""

    server: str
    domain: str
    password: str
    states: dict[str, str] = field(default_factory=dict)

    def settings_for(self, engine: str) -> dict[str, str]:
        """Return the right settings of a backend."""
        prefix = BACKENDS[engine]
        wanted = {"host": f"{engine}.{self.domain}", "username": "shop", "password": self.password}
        if engine in ("mysql", "postgresql"):
            wanted["database"] = "shop"
        return {f"{prefix}/{name}": value for name, value in wanted.items()}

    def run(self, command: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a command on the server."""
        variables = [f"--env={name}={value}" for name, value in environment.items()]
        return podman("exec", *variables, self.server, "sh", "-c", command)

    def configure(self, engine: str, **changes: str) -> None:
        """Give the server settings for a backend, right but for the changes."""
        prefix = BACKENDS[engine]
        settings = {**self.settings_for(engine), **{f"{prefix}/{name}": value for name, value in changes.items()}}
        done = podman(
            "exec", "--interactive", self.server, "sh", "-c", f"umask 077; cat >{SETTINGS}", text=json.dumps(settings)
        )
        assert done.returncode == 0, done.stderr

    def put(self, engine: str, state: str) -> None:
        """Have an engine run with a certificate, without TLS or not at all."""
        if self.states.get(engine, "good") != state:
            done = podman("exec", f"{self.server}-{engine}", "/opt/engines/be.sh", engine, state)
            assert done.returncode == 0, done.stderr
            self.states[engine] = state

    def ask(self, engine: str) -> dict[str, Any]:
        """Return what goldfleet-connectivity says about a backend, with its exit code and whole output."""
        name = BACKENDS[engine].split("/")[1]
        done = self.run(f"goldfleet-connectivity --backend {name} --json")
        report: dict[str, Any] = json.loads(done.stdout)["backends"][0]
        return {**report, "exit_code": done.returncode, "output": done.stdout + done.stderr}


@pytest.fixture(scope="session")
def rig() -> Rig:
    """What molecule has started."""
    scenario = read_scenario()
    return Rig(scenario["server"], scenario["domain"], scenario["password"])


@pytest.fixture
def silent(rig: Rig, engine: str) -> Iterator[str]:
    """A machine that takes connections and says nothing more."""
    machine = f"{rig.server}-{engine}"
    assert podman("pause", machine).returncode == 0
    yield engine
    assert podman("unpause", machine).returncode == 0


@pytest.fixture
def good(rig: Rig, engine: str) -> str:
    """An engine that runs as it should, and right settings for it."""
    rig.put(engine, "good")
    rig.configure(engine)
    return engine
