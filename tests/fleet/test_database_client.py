"""Promises of role database_client: libraries, authorities, time-outs and what goldfleet-connectivity is told."""

from __future__ import annotations

import configparser
import json
from typing import Any

import pytest

ENGINES = {"mysql": "mysql", "mariadb": "mysql", "postgresql": "postgresql"}
PORTS = {"mysql": 3306, "postgresql": 5432}
DRIVERS = {"mysql": "python3-pymysql", "postgresql": "python3-psycopg2"}
COMMAND_LINES = {"mysql": "mariadb-client", "postgresql": "postgresql-client"}
LIBRARIES = {
    "php": {"mysql": {"mysqli", "pdo_mysql"}, "postgresql": {"pgsql", "pdo_pgsql"}},
    "python": {"mysql": {"pymysql"}, "postgresql": {"psycopg2"}},
    "ruby": {"mysql": {"mysql2"}, "postgresql": {"pg"}},
}
LOADED = {
    "php": "php -m",
    "python": 'for name in pymysql psycopg2; do python3 -c "import $name" 2>/dev/null && echo $name; done; true',
    "ruby": "for name in mysql2 pg; do ruby -e \"require '$name'\" 2>/dev/null && echo $name; done; true",
}
AUTHORITIES = "/usr/local/share/goldfleet/ca"
SYSTEM_AUTHORITIES = "/etc/ssl/certs/ca-certificates.crt"
LIBPQ = "/etc/postgresql-common/pg_service.conf"
PROBES = "/usr/local/lib/goldfleet/connectivity"


def describe(backend: dict[str, Any]) -> dict[str, Any]:
    """Return what goldfleet-connectivity must be told about a listed backend."""
    engine = ENGINES[backend["engine"]]
    bundle = backend.get("ca_bundle")
    return {
        "kind": "database", "name": backend["name"], "engine": engine, "port": backend.get("port", PORTS[engine]),
        "tls": backend.get("tls", True), "ca_file": f"{AUTHORITIES}/database-{bundle}.pem" if bundle else None,
        "connect_timeout_seconds": backend.get("connect_timeout_seconds", 3), "settings": f"database/{backend['name']}",
    }  # fmt: skip


@pytest.fixture(scope="module")
def backends(variables: dict[str, Any]) -> list[dict[str, Any]]:
    """The listed backends, with their defaults."""
    return [describe(backend) for backend in variables["database_client_backends"]]


@pytest.fixture(scope="module")
def engines(backends: list[dict[str, Any]]) -> set[str]:
    """The engines in use."""
    return {backend["engine"] for backend in backends}


@pytest.fixture(scope="module")
def described(host: Any) -> dict[str, Any]:
    """What goldfleet-connectivity is told, by file."""
    command = "cd /etc/goldfleet/backends.d && for file in database-*.json; do tr -d '\\n' <$file && echo; done"
    lines = host.run(command).stdout.splitlines()
    return {f"database-{one['name']}.json": one for one in map(json.loads, lines)}


@pytest.fixture(scope="module")
def rights(host: Any) -> dict[str, str]:
    """Mode, owner and group of every file that the role may write."""
    places = f"/etc/goldfleet/backends.d/database-* {AUTHORITIES}/database-* {PROBES}/mysql.py {PROBES}/postgresql.py"
    others = f"/etc/mysql/conf.d/goldfleet-* /etc/php/*/fpm/conf.d/*-goldfleet-database.ini {LIBPQ}"
    lines = host.run(f"stat --format='%n %a %U %G' {places} {others}").stdout.splitlines()
    return dict(line.split(" ", 1) for line in lines)


@pytest.fixture(scope="module")
def services(host: Any) -> dict[str, dict[str, str]]:
    """What libpq reads about each of its services."""
    parser = configparser.ConfigParser()
    parser.read_string(host.run(f"cat {LIBPQ}").stdout)
    return {name: dict(parser[name]) for name in parser.sections()}


def test_backends_are_described_as_listed(described: dict[str, Any], backends: list[dict[str, Any]]) -> None:
    """Exactly the listed backends are known to goldfleet-connectivity, without host or secret."""
    assert described == {f"database-{backend['name']}.json": backend for backend in backends}


def test_libpq_has_no_empty_file(host: Any, services: dict[str, dict[str, str]]) -> None:
    """Without PostgreSQL the file is only there if others have written into it."""
    assert services or not host.run(f"[ -e {LIBPQ} ] && [ ! -s {LIBPQ} ]").succeeded


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
    runtime = variables["database_client_runtime"]
    wanted = set().union(*(LIBRARIES.get(runtime, {}).get(engine, set()) for engine in engines))
    seen = set(host.check_output(LOADED[runtime]).lower().split()) if wanted else set()
    assert wanted <= seen


def test_command_line_is_installed_if_wanted(
    engines: set[str], installed_packages: set[str], variables: dict[str, Any]
) -> None:
    """The engines' command lines are there where they are wanted."""
    wanted = {COMMAND_LINES[engine] for engine in engines} if variables["database_client_command_line"] else set()
    assert wanted <= installed_packages


def test_authorities_are_the_pinned_files(host: Any, variables: dict[str, Any]) -> None:
    """Exactly the listed files are there, each with its checksum."""
    lines = host.run(f"cd {AUTHORITIES} && sha256sum database-*.pem").stdout.splitlines()
    seen = {name: checksum for checksum, name in (line.split() for line in lines)}
    wanted = {f"database-{one['name']}.pem": one["sha256"] for one in variables["database_client_ca_bundles"]}
    assert seen == wanted


def test_folder_of_authorities_belongs_to_root(host: Any, variables: dict[str, Any]) -> None:
    """Nobody but root adds an authority."""
    seen = host.run(f"stat --format='%a %U %G' {AUTHORITIES}").stdout.strip()
    assert seen == "755 root root" or not variables["database_client_ca_bundles"]


def test_libpq_verifies_the_server(services: dict[str, dict[str, str]], backends: list[dict[str, Any]]) -> None:
    """PostgreSQL's clients refuse a server whose certificate they cannot verify, unless TLS was switched off."""
    wanted = {one["name"]: "verify-full" if one["tls"] else "disable" for one in backends if one["engine"] != "mysql"}
    assert {name: service["sslmode"] for name, service in services.items()} == wanted


def test_libpq_knows_the_authorities(services: dict[str, dict[str, str]], backends: list[dict[str, Any]]) -> None:
    """PostgreSQL's clients verify by the wanted authorities."""
    wanted = {
        one["name"]: one["ca_file"] or SYSTEM_AUTHORITIES for one in backends if one["engine"] != "mysql" and one["tls"]
    }
    assert {name: one["sslrootcert"] for name, one in services.items() if "sslrootcert" in one} == wanted


@pytest.mark.parametrize("setting", ["port", "connect_timeout"])
def test_libpq_has_its_numbers(
    setting: str, services: dict[str, dict[str, str]], backends: list[dict[str, Any]]
) -> None:
    """PostgreSQL's clients have port and time-out; libpq knows no time-out below 2 seconds."""
    numbers = {
        one["name"]: {"port": one["port"], "connect_timeout": max(2, one["connect_timeout_seconds"])}
        for one in backends
        if one["engine"] != "mysql"
    }
    assert {name: int(one[setting]) for name, one in services.items()} == {
        name: one[setting] for name, one in numbers.items()
    }


def test_mysql_command_line_verifies_the_server(
    host: Any, backends: list[dict[str, Any]], variables: dict[str, Any]
) -> None:
    """MariaDB's command line has TLS, port and time-out of each backend, under the backend's name."""
    listed = [one for one in backends if one["engine"] == "mysql" and variables["database_client_command_line"]]
    wanted = {one["name"]: options_of(one) for one in listed}
    names = " ".join(wanted)
    command = "my_print_defaults --defaults-file=/etc/mysql/my.cnf client-mariadb client-mariadb_$name | tr '\\n' ' '"
    lines = host.check_output(f"for name in {names}; do echo $name $({command}); done") if wanted else ""
    seen = {line.split()[0]: effective(line.split()[1:]) for line in lines.splitlines()}
    assert seen == wanted


def options_of(backend: dict[str, Any]) -> dict[str, str]:
    """Return the options that MariaDB's command line must have for a backend."""
    tls = str(int(backend["tls"]))
    numbers = {"port": str(backend["port"]), "connect-timeout": str(backend["connect_timeout_seconds"])}
    authorities = {"ssl-ca": backend["ca_file"] or SYSTEM_AUTHORITIES} if backend["tls"] else {}
    return {**numbers, **authorities, "ssl": tls, "ssl-verify-server-cert": tls}


def effective(options: list[str]) -> dict[str, str]:
    """Return what options come to: the last of a kind counts, and authorities matter only with TLS."""
    settings = dict(option.lstrip("-").split("=", 1) for option in options if "=" in option)
    return settings if settings["ssl"] == "1" else {name: settings[name] for name in settings if name != "ssl-ca"}


def test_php_waits_no_longer_than_wanted(host: Any, engines: set[str], variables: dict[str, Any]) -> None:
    """PHP-FPM, not the command line, has its limit where MySQL is in use."""
    shown = host.run("cat /etc/php/*/fpm/conf.d/*-goldfleet-database.ini").stdout.splitlines()
    limit = f"mysqlnd.net_read_timeout = {variables['database_client_php_read_timeout_seconds']}"
    wanted = [limit] if variables["database_client_runtime"] == "php" and "mysql" in engines else []
    assert [line for line in shown if not line.startswith(";")] == wanted
