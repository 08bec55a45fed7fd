"""Role web_stack on a server: holds from its first moment on, and a second converge that changes runtime and domain."""

from __future__ import annotations

import http.client
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.localcloud.conftest import ROOT, Cloud, wait_for

PLAYBOOK = """---
- name: Configure one server with what serves pages
  hosts: app_servers
  become: true
  gather_subset: ["!all", "!min", distribution, env, service_mgr]
  roles:
    - role: base
    - role: web_stack
"""
WITHIN_SECONDS = 2.0
"""In which time a hold must show, both ways."""
WHOAMI = ROOT / "examples/applications/whoami"
RELEASE_IN_PHP = """<?php
header('X-Frame-Options: DENY');
$told = array_intersect_key($_SERVER, array_flip(['REMOTE_ADDR', 'HTTPS', 'REQUEST_SCHEME', 'HTTP_X_FORWARDED_FOR',
  'HTTP_X_REQUEST_ID', 'HTTP_PROXY', 'SCRIPT_FILENAME']));
echo json_encode($told);
"""
ECHO = """
import socket
listener = socket.create_server(("127.0.0.1", 3000))
while True:
    connection, _ = listener.accept()
    asked = connection.recv(65536)
    if b"Upgrade: websocket" in asked and b"Connection: upgrade" in asked:
        connection.sendall(b"HTTP/1.1 101 Switching Protocols\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n\\r\\n")
        connection.sendall(b"echo " + connection.recv(65536))
    connection.close()
"""


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    body: str
    headers: dict[str, str]


@dataclass(frozen=True)
class Server:
    """One server, seen by its operator and by the load balancer."""

    cloud: Cloud
    instance_id: str
    address: str
    playbook: Path

    def run(self, command: str, *, check: bool = True) -> str:
        """Run a shell command as root and return what it printed."""
        return self.cloud.ssh(self.instance_id, f"sudo sh -c {_quoted(command)}", check=check).stdout

    def ask(self, path: str, headers: dict[str, str] | None = None) -> Answer:
        """Ask for a page by http. The asking address is the gateway's, a private one: a trusted proxy's by default."""
        connection = http.client.HTTPConnection(self.address, timeout=10)
        try:
            connection.request("GET", path, headers=headers or {})
            answer = connection.getresponse()
            return Answer(answer.status, answer.read().decode(), dict(answer.headers))
        finally:
            connection.close()

    def health(self) -> int:
        """Return the code of the page that a load balancer asks for, 0 when nobody answers."""
        try:
            return self.ask("/healthcheck.html").status
        except (OSError, http.client.HTTPException):
            return 0

    def wait_for_health(self, status: int) -> float:
        """Return after how many seconds the load balancer saw the code."""
        started = time.monotonic()
        while self.health() != status:
            assert time.monotonic() - started < 30
            time.sleep(0.02)
        return time.monotonic() - started

    def configure(self, **settings: Any) -> str:
        """Run the roles with settings, and return what Ansible said."""
        done = self.cloud.play(self.instance_id, self.playbook, settings)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        return done.stdout

    def deliver(self, release: str, files: dict[str, str], domain: str) -> None:
        """Deliver a release and serve it."""
        root = f"/var/www/{domain}"
        self.run(f"mkdir -p {root}/releases/{release}")
        for name, text in files.items():
            self.run(f"cat > {root}/releases/{release}/{name} <<'END OF FILE'\n{text}\nEND OF FILE")
        self.run(f"ln -sfn releases/{release} {root}/current")


def _quoted(command: str) -> str:
    return "'" + command.replace("'", "'\\''") + "'"


@pytest.fixture(scope="module")
def server(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with role web_stack and its defaults."""
    (instance_id,) = cloud.launch()
    cloud.wait_state(instance_id, "running")
    cloud.pinned_host_keys(instance_id)
    playbook = tmp_path_factory.mktemp("play") / "web.yml"
    playbook.write_text(PLAYBOOK)
    server = Server(cloud, instance_id, cloud.instance(instance_id)["PrivateIpAddress"], playbook)
    server.configure()
    yield server
    cloud.terminate(instance_id)


def test_hold_shows_within_two_seconds_both_ways(server: Server) -> None:
    server.run("echo disk is being looked at > /run/goldfleet/hold/maintenance")
    assert server.wait_for_health(503) < WITHIN_SECONDS
    status = json.loads(server.ask("/status").body)
    assert (status["in_service"], status["holds"]) == (False, {"maintenance": "disk is being looked at"})
    assert "/status says why" in server.ask("/healthcheck.html").body
    assert server.ask("/").status == 200, "a held server still answers who comes"
    server.run("rm /run/goldfleet/hold/maintenance")
    assert server.wait_for_health(200) < WITHIN_SECONDS


def test_held_health_checks_stay_out_of_the_logs(server: Server) -> None:
    server.run("echo x > /run/goldfleet/hold/maintenance")
    server.wait_for_health(503)
    before = server.run("cat /var/log/nginx/access.log /var/log/nginx/error.log | wc -l")
    assert [server.health() for _ in range(3)] == [503] * 3
    assert server.run("cat /var/log/nginx/access.log /var/log/nginx/error.log | wc -l") == before
    server.run("rm /run/goldfleet/hold/maintenance")
    server.wait_for_health(200)


def test_status_that_was_killed_comes_back_and_sees_what_happened_meanwhile(server: Server) -> None:
    server.run(
        "echo x > /run/goldfleet/hold/x; systemctl kill --signal=KILL goldfleet-status; rm /run/goldfleet/hold/x"
    )
    assert server.wait_for_health(200) < 10
    wait_for(
        "goldfleet-status",
        lambda: server.run("systemctl is-active goldfleet-status", check=False).strip() == "active",
    )
    server.run("echo x > /run/goldfleet/hold/x")
    server.wait_for_health(503)
    server.run("rm /run/goldfleet/hold/x")
    server.wait_for_health(200)


def test_server_that_is_held_from_its_first_moment_never_answers_200(server: Server) -> None:
    server.run("echo 'f /run/goldfleet/hold/settings 0644 root root - not yet there' > /etc/tmpfiles.d/settings.conf")
    booted = server.cloud.boot(server.instance_id)
    server.cloud.aws("ec2", "reboot-instances", "--instance-ids", server.instance_id)
    server.cloud.wait_for_another_boot(server.instance_id, booted)
    seen = set()
    while 503 not in seen:
        seen.add(server.health())
        time.sleep(0.02)
    assert 200 not in seen
    assert json.loads(server.ask("/status").body)["holds"] == {"settings": "not yet there"}
    server.run("rm /etc/tmpfiles.d/settings.conf /run/goldfleet/hold/settings")
    assert server.wait_for_health(200) < WITHIN_SECONDS


def test_php_is_told_the_visitors_address_and_scheme(server: Server) -> None:
    """And nothing that the visitor claims: the load balancer's word is the last in the list."""
    server.deliver("1", {"index.php": RELEASE_IN_PHP}, "example.com")
    claimed = {"X-Forwarded-For": "203.0.113.7, 198.51.100.9", "X-Forwarded-Proto": "https", "Proxy": "evil:1"}
    answer = server.ask("/deep/link?x=1", claimed)
    told = json.loads(answer.body)
    assert (told["REMOTE_ADDR"], told["HTTP_X_FORWARDED_FOR"]) == ("198.51.100.9", "198.51.100.9")
    assert (told["HTTPS"], told["REQUEST_SCHEME"], told.get("HTTP_PROXY", "")) == ("on", "https", "")
    assert told["HTTP_X_REQUEST_ID"] == answer.headers["X-Request-Id"]
    assert told["SCRIPT_FILENAME"] == "/var/www/example.com/releases/1/index.php"


def test_header_that_the_application_sets_itself_wins(server: Server) -> None:
    headers = server.ask("/").headers
    assert (headers["X-Frame-Options"], headers["X-Content-Type-Options"]) == ("DENY", "nosniff")


def test_php_that_is_stopped_gives_a_plain_page_with_all_headers(server: Server) -> None:
    server.run("systemctl stop 'php*-fpm.service'")
    answer = server.ask("/style.css.php")
    missing, page = answer.status, server.ask("/")
    server.run("systemctl start $(cd /lib/systemd/system && ls php*-fpm.service)")
    assert (missing, page.status, page.headers["X-Frame-Options"]) == (404, 502, "SAMEORIGIN")
    assert ("The application does not answer." in page.body, page.headers["Retry-After"]) == (True, "10")


def test_rotated_logs_are_written_on_in_new_files(server: Server) -> None:
    """By every program: nginx and PHP-FPM open theirs again, and the application's is copied while it writes on."""
    application = "/var/www/example.com/shared/log/shop.log"
    server.run(f"install -d -o deploy -g deploy {Path(application).parent}")  # a release's own, as of Capistrano
    server.run(f"install -o deploy -g deploy -m 0640 /dev/null {application}")
    server.run(f"systemd-run --quiet --unit shop-writes sh -c 'while sleep 0.1; do echo line; done >> {application}'")
    try:
        server.ask("/?before")
        wait_for("the application's log", lambda: server.run(f"cat {application}"))
        server.run("logrotate --force /etc/logrotate.d/goldfleet-web_stack")
        server.ask("/?after")
        wait_for("the line after", lambda: "/?after " in server.run("cat /var/log/nginx/access.log"))
        assert "/?before " not in server.run("cat /var/log/nginx/access.log")
        assert "/?before " in server.run("cat /var/log/nginx/access.log.1")
        opened = server.run("ls -l /proc/$(cat /run/php/php8.2-fpm.pid)/fd")
        assert ("/var/log/php8.2-fpm.log\n" in opened, ".log.1" in opened) == (True, False)
        assert "line\n" in server.run(f"cat {application}.1")
        wait_for("the application's lines after", lambda: "line\n" in server.run(f"cat {application}"))
        assert server.run(f"stat -c '%U %G' {application} {application}.1") == "deploy deploy\n" * 2
    finally:
        server.run("systemctl stop shop-writes")


def test_well_known_files_are_served_and_other_hidden_ones_are_not(server: Server) -> None:
    root = "/var/www/example.com/current"
    server.run(f"mkdir -p {root}/.well-known {root}/.git && echo contact > {root}/.well-known/security.txt")
    server.run(f"echo secret > {root}/.git/config && chmod -R a+rX {root}/.well-known {root}/.git")
    answer = server.ask("/.well-known/security.txt")
    assert (answer.status, answer.body) == (200, "contact\n")
    assert server.ask("/.git/config").status == 404


@pytest.mark.long
def test_additions_to_nginx_are_taken_and_survive_another_run(server: Server) -> None:
    own = "/etc/nginx/conf.d/own.conf"
    server.run(f"echo 'server {{ listen 127.0.0.1:8099; return 200 own; }}' > {own} && systemctl reload nginx")
    try:
        wait_for("the addition", lambda: server.run("curl -s http://127.0.0.1:8099/", check=False) == "own")
        server.configure()
        assert server.run("curl -s http://127.0.0.1:8099/") == "own"
    finally:
        server.run(f"rm {own} && systemctl reload nginx")


@pytest.fixture(scope="module")
def proxy(server: Server) -> str:
    """The same server with another runtime and another domain, after a release of the first one; what Ansible said."""
    server.deliver("1", {"index.php": RELEASE_IN_PHP}, "example.com")
    return server.configure(
        web_stack_runtime="proxy", web_stack_domain="example.org", web_stack_upstream="unix:/run/whoami/gunicorn.sock",
        web_stack_public_folder="public", web_stack_upstream_static_files=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def whoami(server: Server, proxy: str) -> Answer:
    """The answer of the example application, delivered as a release and started by its unit."""
    unit = (WHOAMI / "whoami.service").read_text().replace("example.com", "example.org")
    server.run("apt-get install -qq -y --no-install-recommends gunicorn >/dev/null")
    server.deliver("1", {"whoami.py": (WHOAMI / "whoami.py").read_text()}, "example.org")
    server.run("mkdir /var/www/example.org/current/public; echo nginx > /var/www/example.org/current/public/file.txt")
    server.run(f"cat > /etc/systemd/system/whoami.service <<'END OF FILE'\n{unit}\nEND OF FILE")
    server.run("systemctl daemon-reload && systemctl enable --now whoami")
    claimed = {"X-Forwarded-For": "203.0.113.7, 198.51.100.9", "X-Forwarded-Proto": "https", "Proxy": "evil:1"}
    return server.ask("/path?x=1", {**claimed, "Host": "example.org:8080"})


@pytest.mark.long
def test_other_runtime_leaves_nothing_of_php(server: Server, proxy: str) -> None:
    left = server.run(
        "ls /etc/php/*/fpm/pool.d /run/goldfleet/php_workers.conf 2>/dev/null; find /run/php -type s 2>/dev/null",
        check=False,
    )
    assert [line for line in left.splitlines() if line and not line.endswith(":")] == []
    assert server.run("systemctl is-active 'php*-fpm.service'", check=False).strip() in ("", "inactive")
    assert server.run("systemctl is-enabled php8.2-fpm.service", check=False).strip() == "disabled"
    assert "fpm" not in server.run("cat /etc/nginx/nginx.conf /etc/logrotate.d/goldfleet-web_stack")


@pytest.mark.long
def test_folder_of_the_old_domain_stays_while_it_holds_releases_and_the_run_says_so(server: Server, proxy: str) -> None:
    assert "/var/www/example.com is served no more" in proxy
    assert server.run("ls /var/www/example.com/releases/1").split() == ["index.php"]
    assert "example.com" not in server.run("cat /etc/nginx/nginx.conf /etc/logrotate.d/*")


@pytest.mark.long
def test_upstream_that_is_absent_gives_a_plain_page(server: Server, proxy: str) -> None:
    assert (server.ask("/").status, "does not answer" in server.ask("/x.css").body) == (502, True)


@pytest.mark.long
def test_upstream_is_told_host_address_scheme_and_id(whoami: Answer) -> None:
    told = json.loads(whoami.body)
    headers = told["headers"]
    assert (told["path"], told["query"], headers["host"]) == ("/path", "x=1", "example.org:8080")
    assert (headers["x-forwarded-for"], headers["x-forwarded-proto"]) == ("198.51.100.9", "https")
    assert (headers["x-request-id"], headers.get("proxy")) == (whoami.headers["X-Request-Id"], None)


@pytest.mark.long
def test_gunicorn_has_as_many_processes_as_were_computed(server: Server, whoami: Answer) -> None:
    wanted = int(server.run(". /run/goldfleet/workers.env && echo $WEB_CONCURRENCY"))
    main = server.run("systemctl show --property=MainPID --value whoami").strip()

    def workers() -> int:
        return len(server.run(f"pgrep --parent {main}", check=False).split())

    wait_for("workers", lambda: workers() >= wanted)
    assert (wanted >= 1, workers()) == (True, wanted)


@pytest.mark.long
@pytest.mark.parametrize(("path", "body"), [("/file.txt", "nginx\n"), ("/whoami.py", '"path": "/whoami.py"')])
def test_nginx_serves_what_is_public_and_the_upstream_the_rest(
    server: Server, whoami: Answer, path: str, body: str
) -> None:
    assert body in server.ask(path).body


@pytest.mark.long
def test_upstream_may_be_a_port_and_speak_websocket(server: Server, whoami: Answer) -> None:
    server.configure(web_stack_runtime="proxy", web_stack_domain="example.org")
    server.run(f"cat > /root/echo.py <<'END OF FILE'\n{ECHO}\nEND OF FILE")
    server.run("systemd-run --unit=echo python3 /root/echo.py")
    asked = "GET /ws HTTP/1.1\\r\\nHost: x\\r\\nUpgrade: websocket\\r\\nConnection: Upgrade\\r\\n\\r\\n"
    talk = f"(printf '{asked}'; sleep 1; printf hello; sleep 1) | timeout 5 python3 -c \"{TALK}\""
    answer = wait_for("an answer", lambda: server.run(talk, check=False))
    assert answer.startswith("HTTP/1.1 101 ")
    assert answer.endswith("echo hello")


TALK = (
    "import socket,sys,threading; c=socket.create_connection(('127.0.0.1',80)); "
    "threading.Thread(target=lambda: [c.sendall(b) for b in iter(lambda: sys.stdin.buffer.raw.read(99), b'')]).start(); "
    "[sys.stdout.write(b.decode()) for b in iter(lambda: c.recv(99), b'')]"
)


@pytest.fixture(scope="module")
def static(server: Server, whoami: Answer) -> str:
    """The same server without a runtime, over TLS, for two domains one after the other; what Ansible said last."""
    server.run("systemctl disable --now whoami")
    server.configure(web_stack_runtime="static", web_stack_domain="example.net", web_stack_tls_enabled=True)
    return server.configure(web_stack_runtime="static", web_stack_domain="example.edu", web_stack_tls_enabled=True)


@pytest.mark.long
def test_static_leaves_nothing_of_the_upstream(server: Server, static: str) -> None:
    assert "proxy_pass" not in server.run("cat /etc/nginx/nginx.conf")
    assert server.run("ls /run/goldfleet/*workers* 2>/dev/null", check=False) == ""


@pytest.mark.long
def test_folder_of_the_old_domain_goes_when_it_holds_only_the_placeholder(server: Server, static: str) -> None:
    assert set(server.run("ls /var/www").split()) - {"html"} == {"example.com", "example.org", "example.edu"}
    named = server.run("openssl x509 -in /run/goldfleet/tls/certificate.pem -noout -ext subjectAltName")
    assert "DNS:example.edu" in named


@pytest.mark.long
def test_program_is_never_served_as_a_file(server: Server, static: str) -> None:
    server.deliver("1", {"index.html": "hello", "secret.php": "<?php"}, "example.edu")
    assert (server.ask("/").body, server.ask("/secret.php").status) == ("hello\n", 404)


@pytest.mark.long
def test_back_to_php_without_tls_nothing_else_is_left(server: Server, static: str) -> None:
    server.configure(web_stack_domain="example.com")
    assert json.loads(server.ask("/").body)["SCRIPT_FILENAME"] == "/var/www/example.com/releases/1/index.php"
    places = (
        "/etc/systemd/system/goldfleet-tls.service /etc/systemd/system/*.wants/goldfleet-tls.service /run/goldfleet/tls"
    )
    assert server.run(f"ls -d {places} 2>/dev/null", check=False) == ""
    assert ":443" not in server.run("ss --no-header --listening --tcp --numeric")
    assert server.run("systemctl list-units --failed --no-legend --plain 'goldfleet*' 'php*' nginx.service") == ""


@pytest.mark.long
def test_folders_go_to_the_owner_whoever_had_them_before(server: Server) -> None:
    root = "/var/www/example.dev"
    server.run(f"useradd --system shopkeeper && mkdir -p {root}/shared/media")  # as systemd does below a mount
    owners = f"find {root} ! -path '*/media' -printf '%u:%g\\n' | sort -u"
    server.configure(web_stack_domain="example.dev")
    assert server.run(owners) == "deploy:deploy\n"
    server.configure(web_stack_domain="example.dev", web_stack_owner="shopkeeper", web_stack_group="shopkeeper")
    assert server.run(owners) == "shopkeeper:shopkeeper\n"
    said = server.configure(web_stack_domain="example.dev", web_stack_owner="shopkeeper", web_stack_group="shopkeeper")
    assert "changed=0 " in said
