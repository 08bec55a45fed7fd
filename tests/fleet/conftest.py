"""What the specs of a server share: what is WANTED (variables) and what is SEEN there, each looked up once a server.

WANTED comes from the roles' defaults, overlaid with the JSON file that the environment variable GOLDFLEET_VARIABLES_FILE
names; SEEN comes from the host alone. Every look is one remote command; specs only compare.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[2]


def read_variables() -> dict[str, Any]:
    """Return every role variable with the value that the server was configured with."""
    variables: dict[str, Any] = {}
    for defaults in sorted(PROJECT.glob("roles/*/defaults/main.yml")):
        variables.update(yaml.safe_load(defaults.read_text(encoding="utf-8")) or {})
    overlay = os.environ.get("GOLDFLEET_VARIABLES_FILE")
    if overlay:
        variables.update(json.loads(Path(overlay).read_text(encoding="utf-8")))
    return variables


def pytest_configure(config: pytest.Config) -> None:
    """Make the marker known wherever the specs run, in a bake's run folder too."""
    config.addinivalue_line("markers", "golden: a promise only of servers that were launched from a golden image")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give one test to each listed package."""
    if "base_package" in metafunc.fixturenames:
        metafunc.parametrize("base_package", read_variables()["base_packages"])


@pytest.fixture(scope="session")
def variables() -> dict[str, Any]:
    """What the server should be."""
    return read_variables()


@pytest.fixture(scope="module")
def installed_packages(host: Any) -> set[str]:
    """Names of the installed packages."""
    lines = host.check_output("dpkg-query --show --showformat='${db:Status-Status} ${Package}\\n'").splitlines()
    return {line.split()[1] for line in lines if line.startswith("installed ")}


@pytest.fixture(scope="module")
def units(host: Any) -> dict[str, tuple[str, str]]:
    """Every unit that runs or is named here, as (ActiveState, UnitFileState); a pattern finds only what is loaded."""
    wanted = "'*.service' '*.timer' apt-daily.timer apt-daily-upgrade.timer ssh.socket"
    shown = host.check_output(f"systemctl show --property=Id,ActiveState,UnitFileState {wanted}")
    blocks = (dict(line.split("=", 1) for line in block.splitlines()) for block in shown.split("\n\n"))
    return {block["Id"]: (block["ActiveState"], block["UnitFileState"]) for block in blocks if "Id" in block}


@pytest.fixture(scope="module")
def manifest(host: Any) -> dict[str, Any]:
    """The manifest that the image brought along."""
    parsed: dict[str, Any] = json.loads(host.check_output("cat /usr/share/goldfleet/manifest.json"))
    return parsed


@pytest.fixture(scope="module")
def status(host: Any) -> dict[str, Any]:
    """What the server says about itself at /status."""
    parsed: dict[str, Any] = json.loads(host.check_output("curl --silent --fail --max-time 10 http://127.0.0.1/status"))
    return parsed
