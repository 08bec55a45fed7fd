"""Promises of role cache_client: libraries, authorities and what goldfleet-connectivity is told."""

from __future__ import annotations

import json
from typing import Any

import pytest

PORTS = {"redis": 6379, "memcached": 11211}
DRIVERS = {"redis": "python3-redis", "memcached": "python3-pymemcache"}
LIBRARIES = {
    "php": {"redis": {"redis"}, "memcached": {"memcached"}},
    "python": {"redis": {"redis"}, "memcached": {"pymemcache"}},
    "ruby": {"redis": {"redis"}, "memcached": {"dalli"}},
}
LOADED = {
    "php": "php -m",
    "python": 'for name in redis pymemcache; do python3 -c "import $name" 2>/dev/null && echo $name; done; true',
    "ruby": "for name in redis dalli; do ruby -e \"require '$name'\" 2>/dev/null && echo $name; done; true",
}
AUTHORITIES = "/usr/local/share/goldfleet/ca"
PROBES = "/usr/local/lib/goldfleet/connectivity"


def describe(backend: dict[str, Any]) -> dict[str, Any]:
    """Return what goldfleet-connectivity must be told about a listed backend."""
    bundle = backend.get("ca_bundle")
    return {
        "kind": "cache", "name": backend["name"], "engine": backend["engine"],
        "port": backend.get("port", PORTS[backend["engine"]]), "tls": backend.get("tls", True),
        "ca_file": f"{AUTHORITIES}/cache-{bundle}.pem" if bundle else None,
        "connect_timeout_seconds": backend.get("connect_timeout_seconds", 3), "settings": f"cache/{backend['name']}",
    }  # fmt: skip


@pytest.fixture(scope="module")
def backends(variables: dict[str, Any]) -> list[dict[str, Any]]:
    """The listed backends, with their defaults."""
    return [describe(backend) for backend in variables["cache_client_backends"]]


@pytest.fixture(scope="module")
def engines(backends: list[dict[str, Any]]) -> set[str]:
    """The engines in use."""
    return {backend["engine"] for backend in backends}


@pytest.fixture(scope="module")
def described(host: Any) -> dict[str, Any]:
    """What goldfleet-connectivity is told, by file."""
    command = "cd /etc/goldfleet/backends.d && for file in cache-*.json; do tr -d '\\n' <$file && echo; done"
    lines = host.run(command).stdout.splitlines()
    return {f"cache-{one['name']}.json": one for one in map(json.loads, lines)}


@pytest.fixture(scope="module")
def rights(host: Any) -> dict[str, str]:
    """Mode, owner and group of every file that the role may write."""
    places = f"/etc/goldfleet/backends.d/cache-* {AUTHORITIES}/cache-* {PROBES}/redis.py {PROBES}/memcached.py"
    lines = host.run(f"stat --format='%n %a %U %G' {places}").stdout.splitlines()
    return dict(line.split(" ", 1) for line in lines)


def test_backends_are_described_as_listed(described: dict[str, Any], backends: list[dict[str, Any]]) -> None:
    """Exactly the listed backends are known to goldfleet-connectivity, without host or secret."""
    assert described == {f"cache-{backend['name']}.json": backend for backend in backends}


def test_probes_are_those_of_the_engines_in_use(rights: dict[str, str], engines: set[str]) -> None:
    """Exactly the engines in use can be asked."""
    assert {path for path in rights if path.startswith(PROBES)} == {f"{PROBES}/{engine}.py" for engine in engines}


def test_probes_know_how_to_log_in(host: Any, engines: set[str]) -> None:
    """Each has what goldfleet-connectivity calls."""
    wanted = {f"{PROBES}/{engine}.py" for engine in engines}
    shown = host.run(f"grep --files-with-matches '^def check(' /dev/null {' '.join(sorted(wanted))}")
    assert set(shown.stdout.splitlines()) == wanted


def test_files_belong_to_root_and_may_be_read(rights: dict[str, str]) -> None:
    """Nobody but root changes what the role has written; there is no secret in it."""
    assert set(rights.values()) <= {"644 root root"}


def test_drivers_of_the_probes_are_installed(engines: set[str], installed_packages: set[str]) -> None:
    """A probe has its driver, whatever the application is written in."""
    assert {DRIVERS[engine] for engine in engines} <= installed_packages


def test_libraries_of_the_runtime_load(host: Any, engines: set[str], variables: dict[str, Any]) -> None:
    """The application's runtime has a library for each engine in use."""
    runtime = variables["cache_client_runtime"]
    wanted = set().union(*(LIBRARIES.get(runtime, {}).get(engine, set()) for engine in engines))
    seen = set(host.check_output(LOADED[runtime]).lower().split()) if wanted else set()
    assert wanted <= seen


def test_command_line_is_installed_if_wanted(
    engines: set[str], installed_packages: set[str], variables: dict[str, Any]
) -> None:
    """Redis' command line is there where it is wanted."""
    wanted = {"redis-tools"} if "redis" in engines and variables["cache_client_command_line"] else set()
    assert wanted <= installed_packages


def test_authorities_are_the_pinned_files(host: Any, variables: dict[str, Any]) -> None:
    """Exactly the listed files are there, each with its checksum."""
    lines = host.run(f"cd {AUTHORITIES} && sha256sum cache-*.pem").stdout.splitlines()
    seen = {name: checksum for checksum, name in (line.split() for line in lines)}
    assert seen == {f"cache-{one['name']}.pem": one["sha256"] for one in variables["cache_client_ca_bundles"]}


def test_folder_of_authorities_belongs_to_root(host: Any, variables: dict[str, Any]) -> None:
    """Nobody but root adds an authority."""
    seen = host.run(f"stat --format='%a %U %G' {AUTHORITIES}").stdout.strip()
    assert seen == "755 root root" or not variables["cache_client_ca_bundles"]
