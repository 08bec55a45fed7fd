"""Services, sockets and processes."""

from __future__ import annotations

from typing import Any

import pytest

SERVICES = ("app-web", "app-metrics", "app-worker", "app-cleaner")
SOCKETS = (
    "tcp://0.0.0.0:8081",
    "tcp://127.0.0.1:8082",
    "tcp://127.0.0.1:9100",
    "udp://0.0.0.0:8125",
    "unix:///run/app-web/control",
    "tcp://22",
)


@pytest.mark.parametrize("name", SERVICES)
class TestService:
    """What holds of each service."""

    def test_is_running(self, host: Any, name: str) -> None:
        assert host.service(name).is_running

    def test_starts_at_boot(self, host: Any, name: str) -> None:
        assert host.service(name).is_enabled

    def test_is_not_masked(self, host: Any, name: str) -> None:
        assert not host.service(name).is_masked


class TestTimer:
    """The timer, whose service has no other."""

    @pytest.fixture
    def properties(self, host: Any) -> dict[str, str]:
        """What systemd says of it."""
        return dict(host.service("app-tick.timer").systemd_properties)

    def test_is_active(self, properties: dict[str, str]) -> None:
        assert (properties["ActiveState"], properties["UnitFileState"]) == ("active", "enabled")

    def test_starts_its_service(self, properties: dict[str, str]) -> None:
        assert properties["Unit"] == "app-tick.service"


@pytest.mark.parametrize("place", SOCKETS)
def test_is_listening(host: Any, place: str) -> None:
    assert host.socket(place).is_listening


@pytest.mark.parametrize("place", ["tcp://0.0.0.0:8082", "tcp://0.0.0.0:23", "udp://0.0.0.0:69"])
def test_is_not_listening(host: Any, place: str) -> None:
    assert not host.socket(place).is_listening


@pytest.mark.parametrize(("port", "user"), [(8081, "app"), (9100, "daemon")])
def test_port_is_held_by_its_own_program(host: Any, port: int, user: str) -> None:
    told = host.check_output("ss --no-header --listening --numeric --tcp --processes 'sport = :%s'", str(port))
    assert '"app-listener"' in told
    assert user in {process.user for process in host.process.filter(comm="app-listener")}


@pytest.mark.parametrize(("seconds", "user"), [("1000001", "app"), ("1000002", "batch")])
def test_process(host: Any, seconds: str, user: str) -> None:
    assert host.process.get(comm="sleep", args=f"/bin/sleep {seconds}").user == user


def test_no_unit_has_failed(host: Any) -> None:
    assert host.check_output("systemctl list-units --failed --no-legend --plain") == ""


def test_surroundings_of_the_web_service(host: Any) -> None:
    pid = host.service("app-web").systemd_properties["MainPID"]
    assert b"APP_MODE=production" in host.file(f"/proc/{pid}/environ").content.split(b"\0")
