"""Promises of role app_settings: settings are in memory, readable by one group, or the server is held; backends are asked."""

from __future__ import annotations

import json
from typing import Any

import pytest

FILES = {
    "/etc/goldfleet/app_settings.json": "root root 644",
    "/etc/systemd/system/goldfleet-connectivity.service": "root root 644",
    "/etc/systemd/system/goldfleet-connectivity.timer": "root root 644",
    "/etc/systemd/system/goldfleet-settings.service": "root root 644",
    "/etc/systemd/system/goldfleet-settings.target": "root root 644",
    "/etc/tmpfiles.d/goldfleet-settings.conf": "root root 644",
    "/usr/local/lib/goldfleet/connectivity": "root root 755",
    "/usr/local/lib/goldfleet/goldfleet_connectivity.py": "root root 644",
    "/usr/local/sbin/goldfleet-connectivity": "root root 755",
    "/usr/local/sbin/goldfleet-settings": "root root 755",
}
SHARED = ("/run/goldfleet/settings.json", "/run/goldfleet/settings.env")
UNITS = (
    "goldfleet-settings.service goldfleet-settings.target goldfleet-connectivity.service goldfleet-connectivity.timer"
)
PROPERTIES = (
    "Id,ActiveEnterTimestampMonotonic,ActiveState,Conditions,ExecMainStartTimestampMonotonic,NoNewPrivileges,ProtectSystem,"
    "RestartUSec,TimersMonotonic,Type,UnitFileState,Wants"
)
HOLD = "/run/goldfleet/hold/settings"


@pytest.fixture(scope="module")
def rights(host: Any) -> dict[str, str]:
    """Owner, group and mode of what the role writes and of what is resolved, by path; what is not there is missing."""
    lines = host.run(f"stat --format='%n %U %G %a' {' '.join((*FILES, *SHARED))}").stdout.splitlines()
    return dict(line.split(" ", 1) for line in lines)


@pytest.fixture(scope="module")
def shown(host: Any) -> dict[str, dict[str, str]]:
    """What systemd knows of the role's units."""
    blocks = host.check_output(f"systemctl show --property={PROPERTIES} {UNITS}").split("\n\n")
    parsed = [dict(line.split("=", 1) for line in block.splitlines()) for block in blocks]
    return {block["Id"]: block for block in parsed}


@pytest.fixture(scope="module")
def source(host: Any) -> dict[str, Any]:
    """What goldfleet-settings is told to resolve."""
    parsed: dict[str, Any] = json.loads(host.check_output("cat /etc/goldfleet/app_settings.json"))
    return parsed


@pytest.fixture(scope="module")
def settings(host: Any) -> dict[str, str] | None:
    """The names of the settings that are there, None when they are not; values stay on the server."""
    names = "import json; print(json.dumps(sorted(json.load(open('/run/goldfleet/settings.json')))))"
    seen = host.run(f'test ! -e {SHARED[0]} || python3 -c "{names}"').stdout
    return dict.fromkeys(json.loads(seen), "") if seen.strip() else None


@pytest.fixture(scope="module")
def hold(host: Any) -> str | None:
    """Why the server is held for its settings, None when it is not."""
    seen = host.run(f"cat {HOLD}")
    return str(seen.stdout) if seen.succeeded else None


@pytest.fixture(scope="module")
def is_wanted(variables: dict[str, Any]) -> bool:
    """Whether this server has settings to resolve."""
    return bool(variables["app_settings_parameter_store"] or variables["app_settings_secrets"])


@pytest.mark.parametrize("path", FILES)
def test_file_belongs_to_root(path: str, rights: dict[str, str]) -> None:
    """Only root may change what runs as root."""
    assert rights.get(path) == FILES[path]


@pytest.mark.parametrize(
    "name", ["environment", "application", "parameter_store", "secrets", "required", "group", "retry_seconds"]
)
def test_source_is_as_wanted(name: str, source: dict[str, Any], variables: dict[str, Any]) -> None:
    """The program resolves what the variables say."""
    assert source[name] == variables[f"app_settings_{name}"]


def test_service_starts_at_boot(shown: dict[str, dict[str, str]]) -> None:
    """Settings are resolved at each boot, and the service is at it or done."""
    service = shown["goldfleet-settings.service"]
    assert (service["UnitFileState"], service["ActiveState"]) == ("enabled", "active")


def test_service_does_not_hold_up_the_boot(shown: dict[str, dict[str, str]]) -> None:
    """It counts as started once it runs."""
    assert shown["goldfleet-settings.service"]["Type"] == "exec"


@pytest.mark.parametrize("unit", ["goldfleet-settings.service", "goldfleet-connectivity.service"])
def test_service_may_not_change_the_system(unit: str, shown: dict[str, dict[str, str]]) -> None:
    """The programs write into /run/goldfleet only."""
    assert (shown[unit]["NoNewPrivileges"], shown[unit]["ProtectSystem"]) == ("yes", "strict")


def test_library_of_aws_is_there_where_it_is_needed(is_wanted: bool, installed_packages: set[str]) -> None:
    """Nobody has to install it at boot."""
    assert not is_wanted or "python3-boto3" in installed_packages


def test_server_is_held_from_the_start_where_settings_are_wanted(host: Any, is_wanted: bool) -> None:
    """systemd-tmpfiles makes the hold before any service runs, exactly where there is something to wait for."""
    lines = host.check_output("cat /etc/tmpfiles.d/goldfleet-settings.conf").splitlines()
    rules = [line.split()[:2] for line in lines if not line.startswith("#")]
    assert rules == ([["f", HOLD]] if is_wanted else [])


def test_server_is_held_exactly_while_it_lacks_its_settings(
    hold: str | None, settings: dict[str, str] | None, is_wanted: bool
) -> None:
    """No request reaches a server that wants settings and has none; nothing holds one that needs none."""
    assert (hold is not None) == (is_wanted and settings is None)


def test_hold_says_why(hold: str | None) -> None:
    """A held server has a reason that an operator can read, on one line."""
    assert hold is None or (hold.startswith("settings are not resolved") and len(hold.splitlines()) == 1)


@pytest.mark.parametrize("path", SHARED)
def test_settings_are_for_root_and_one_group(
    path: str, rights: dict[str, str], settings: dict[str, str] | None, is_wanted: bool, variables: dict[str, Any]
) -> None:
    """Nobody else can read a secret."""
    wanted = f"root {variables['app_settings_group']} 640" if is_wanted and settings is not None else None
    assert (rights.get(path) if is_wanted else None) == wanted


def test_required_settings_are_there(
    settings: dict[str, str] | None, is_wanted: bool, variables: dict[str, Any]
) -> None:
    """A server with settings has all that the application cannot do without."""
    missing = set(variables["app_settings_required"]) - set(settings or {})
    assert not missing or (is_wanted and settings is None)


def test_settings_are_in_memory_only(host: Any) -> None:
    """No secret reaches a disk, and so none an image."""
    assert host.check_output("stat --file-system --format=%T /run/goldfleet") == "tmpfs"


def test_target_is_reached_exactly_when_settings_are_there(shown: dict[str, dict[str, str]], hold: str | None) -> None:
    """What waits for settings has started, or still waits; where it ran with earlier ones, it runs until there are others."""
    target, service = shown["goldfleet-settings.target"], shown["goldfleet-settings.service"]
    reached, looked = target["ActiveEnterTimestampMonotonic"], service["ExecMainStartTimestampMonotonic"]
    is_of_before = hold is not None and 0 < int(reached) < int(looked)
    assert target["ActiveState"] == ("active" if hold is None or is_of_before else "inactive")


def test_checks_run_as_wanted(shown: dict[str, dict[str, str]], hold: str | None, variables: dict[str, Any]) -> None:
    """Backends are asked once there are settings, where checks are not switched off."""
    wanted = hold is None and variables["app_settings_connectivity_interval_seconds"] > 0
    assert shown["goldfleet-connectivity.timer"]["ActiveState"] == ("active" if wanted else "inactive")


def test_target_starts_the_checks_where_they_are_wanted(
    shown: dict[str, dict[str, str]], variables: dict[str, Any]
) -> None:
    """They start with the settings, not before."""
    wanted = ["goldfleet-connectivity.timer"] if variables["app_settings_connectivity_interval_seconds"] > 0 else []
    assert shown["goldfleet-settings.target"]["Wants"].split() == wanted


def test_checks_come_at_the_wanted_interval(host: Any, variables: dict[str, Any]) -> None:
    """The timer waits as long as it is told."""
    lines = host.check_output("cat /etc/systemd/system/goldfleet-connectivity.timer").splitlines()
    wanted = variables["app_settings_connectivity_interval_seconds"] or 3600
    assert [line for line in lines if line.startswith("OnUnitInactiveSec=")] == [f"OnUnitInactiveSec={wanted}"]


def test_connectivity_can_be_asked(host: Any) -> None:
    """The program runs with the system's Python and knows its exit codes: 0 up or none, 2 settings, 6 something is down."""
    asked = host.run("/usr/local/sbin/goldfleet-connectivity --json")
    assert asked.rc in (0, 2, 6)
    assert json.loads(asked.stdout)["up"] == (asked.rc == 0)


def test_checks_leave_no_failed_unit(shown: dict[str, dict[str, str]]) -> None:
    """A backend that is down is told at /status, not by a failed unit."""
    assert shown["goldfleet-connectivity.service"]["ActiveState"] != "failed"
