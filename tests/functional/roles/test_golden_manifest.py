"""What role golden_seal's module makes of `ss`, /etc/passwd and /etc/shadow; on machines: tests/fleet."""

from __future__ import annotations

from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest

MODULE = Path(__file__).resolve().parents[3] / "roles/golden_seal/library/golden_manifest.py"
UNITS = {10: "nginx.service", 20: "ssh.service", 30: "chrony.service", 1: ""}
FIRST = "users:((%s,pid=%d,fd=6),(%s,pid=%d,fd=6))"


@pytest.fixture(scope="module")
def golden_manifest() -> ModuleType:
    """The module, loaded from its file."""
    loader = SourceFileLoader("golden_manifest", str(MODULE))
    spec = spec_from_loader(loader.name, loader)
    assert spec
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


def line(protocol: str, address: str, process: str = "nginx", pid: int = 10) -> str:
    """Return a line as `ss` prints it."""
    state = "LISTEN" if protocol == "tcp" else "UNCONN"
    peer = "[::]:*" if address.startswith("[") else "0.0.0.0:*"
    users = FIRST % (f'"{process}"', pid, f'"{process}"', pid + 1)
    return f"{protocol}   {state} 0      511          {address}        {peer}    {users}  "


@pytest.mark.parametrize(
    ("seen", "address", "port"),
    [
        (line("tcp", "0.0.0.0:80"), "0.0.0.0", 80),
        (line("tcp", "[::]:443"), "[::]", 443),
        (line("tcp", "*:8080"), "*", 8080),
        (line("tcp", "127.0.0.1:9000"), "127.0.0.1", 9000),
        (line("tcp", "127.0.0.53%lo:53"), "127.0.0.53", 53),
        (line("tcp", "[::1]:6379"), "[::1]", 6379),
        (line("tcp", "0.0.0.0:40000"), "0.0.0.0", 40000),
        (line("udp", "127.0.0.1:323", "chronyd", 30), "127.0.0.1", 323),
    ],
)
def test_socket_of_a_service_is_listed(golden_manifest: ModuleType, seen: str, address: str, port: int) -> None:
    (found,) = golden_manifest.find_listeners(seen, 32768, UNITS.get)
    assert (found["address"], found["port"], found["unit"]) == (address, port, found["unit"])
    assert found["unit"] in ("nginx.service", "chrony.service")


@pytest.mark.parametrize(
    "seen",
    [
        line("udp", "0.0.0.0:41234", "chronyd", 30),
        line("udp", "10.64.0.7:68", "dhclient", 30),
        line("tcp", "10.64.0.7:80"),
        line("tcp", "0.0.0.0:5000", "python3", 99),
        "",
        "nonsense",
    ],
    ids=["a client's port", "the builder's address", "the builder's address, tcp", "no service", "nothing", "nonsense"],
)
def test_socket_that_is_not_there_at_boot_is_left_out(golden_manifest: ModuleType, seen: str) -> None:
    assert golden_manifest.find_listeners(seen, 32768, UNITS.get) == []


def test_socket_unit_is_listed_without_a_service(golden_manifest: ModuleType) -> None:
    (found,) = golden_manifest.find_listeners(line("tcp", "0.0.0.0:22", "systemd", 1), 32768, UNITS.get)
    assert (found["process"], found["unit"]) == ("systemd", None)


def test_sockets_are_sorted_and_named_once(golden_manifest: ModuleType) -> None:
    """The order of `ss` is not the same in each run; a manifest must be."""
    lines = [line("tcp", "0.0.0.0:443"), line("tcp", "0.0.0.0:80"), line("tcp", "0.0.0.0:80")]
    found = golden_manifest.find_listeners("\n".join(lines), 32768, UNITS.get)
    assert [one["port"] for one in found] == [80, 443]


@pytest.mark.parametrize(
    ("field", "is_locked"), [("*", True), ("!", True), ("!$y$abc", True), ("!*", True), ("$y$abc", False), ("", False)]
)
def test_password_is_locked_when_nothing_matches_it(golden_manifest: ModuleType, field: str, is_locked: bool) -> None:
    (user,) = golden_manifest.find_users("a:x:1000:1000:A:/home/a:/bin/sh", f"a:{field}:19000::::::")
    assert user["password_locked"] is is_locked


@pytest.mark.parametrize(("uid", "is_system"), [(0, True), (999, True), (1000, False), (65533, False), (65534, True)])
def test_system_accounts_are_marked(golden_manifest: ModuleType, uid: int, is_system: bool) -> None:
    (user,) = golden_manifest.find_users(f"a:x:{uid}:1:A:/home/a:/bin/sh", "")
    assert (user["uid"], user["system"]) == (uid, is_system)
