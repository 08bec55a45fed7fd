"""Promises of role web_stack: nginx serves the current release, its health page and /status, with PHP, an upstream or files."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import Any

import pytest

PLACEHOLDER = "releases/00000000000000"
GET = "curl --silent --show-error --include --insecure --http1.1 --max-time 10"
ABSENT = "<p>The application does not answer."
DEFAULT_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "SAMEORIGIN",
    "Referrer-Policy": "strict-origin-when-cross-origin",
}
SPOOFED, VISITOR = "203.0.113.7", "198.51.100.9"
PHP_PER_CPU = 16
OWN_FILES = {
    "/usr/local/sbin/goldfleet-status": "root root 755",
    "/usr/local/sbin/goldfleet-workers": "root root 755",
    "/etc/systemd/system/goldfleet-status.service": "root root 644",
    "/etc/systemd/system/goldfleet-workers.service": "root root 644",
    "/etc/systemd/system/goldfleet-tls.service": "root root 644",
    "/etc/nginx/nginx.conf": "root root 644",
    "/etc/logrotate.d/goldfleet-web_stack": "root root 644",
    "/etc/php/*/fpm/pool.d/www.conf": "root root 644",
}
"""Owner, group and mode of what the role writes; unit of TLS and pool of PHP only where they are wanted."""


def find_status(answer: str) -> int:
    """Return the code of an answer that curl printed with its headers."""
    return int(answer.split()[1])


def find_headers(answer: str) -> dict[str, list[str]]:
    """Return the values of each header of an answer, by its name in lower case."""
    headers: dict[str, list[str]] = {}
    for line in answer.replace("\r", "").partition("\n\n")[0].splitlines()[1:]:
        name, _, value = line.partition(": ")
        headers.setdefault(name.lower(), []).append(value)
    return headers


def is_in(address: str, cidrs: list[str]) -> bool:
    """Return whether an address is in one of the networks."""
    return any(ipaddress.ip_address(address) in ipaddress.ip_network(cidr) for cidr in cidrs)


@pytest.fixture(scope="module")
def site(variables: dict[str, Any]) -> str:
    """Where the pages of the application are asked for."""
    return "https://127.0.0.1" if variables["web_stack_tls_redirect"] else "http://127.0.0.1"


@pytest.fixture(scope="module")
def root(variables: dict[str, Any]) -> str:
    """The application's folder."""
    return f"/var/www/{variables['web_stack_domain']}"


@pytest.fixture(scope="module")
def folders(host: Any, root: str) -> dict[str, str]:
    """Owner, group and mode of the application's folders, by name below the root."""
    lines = host.check_output("cd %s && stat --format='%%n %%U %%G %%a' . releases shared current", root).splitlines()
    return dict(line.split(" ", 1) for line in lines)


@pytest.fixture(scope="module")
def rights(host: Any) -> dict[str, str]:
    """Owner, group and mode of the role's files, of those that are there."""
    seen = host.run(f"stat --format='%n %U %G %a' {' '.join(OWN_FILES)}").stdout
    lines = re.sub(r"^/etc/php/[0-9.]+/", "/etc/php/*/", seen, flags=re.MULTILINE).splitlines()
    return dict(line.split(" ", 1) for line in lines)


@pytest.fixture(scope="module")
def current(host: Any, root: str) -> str:
    """What the link current says."""
    return str(host.check_output("readlink %s/current", root))


@pytest.fixture(scope="module")
def page(host: Any, site: str) -> str:
    """The first page, headers included."""
    return str(host.check_output(f"{GET} {site}/"))


@pytest.fixture(scope="module")
def healthcheck(host: Any) -> str:
    """The load balancer's page, asked for as a load balancer does: with an address for a name."""
    return str(host.check_output(f"{GET} --header 'Host: 10.0.0.1' http://127.0.0.1/healthcheck.html"))


@pytest.fixture(scope="module")
def own_address(host: Any) -> str:
    """An address of the server that is not its loopback."""
    return str(host.check_output("hostname --all-ip-addresses")).split()[0]


@pytest.fixture(scope="module")
def nginx_settings(host: Any) -> str:
    """Nginx's whole configuration, once nginx has accepted it."""
    return str(host.check_output("nginx -T -q"))


@pytest.fixture(scope="module")
def rotation(host: Any) -> str:
    """The configuration of log rotation that belongs to this role, and the names of all others."""
    return str(host.check_output("ls -x -w 0 /etc/logrotate.d; cat /etc/logrotate.d/goldfleet-web_stack"))


@pytest.fixture(scope="module")
def php_pool(host: Any) -> str:
    """What is in PHP-FPM's pool files, empty where there is none."""
    return str(host.run("cat /etc/php/*/fpm/pool.d/*.conf").stdout)


@pytest.fixture(scope="module")
def workers(host: Any) -> dict[str, Any]:
    """What goldfleet-workers has written at boot, by file, and what the server has: CPUs and MemTotal in kB."""
    seen = host.check_output(
        "cd /run/goldfleet && nproc && awk '/^MemTotal:/ {print $2}' /proc/meminfo"
        " && echo PHP; cat php_workers.conf; echo ENV; cat workers.env; true"
    )
    found, _, written = str(seen).partition("PHP\n")
    php, _, upstream = written.partition("ENV")
    cpus, memory_kb = map(int, found.split())
    return {"cpus": cpus, "memory_mb": memory_kb // 1024, "php": php, "upstream": upstream}


@pytest.mark.parametrize("package", ["nginx", "logrotate"])
def test_package_is_installed(package: str, installed_packages: set[str]) -> None:
    """Web server and log rotation are there."""
    assert package in installed_packages


@pytest.mark.parametrize("service", ["nginx.service", "goldfleet-status.service", "goldfleet-workers.service"])
def test_service_is_running_and_starts_at_boot(service: str, units: dict[str, tuple[str, str]]) -> None:
    """Each service runs, now and after a reboot."""
    assert units[service] == ("active", "enabled")


def test_php_is_running_where_it_is_the_runtime_and_nowhere_else(
    units: dict[str, tuple[str, str]], variables: dict[str, Any]
) -> None:
    """One version of PHP-FPM runs, now and after a reboot; with another runtime none does."""
    php = [states for unit, states in units.items() if unit.startswith("php") and "-fpm" in unit]
    wanted = [("active", "enabled")] if variables["web_stack_runtime"] == "php" else []
    assert [states for states in php if states != ("inactive", "disabled")] == wanted


def test_php_extensions_are_installed(installed_packages: set[str], variables: dict[str, Any]) -> None:
    """Every listed extension is there for the version of PHP that runs."""
    php = {package.partition("-")[0] for package in installed_packages if package.endswith("-fpm")}
    wanted = variables["web_stack_php_extensions"] if variables["web_stack_runtime"] == "php" else []
    assert [name for name in wanted if not {f"{version}-{name}" for version in php} & installed_packages] == []


@pytest.mark.parametrize("port", [80, 443])
@pytest.mark.parametrize("address", ["0.0.0.0", "[::]"])
def test_port_is_open_where_it_is_wanted(port: int, address: str, host: Any, variables: dict[str, Any]) -> None:
    """Nginx listens on every address of both families: on port 80, and on 443 where TLS is wanted."""
    listening = host.check_output(f"ss --no-header --listening --tcp --numeric 'sport = :{port}'").split()
    assert (f"{address}:{port}" in listening) == (port == 80 or variables["web_stack_tls_enabled"])


def test_healthcheck_answers_for_every_name(healthcheck: str) -> None:
    """The load balancer sees 200, though it names no domain, and is never redirected."""
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


@pytest.mark.parametrize(
    "fact", ["host", "instance_id", "image_id", "image", "version", "in_service", "holds", "broken"]
)
def test_status_has_every_fact(fact: str, status: dict[str, Any]) -> None:
    """Nothing is left out; what is not known is null."""
    assert fact in status


def test_server_is_in_service_while_nothing_holds_it(status: dict[str, Any]) -> None:
    """A server that answers its load balancer has no holds."""
    assert (status["in_service"], status["holds"]) == (True, {})


def test_status_lists_every_fragment(host: Any, status: dict[str, Any]) -> None:
    """What others have to tell is there, or said to be broken."""
    fragments = [name.removesuffix(".json") for name in host.check_output("ls /run/goldfleet/status.d").split()]
    assert [name for name in fragments if name not in status and name not in status["broken"]] == []


@pytest.mark.parametrize("path", ["healthcheck.html", "status"])
def test_monitoring_is_never_cached(path: str, host: Any) -> None:
    """Nobody reads an old answer."""
    assert "Cache-Control: no-store" in host.check_output(f"{GET} http://127.0.0.1/{path}")


def test_status_is_for_those_who_may_read_it(own_address: str, host: Any, variables: dict[str, Any]) -> None:
    """From another address than the loopback /status answers only to the listed networks, to everyone where none is."""
    cidrs = variables["web_stack_status_source_cidrs"]
    wanted = 200 if not cidrs or is_in(own_address, cidrs) else 403
    assert find_status(host.check_output(f"{GET} http://{own_address}/status")) == wanted


def test_nobody_claims_to_be_the_server_itself(own_address: str, host: Any, variables: dict[str, Any]) -> None:
    """A header that a trusted proxy passes on does not make a stranger the loopback."""
    cidrs = variables["web_stack_status_source_cidrs"]
    trusted = is_in(own_address, variables["web_stack_trusted_proxy_cidrs"])
    claimed = is_in("127.0.0.1" if trusted else own_address, cidrs)
    asked = host.check_output(f"{GET} --header 'X-Forwarded-For: 127.0.0.1' http://{own_address}/status")
    assert find_status(asked) == (200 if not cidrs or claimed else 403)


def test_page_has_no_server_error(page: str, current: str, variables: dict[str, Any]) -> None:
    """The current release is served; an upstream that no release has brought yet is said not to answer."""
    nobody_yet = variables["web_stack_runtime"] == "proxy" and current == PLACEHOLDER
    assert find_status(page) < 500 or (nobody_yet and find_status(page) == 502 and ABSENT in page)


def test_placeholder_greets(page: str, current: str, variables: dict[str, Any]) -> None:
    """Until a release is delivered the page shows the greeting, and with PHP the version that only PHP knows."""
    escaped = variables["web_stack_greeting"].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    quotes = {"php": ("&quot;", "&#039;"), "static": ("&#34;", "&#39;")}.get(variables["web_stack_runtime"])
    greeting = escaped.replace('"', quotes[0]).replace("'", quotes[1]) if quotes else ""
    shown = f"<h1>{greeting}</h1>" in page and ("<p>PHP 8." in page) == (variables["web_stack_runtime"] == "php")
    assert current != PLACEHOLDER or quotes is None or shown


def test_placeholder_has_one_page_in_the_public_folder(
    host: Any, root: str, current: str, variables: dict[str, Any]
) -> None:
    """The placeholder is a release of the runtime, without a page of another one."""
    name = "index.php" if variables["web_stack_runtime"] == "php" else "index.html"
    wanted = "/".join(filter(None, [root, PLACEHOLDER, variables["web_stack_public_folder"], name]))
    assert current != PLACEHOLDER or host.check_output("find %s/%s -type f", root, PLACEHOLDER) == wanted


@pytest.mark.parametrize("header", ["Server: nginx/", "X-Powered-By:"])
def test_headers_tell_no_version(header: str, page: str) -> None:
    """Neither nginx nor PHP says which version it is."""
    assert header not in page


@pytest.mark.parametrize("path", ["/healthcheck.html", "/status", "/.env", "/"])
def test_security_headers_are_on_every_response(path: str, site: str, host: Any, variables: dict[str, Any]) -> None:
    """Goldfleet's own pages, errors and the application's pages carry each wanted header once."""
    wanted = {**DEFAULT_HEADERS, **variables["web_stack_security_headers"]}
    seen = find_headers(host.check_output(f"{GET} {site}{path}"))
    names = [name for name, value in wanted.items() if len(seen.get(name.lower(), [])) != bool(value)]
    assert names == []


@pytest.mark.parametrize("path", ["/healthcheck.html", "/status"])
def test_security_headers_have_the_wanted_values(path: str, host: Any, variables: dict[str, Any]) -> None:
    """Where the application has no say each header says what was wanted."""
    wanted = {**DEFAULT_HEADERS, **variables["web_stack_security_headers"]}
    seen = find_headers(host.check_output(f"{GET} http://127.0.0.1{path}"))
    values = {name: [value] for name, value in wanted.items() if value}
    assert {name: seen.get(name.lower()) for name in values} == values


def test_every_response_has_an_id(page: str) -> None:
    """What a visitor reports can be found in the log."""
    (request_id,) = find_headers(page)["x-request-id"]
    assert len(request_id) == 32


@pytest.mark.parametrize("path", ["/.git/config", "/.env", "/sub/.htaccess"])
def test_hidden_file_is_not_served(path: str, site: str, host: Any) -> None:
    """Files whose names start with a dot do not exist for visitors."""
    assert host.check_output(f"{GET} '{site}{path}'").startswith("HTTP/1.1 404 ")


def test_folder_is_the_owners(folders: dict[str, str], variables: dict[str, Any]) -> None:
    """The link belongs to who delivers releases."""
    assert folders["current"] == f"{variables['web_stack_owner']} {variables['web_stack_group']} 777"


@pytest.mark.parametrize("folder", [".", "releases", "shared"])
def test_folder_belongs_to_the_owner(folder: str, folders: dict[str, str], variables: dict[str, Any]) -> None:
    """The owner delivers releases; others may only read."""
    assert folders[folder] == f"{variables['web_stack_owner']} {variables['web_stack_group']} 755"


def test_placeholder_belongs_to_the_owner(host: Any, root: str, current: str, variables: dict[str, Any]) -> None:
    """Whoever delivers releases may remove the placeholder, and nobody else may write into it."""
    owner = f"{variables['web_stack_owner']} {variables['web_stack_group']}"
    places = host.run("find %s/%s -printf '%%u %%g %%m\\n'", root, PLACEHOLDER).stdout
    assert current != PLACEHOLDER or set(places.splitlines()) == {f"{owner} 755", f"{owner} 644"}


@pytest.mark.parametrize("path", OWN_FILES)
def test_nobody_but_root_may_change_what_the_role_writes(path: str, rights: dict[str, str]) -> None:
    """What the web server, the health page and log rotation do is root's to say."""
    assert rights.get(path, OWN_FILES[path]) == OWN_FILES[path]


def test_other_domain_stays_only_with_more_than_a_placeholder(host: Any, root: str) -> None:
    """Of a domain that is served no more nothing is left, unless something was delivered to it."""
    others = host.check_output(
        "for page in /var/www/*/%s; do [ -d $page ] || continue; other=${page%%%%/releases/*}; "
        "[ $(find $other -type f | wc -l) -gt 1 ] || echo $other; done",
        PLACEHOLDER,
    )
    assert set(others.splitlines()) - {root} == set()


def test_current_is_a_release(host: Any, root: str) -> None:
    """The link current leads to a release that exists."""
    assert host.check_output("realpath --canonicalize-existing %s/current", root).startswith(f"{root}/releases/")


def test_php_cannot_change_the_code(host: Any, root: str) -> None:
    """A flaw in the application cannot rewrite it."""
    assert host.run("runuser --user www-data -- test -w %s/current/", root).rc == 1


@pytest.mark.parametrize(
    ("setting", "variable"),
    [
        ("client_max_body_size {};", "web_stack_client_max_body_size"),
        ("server_name {};", "web_stack_domain"),
        ("keepalive_timeout {}s;", "web_stack_keepalive_timeout_seconds"),
    ],
)
def test_nginx_is_set(setting: str, variable: str, nginx_settings: str, variables: dict[str, Any]) -> None:
    """Nginx has the wanted limit, name and patience."""
    assert f" {setting.format(variables[variable])}" in nginx_settings


@pytest.mark.parametrize(
    ("setting", "variable", "runtimes"),
    [
        ("fastcgi_connect_timeout {}s;", "web_stack_connect_timeout_seconds", {"php"}),
        ("fastcgi_read_timeout {}s;", "web_stack_read_timeout_seconds", {"php"}),
        ("proxy_connect_timeout {}s;", "web_stack_connect_timeout_seconds", {"proxy"}),
        ("proxy_read_timeout {}s;", "web_stack_read_timeout_seconds", {"proxy"}),
        ("server {};", "web_stack_upstream", {"proxy"}),
        ("keepalive {};", "web_stack_upstream_keepalive_connections", {"proxy"}),
    ],
)
def test_nginx_is_set_for_its_runtime(
    setting: str, variable: str, runtimes: set[str], nginx_settings: str, variables: dict[str, Any]
) -> None:
    """What belongs to one runtime is there with it, and with no other."""
    seen = f" {setting.format(variables[variable])}" in nginx_settings
    assert seen == (variables["web_stack_runtime"] in runtimes)


def test_nginx_serves_the_public_folder(nginx_settings: str, root: str, variables: dict[str, Any]) -> None:
    """Visitors see the public folder of the current release, and nothing above it."""
    folder = "/".join(filter(None, [root, "current", variables["web_stack_public_folder"]]))
    assert f" root {folder};" in nginx_settings


def test_static_files_are_served_by_nginx_where_wanted(nginx_settings: str, variables: dict[str, Any]) -> None:
    """Behind nginx the upstream is asked for everything, or for what is no file."""
    wanted = variables["web_stack_runtime"] == "proxy" and variables["web_stack_upstream_static_files"]
    assert ("try_files $uri @application;" in nginx_settings) == wanted


@pytest.mark.parametrize("source", ["127.0.0.1", "own address"])
def test_visitors_address_is_what_a_trusted_proxy_added_last(
    source: str, own_address: str, host: Any, variables: dict[str, Any]
) -> None:
    """The log has the address that a trusted proxy saw; what the visitor claims himself, and what others say, is ignored."""
    address = own_address if source == "own address" else source
    asked = f"/goldfleet-spec-{address}.txt"
    line = host.check_output(
        f"{GET} --output /dev/null --header 'X-Forwarded-For: {SPOOFED}, {VISITOR}' 'http://{address}{asked}'"
        f" && sleep 0.2 && grep --fixed-strings '{asked}' /var/log/nginx/access.log | tail --lines=1"
    )
    trusted = is_in(address, variables["web_stack_trusted_proxy_cidrs"])
    assert (line.split()[0], f" proxy={address} " in line) == (VISITOR if trusted else address, True)


def test_request_by_http_is_redirected_where_wanted(host: Any, variables: dict[str, Any]) -> None:
    """Visitors are sent to https with the whole address; without the setting nobody is."""
    seen = host.check_output(f"{GET} --header 'Host: {variables['web_stack_domain']}' 'http://127.0.0.1/a?b=c'")
    location = f"https://{variables['web_stack_domain']}/a?b=c"
    wanted = [location] if variables["web_stack_tls_redirect"] else None
    assert find_headers(seen).get("location") == wanted


def test_request_that_a_trusted_proxy_received_by_https_is_not_redirected(host: Any, variables: dict[str, Any]) -> None:
    """A load balancer that ends TLS itself causes no endless redirect; what others say of the scheme is ignored."""
    seen = host.check_output(f"{GET} --header 'X-Forwarded-Proto: https' http://127.0.0.1/a")
    trusted = is_in("127.0.0.1", variables["web_stack_trusted_proxy_cidrs"])
    assert (find_status(seen) == 308) == (variables["web_stack_tls_redirect"] and not trusted)


@pytest.mark.parametrize(("version", "accepted"), [("1.1", False), ("1.2", True), ("1.3", True)])
def test_tls_has_only_versions_that_are_safe(
    version: str, accepted: bool, host: Any, variables: dict[str, Any]
) -> None:
    """Where TLS is wanted it is version 1.2 or 1.3."""
    limits = f"--tlsv{version} --tls-max {version}"
    done = host.run(
        f"{GET} --output /dev/null {limits} --ciphers DEFAULT@SECLEVEL=0 https://127.0.0.1/healthcheck.html"
    )
    assert (done.rc == 0) == (accepted and variables["web_stack_tls_enabled"])


def test_http2_is_spoken_over_tls(host: Any, variables: dict[str, Any]) -> None:
    """Where TLS is wanted visitors get HTTP/2."""
    seen = host.run(
        "curl --silent --insecure --output /dev/null --write-out '%{http_version}' https://127.0.0.1/status"
    )
    assert (seen.stdout == "2") == variables["web_stack_tls_enabled"]


def test_own_key_is_made_at_boot_where_none_is_brought(
    units: dict[str, tuple[str, str]], variables: dict[str, Any]
) -> None:
    """The server makes a key of its own at each boot, where TLS is wanted and nobody brings one."""
    wanted = variables["web_stack_tls_enabled"] and not variables["web_stack_tls_key_file"]
    assert (units.get("goldfleet-tls.service") == ("active", "enabled")) == wanted


def test_own_key_is_for_root_only(host: Any, variables: dict[str, Any]) -> None:
    """Nobody but root reads the server's own key, and it is in memory, never in an image."""
    seen = host.run("stat --format='%a %U' /run/goldfleet/tls/key.pem").stdout.strip()
    own = variables["web_stack_tls_enabled"] and not variables["web_stack_tls_key_file"]
    assert seen == ("600 root" if own else "")


def test_certificate_is_the_wanted_one(host: Any, nginx_settings: str, variables: dict[str, Any]) -> None:
    """Nginx shows the brought certificate, or one of the server's own that names the domain."""
    own = "/run/goldfleet/tls/certificate.pem"
    wanted = f" ssl_certificate {variables['web_stack_tls_certificate_file'] or own};"
    named = host.run(f"openssl x509 -in {own} -noout -ext subjectAltName").stdout
    is_named = f"DNS:{variables['web_stack_domain']}" in named or bool(variables["web_stack_tls_certificate_file"])
    assert ((wanted in nginx_settings) and is_named) == variables["web_stack_tls_enabled"]


@pytest.mark.parametrize("setting", ["upload_max_filesize", "post_max_size"])
def test_php_pool_takes_bodies_up_to_the_limit(setting: str, php_pool: str, variables: dict[str, Any]) -> None:
    """PHP's limits follow nginx's; with another runtime there is no pool."""
    wanted = f"php_admin_value[{setting}] = {variables['web_stack_client_max_body_size']}\n"
    assert (wanted in f"{php_pool}\n") == (variables["web_stack_runtime"] == "php")


def test_php_pool_reads_what_was_computed_at_boot(php_pool: str, variables: dict[str, Any]) -> None:
    """The number of processes is this server's, not the builder's."""
    read = "include = /run/goldfleet/php_workers.conf" in php_pool
    assert read == (variables["web_stack_runtime"] == "php")


def test_number_of_php_processes_suits_the_server(workers: dict[str, Any], variables: dict[str, Any]) -> None:
    """As many as were wanted, or as fit into the memory's share and the CPUs; no file with another runtime."""
    by_memory = workers["memory_mb"] * variables["web_stack_memory_percent"] // 100
    fitting = by_memory // variables["web_stack_php_process_memory_mb"]
    count = variables["web_stack_php_max_children"] or max(1, min(fitting, workers["cpus"] * PHP_PER_CPU))
    wanted = [f"pm.max_children = {count}"] if variables["web_stack_runtime"] == "php" else []
    assert [line for line in workers["php"].splitlines() if line and not line.startswith(";")] == wanted


def test_number_of_upstream_processes_suits_the_server(workers: dict[str, Any], variables: dict[str, Any]) -> None:
    """As many as were wanted, or one a CPU as far as memory goes; no file with another runtime."""
    by_memory = workers["memory_mb"] * variables["web_stack_memory_percent"] // 100
    fitting = by_memory // variables["web_stack_upstream_process_memory_mb"]
    count = variables["web_stack_upstream_workers"] or max(1, min(fitting, workers["cpus"]))
    wanted = [f"WEB_CONCURRENCY={count}"] if variables["web_stack_runtime"] == "proxy" else []
    assert [line for line in workers["upstream"].splitlines() if line and not line.startswith("#")] == wanted


@pytest.mark.parametrize(
    ("logs", "runtimes"),
    [
        ("/var/log/nginx/*.log {", {"php", "proxy", "static"}),
        ("-fpm.log {", {"php"}),
        ("/shared/log/*.log {", {"php", "proxy", "static"}),
    ],
)
def test_logs_are_rotated(logs: str, runtimes: set[str], rotation: str, variables: dict[str, Any]) -> None:
    """Logs of nginx, of PHP where it runs, and of the application are rotated."""
    assert (logs in rotation) == (variables["web_stack_runtime"] in runtimes)


def test_logs_are_kept_as_long_as_wanted(rotation: str, variables: dict[str, Any]) -> None:
    """Each kind of log has the wanted retention."""
    kept = [line.split()[1] for line in rotation.splitlines() if line.split()[:1] == ["maxage"]]
    assert set(kept) == {str(variables["web_stack_log_retention_days"])}


def test_applications_logs_are_rotated_as_their_owner(rotation: str, variables: dict[str, Any]) -> None:
    """Logrotate does nothing in the owner's folder that the owner could not."""
    assert f"  su {variables['web_stack_owner']} {variables['web_stack_group']}" in rotation.splitlines()


@pytest.mark.parametrize("file", ["nginx", "-fpm"])
def test_logs_are_rotated_by_one_file_only(file: str, rotation: str) -> None:
    """The packages' own rotation, of another retention, is gone: logrotate takes the same log but once."""
    names = rotation.splitlines()[0].split()
    assert [name for name in names if name == file or name.endswith(f"{file}-fpm")] == []


def test_log_rotation_accepts_its_configuration(host: Any) -> None:
    """All files of log rotation together are without an error, such as a log that two of them name."""
    assert "error:" not in host.run("logrotate --debug /etc/logrotate.conf").stderr


def test_log_rotation_runs(units: dict[str, tuple[str, str]]) -> None:
    """Log rotation has its timer."""
    assert units["logrotate.timer"] == ("active", "enabled")


def test_status_program_prints_what_is_served(host: Any, status: dict[str, Any]) -> None:
    """The program itself can be asked on the server."""
    seen = json.loads(host.check_output("/usr/local/sbin/goldfleet-status --json"))
    assert {key: seen[key] for key in ("host", "instance_id", "image_id", "in_service")} == {
        key: status[key] for key in ("host", "instance_id", "image_id", "in_service")
    }
