"""Promises of role web_stack: nginx and PHP-FPM serve the current release, /healthcheck.html and /status."""

from __future__ import annotations

from typing import Any

import pytest

PLACEHOLDER = "releases/00000000000000"
GET = "curl --silent --show-error --include --max-time 10"


@pytest.fixture(scope="module")
def root(variables: dict[str, Any]) -> str:
    """The application's folder."""
    return f"/var/www/{variables['web_stack_domain']}"


@pytest.fixture(scope="module")
def folders(host: Any, root: str) -> dict[str, str]:
    """Owner, group and mode of the application's folders, by name below the root."""
    lines = host.check_output("cd %s && stat --format='%%n %%U %%G %%a' . releases shared", root).splitlines()
    return dict(line.split(" ", 1) for line in lines)


@pytest.fixture(scope="module")
def current(host: Any, root: str) -> str:
    """What the link current says."""
    return str(host.check_output("readlink %s/current", root))


@pytest.fixture(scope="module")
def page(host: Any) -> str:
    """The first page, headers included."""
    return str(host.check_output(f"{GET} http://127.0.0.1/"))


@pytest.fixture(scope="module")
def healthcheck(host: Any) -> str:
    """The load balancer's page, asked for as a load balancer does: with an address for a name."""
    return str(host.check_output(f"{GET} --header 'Host: 10.0.0.1' http://127.0.0.1/healthcheck.html"))


@pytest.fixture(scope="module")
def nginx_settings(host: Any) -> str:
    """Nginx's whole configuration, once nginx has accepted it."""
    return str(host.check_output("nginx -T -q"))


@pytest.mark.parametrize("package", ["nginx", "logrotate"])
def test_package_is_installed(package: str, installed_packages: set[str]) -> None:
    """Web server and log rotation are there."""
    assert package in installed_packages


@pytest.mark.parametrize("service", ["nginx.service", "goldfleet-status.service"])
def test_service_is_running_and_starts_at_boot(service: str, units: dict[str, tuple[str, str]]) -> None:
    """Each service runs, now and after a reboot."""
    assert units[service] == ("active", "enabled")


def test_php_is_running_and_starts_at_boot(units: dict[str, tuple[str, str]]) -> None:
    """One version of PHP-FPM runs, now and after a reboot."""
    assert [states for unit, states in units.items() if unit.startswith("php") and "-fpm" in unit] == [
        ("active", "enabled")
    ]


@pytest.mark.parametrize("address", ["0.0.0.0:80", "[::]:80"])
def test_port_80_is_open(address: str, host: Any) -> None:
    """Nginx listens on every address of both families."""
    assert address in host.check_output("ss --no-header --listening --tcp --numeric 'sport = :80'").split()


def test_healthcheck_answers_for_every_name(healthcheck: str) -> None:
    """The load balancer sees 200, though it names no domain."""
    assert healthcheck.startswith("HTTP/1.1 200 ")


def test_healthcheck_says_healthy(healthcheck: str) -> None:
    """It is goldfleet's page, not the application's."""
    assert "<p>healthy</p>" in healthcheck


@pytest.mark.parametrize("path", ["healthcheck.html", "status"])
def test_monitoring_stays_out_of_the_access_log(path: str, host: Any) -> None:
    """Requests of load balancers and of goldfleet do not fill the log."""
    asked = f"/{path}?goldfleet-spec"
    host.check_output(f"{GET} 'http://127.0.0.1{asked}'")
    assert host.run("grep --count --fixed-strings '%s' /var/log/nginx/access.log", asked).stdout.strip() == "0"


def test_status_names_the_host(host: Any, status: dict[str, Any]) -> None:
    """The host in /status is this one."""
    assert status["host"] == host.check_output("hostname")


def test_status_has_every_fact(status: dict[str, Any]) -> None:
    """Nothing is left out; what is not known is null."""
    assert set(status) == {"host", "instance_id", "image_id", "image", "version"}


def test_status_is_never_cached(host: Any) -> None:
    """Nobody reads an old answer."""
    assert "Cache-Control: no-store" in host.check_output(f"{GET} http://127.0.0.1/status")


def test_page_has_no_server_error(page: str) -> None:
    """The current release is served, by PHP where it is PHP."""
    assert page.startswith(("HTTP/1.1 2", "HTTP/1.1 3", "HTTP/1.1 4"))


def test_placeholder_runs_in_php_and_greets(page: str, current: str, variables: dict[str, Any]) -> None:
    """Until a release is delivered the page shows the greeting, and the version that only PHP knows."""
    escaped = variables["web_stack_greeting"].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    greeting = escaped.replace('"', "&quot;").replace("'", "&#039;")
    assert current != PLACEHOLDER or (f"<h1>{greeting}</h1>" in page and "<p>PHP 8." in page)


@pytest.mark.parametrize("header", ["Server: nginx/", "X-Powered-By:"])
def test_headers_tell_no_version(header: str, page: str) -> None:
    """Neither nginx nor PHP says which version it is."""
    assert header not in page


@pytest.mark.parametrize("path", ["/.git/config", "/.env", "/sub/.htaccess"])
def test_hidden_file_is_not_served(path: str, host: Any) -> None:
    """Files whose names start with a dot do not exist for visitors."""
    assert host.check_output(f"{GET} 'http://127.0.0.1{path}'").startswith("HTTP/1.1 404 ")


@pytest.mark.parametrize("folder", [".", "releases", "shared"])
def test_folder_belongs_to_the_owner(folder: str, folders: dict[str, str], variables: dict[str, Any]) -> None:
    """The owner delivers releases; others may only read."""
    assert folders[folder] == f"{variables['web_stack_owner']} {variables['web_stack_group']} 755"


def test_current_is_a_release(host: Any, root: str) -> None:
    """The link current leads to a release that exists."""
    assert host.check_output("realpath --canonicalize-existing %s/current", root).startswith(f"{root}/releases/")


def test_php_cannot_change_the_code(host: Any, root: str) -> None:
    """A flaw in the application cannot rewrite it."""
    assert host.run("runuser --user www-data -- test -w %s/current/", root).rc == 1


def test_nginx_takes_bodies_up_to_the_limit(nginx_settings: str, variables: dict[str, Any]) -> None:
    """Nginx has the wanted limit."""
    assert f"client_max_body_size {variables['web_stack_client_max_body_size']};" in nginx_settings


def test_nginx_serves_the_domain(nginx_settings: str, variables: dict[str, Any]) -> None:
    """Nginx knows the application's name."""
    assert f"server_name {variables['web_stack_domain']};" in nginx_settings


@pytest.mark.parametrize(
    ("setting", "variable"),
    [
        ("pm.max_children", "web_stack_php_max_children"),
        ("php_admin_value[upload_max_filesize]", "web_stack_client_max_body_size"),
        ("php_admin_value[post_max_size]", "web_stack_client_max_body_size"),
    ],
)
def test_php_pool_is_set(setting: str, variable: str, host: Any, variables: dict[str, Any]) -> None:
    """The PHP pool has its limits."""
    shown = host.check_output("cat /etc/php/*/fpm/pool.d/*.conf").splitlines()
    assert f"{setting} = {variables[variable]}" in shown


def test_nginx_logs_are_rotated(host: Any) -> None:
    """The package's own rotation of nginx's logs is in place."""
    assert "/var/log/nginx/*.log" in host.check_output("cat /etc/logrotate.d/nginx")


def test_log_rotation_runs(units: dict[str, tuple[str, str]]) -> None:
    """Log rotation has its timer."""
    assert units["logrotate.timer"] == ("active", "enabled")
