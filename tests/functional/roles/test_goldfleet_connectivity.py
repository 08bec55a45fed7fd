"""goldfleet-connectivity: which step fails and in which words, what everyone may read of it, and its exit codes.

Real servers of the engines are asked by the scenarios of roles database_client and cache_client.
"""

from __future__ import annotations

import json
import os
import re
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.functional.roles.probes import connectivity
from tests.functional.roles.programs import load_program
from tests.functional.roles.tls_servers import Authority, server, with_tls

program = load_program("app_settings", "goldfleet-connectivity")
assert program.Backend is connectivity.Backend  # the module that the probes import, found by its name
PASSWORD, USER, DATABASE = 'hunter2\\"% of', "app-user", "orders"
PROBES = {
    "works": """
def check(backend, address, context):
    return {"login_seconds": 0.25, "statement_seconds": 0.5, "server": "1.2.3"}
""",
    "upgrades": """
def start_tls(plug):
    plug.sendall(b"may I?")
    assert plug.recv(3) == b"yes"

def check(backend, address, context):
    return {}
""",
    "offers_none": """
from goldfleet_connectivity import Refused
def start_tls(plug):
    raise Refused("the server offers no TLS")
""",
    "babbles": """
def start_tls(plug):
    return {}["nonsense"]
""",
    "lets_nobody_in": """
from goldfleet_connectivity import LoginError
def check(backend, address, context):
    raise LoginError("wrong user name or password", f"{backend.username} with {backend.password} at {backend.host}")
""",
    "understands_nothing": """
from goldfleet_connectivity import StatementError
def check(backend, address, context):
    raise StatementError(f"no such table in {backend.database}")
""",
    "raises": """
def check(backend, address, context):
    raise RuntimeError(f"driver's trace: {backend!r} {backend.password!r} {backend.password} {vars(backend)}")
""",
    "hangs": """
import time
def check(backend, address, context):
    time.sleep(60)
""",
    "lacks_its_driver": "import no_such_driver\n",
    "broken": "this is no python\n",
}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that issues the servers' certificates."""
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def places(tmp_path: Path) -> Any:
    """A server's files in a folder of the test's own, without any backend."""
    for name in ("backends.d", "probes", "status.d"):
        (tmp_path / name).mkdir()
    for engine, text in PROBES.items():
        (tmp_path / "probes" / f"{engine}.py").write_text(text)
    (tmp_path / "app_settings.json").write_text('{"environment": "production", "application": "web"}')
    (tmp_path / "settings.json").write_text("{}")
    return program.Places(
        str(tmp_path / "backends.d"), str(tmp_path / "settings.json"), str(tmp_path / "app_settings.json"),
        str(tmp_path / "environment"), str(tmp_path / "probes"), str(tmp_path / "status.d/backends.json"),
    )  # fmt: skip


def add(places: Any, port: int, host: str = "localhost", name: str = "main", **changes: Any) -> None:
    """Configure a backend and its settings."""
    facts: dict[str, Any] = {
        "kind": "database", "name": name, "engine": "works", "port": 1, "tls": True, "ca_file": None,
        "connect_timeout_seconds": 0.4, "settings": f"database/{name}",
    }  # fmt: skip
    Path(places.backends, f"database-{name}.json").write_text(json.dumps(facts | changes))
    settings = json.loads(Path(places.settings).read_text())
    own = {"host": host, "port": str(port), "username": USER, "password": PASSWORD, "database": DATABASE}
    settings |= {f"database/{name}/{key}": value for key, value in own.items() if value}
    Path(places.settings).write_text(json.dumps(settings))


def run(places: Any, capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    """Run the program and return its exit code and everything that it printed."""
    code = program.main(list(arguments), places)
    printed = capsys.readouterr()
    return code, printed.out + printed.err


def ask(places: Any, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    """Run the program and return its exit code and what it says of the only backend."""
    code, printed = run(places, capsys, "--json")
    (backend,) = json.loads(printed)["backends"]
    return code, backend


def free_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        return int(unused.getsockname()[1])


def test_backend_that_is_up_tells_all_its_steps(
    places: Any, authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(with_tls(authority.issue("localhost"))) as port:
        add(places, port, ca_file=str(authority.file))
        code, backend = ask(places, capsys)
    assert (code, backend["up"], backend["failed_stage"], backend["message"]) == (0, True, None, None)
    assert (backend["tls"], backend["certificate_days"], backend["port"]) == ("TLSv1.3", 90, port)
    assert list(backend["milliseconds"]) == ["name", "tcp", "tls", "login", "statement"]
    assert (backend["milliseconds"]["login"], backend["milliseconds"]["statement"]) == (250.0, 500.0)
    assert backend["facts"] == {"server": "1.2.3"}


def test_backend_without_tls_has_no_step_tls(places: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with server(lambda plug: plug.close()) as port:
        add(places, port, tls=False)
        code, backend = ask(places, capsys)
    assert (code, backend["tls"]) == (0, None)
    assert list(backend["milliseconds"]) == ["name", "tcp", "login", "statement"]


def test_engine_may_speak_before_tls(places: Any, authority: Authority, capsys: pytest.CaptureFixture[str]) -> None:
    secure = with_tls(authority.issue("localhost"))

    def serve(plug: socket.socket) -> None:
        assert plug.recv(6) == b"may I?"
        plug.sendall(b"yes")
        secure(plug)

    with server(serve) as port:
        add(places, port, engine="upgrades", ca_file=str(authority.file))
        assert ask(places, capsys)[0] == 0


@pytest.mark.parametrize(
    ("name", "days", "said"),
    [
        ("localhost", -3, ("the certificate has expired on {day}", "the certificate has expired on {day}")),
        ("elsewhere.example", 90,
         ("the certificate is for another name", "the certificate is for elsewhere.example, not localhost")),
    ],
    ids=["expired", "other-name"],
)  # fmt: skip
def test_certificate_that_is_refused_says_why(
    name: str, days: int, said: tuple[str, str], places: Any, authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(with_tls(authority.issue(name, timedelta(days=days)))) as port:
        add(places, port, ca_file=str(authority.file))
        code, backend = ask(places, capsys)
    day = (datetime.now(UTC) + timedelta(days=days)).date().isoformat()
    assert (code, backend["failed_stage"]) == (6, "tls")
    assert (backend["message"], backend["detail"]) == tuple(one.format(day=day) for one in said)


def test_unknown_authority_is_said(places: Any, authority: Authority, capsys: pytest.CaptureFixture[str]) -> None:
    with server(with_tls(authority.issue("localhost"))) as port:
        add(places, port)  # the system's authorities
        _, backend = ask(places, capsys)
    assert (backend["failed_stage"], backend["message"]) == ("tls", "the certificate's authority is unknown")


def silent(plug: socket.socket) -> None:
    """Take the connection and never answer."""
    time.sleep(2)


def in_clear(plug: socket.socket) -> None:
    """Answer in clear, whatever was asked."""
    plug.recv(10)
    plug.sendall(b"-ERR unknown command\r\n")
    plug.recv(1000)


@pytest.mark.parametrize(
    ("serve", "engine", "message"),
    [
        (silent, "works", "no answer to the TLS handshake within 0.4 s: does the server offer TLS on this port?"),
        (in_clear, "works", "the server offers no TLS on this port"),
        (lambda plug: plug.recv(1), "works", "the server closed the connection in the TLS handshake"),
        (silent, "offers_none", "the server offers no TLS"),
        (silent, "babbles", "the server's answer makes no sense (KeyError): is another service on this port?"),
    ],
    ids=["silent", "in-clear", "hangs-up", "refuses", "nonsense"],
)
def test_server_without_tls_says_so(
    serve: Any, engine: str, message: str, places: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(serve) as port:
        add(places, port, engine=engine)
        code, backend = ask(places, capsys)
    assert (code, backend["failed_stage"]) == (6, "tls")
    assert message in backend["message"]


def test_nobody_on_the_port_is_refused(places: Any, capsys: pytest.CaptureFixture[str]) -> None:
    port = free_port()
    add(places, port, host="127.0.0.1")
    code, backend = ask(places, capsys)
    said = "connection refused: does the server run, and on this port?"
    assert (code, backend["failed_stage"], backend["message"]) == (6, "tcp", said)
    assert backend["detail"] == f"127.0.0.1 (127.0.0.1), port {port}: {said}"


def test_unknown_name_is_no_such_name(places: Any, capsys: pytest.CaptureFixture[str]) -> None:
    add(places, 1, host="-db-.invalid..")  # refused before any name server is asked
    _, backend = ask(places, capsys)
    assert (backend["failed_stage"], backend["message"]) == ("name", "no such name")


@pytest.mark.parametrize(
    ("engine", "stage", "message"),
    [
        ("lets_nobody_in", "login", "wrong user name or password"),
        ("understands_nothing", "statement", "no such table in ***"),
        ("raises", "login", "login failed: RuntimeError"),
        ("hangs", "login", "no answer to the login within 2.2 s"),
    ],
)
def test_step_that_fails_after_tls_is_named(
    engine: str, stage: str, message: str, places: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(silent) as port:
        add(places, port, engine=engine, tls=False)
        code, backend = ask(places, capsys)
    assert (code, backend["failed_stage"], backend["message"]) == (6, stage, message)


@contextmanager
def one_that_takes_nobody_in() -> Iterator[int]:
    """Yield a port on which a connection is never made: the queue of those that wait is full."""
    with socket.socket() as listening, ExitStack() as waiting:
        listening.bind(("127.0.0.1", 0))
        listening.listen(0)
        for _ in range(4):
            plug = waiting.enter_context(socket.socket())
            plug.setblocking(False)
            plug.connect_ex(listening.getsockname())
        yield listening.getsockname()[1]


@pytest.mark.parametrize(
    ("serve", "changes", "stage"),
    [
        (lambda: server(silent), {"host": "slow.example.org"}, "name"),
        (one_that_takes_nobody_in, {}, "tcp"),
        (lambda: server(silent), {}, "tls"),
        (lambda: server(silent), {"tls": False, "engine": "hangs"}, "login"),
    ],
    ids=["name", "tcp", "tls", "login"],
)
def test_verdict_is_there_in_time_however_long_a_step_may_take(
    serve: Any, changes: Any, stage: str, places: Any, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    """An application may wait for minutes; systemd would end the program, and /status would tell what was true before."""
    look_up = socket.getaddrinfo

    def slowly(host: str, *arguments: Any, **options: Any) -> Any:
        time.sleep(2 if host == "slow.example.org" else 0)
        return look_up(host, *arguments, **options)

    monkeypatch.setattr(program.socket, "getaddrinfo", slowly)
    monkeypatch.setattr(program, "LONGEST_SECONDS", 0.4)
    with serve() as port:
        add(places, port, **{"host": "127.0.0.1", "connect_timeout_seconds": 300, **changes})
        Path(places.fragment).write_text(json.dumps({"backends": [{"kind": "database", "name": "main", "up": True}]}))
        started = time.monotonic()
        code, printed = run(places, capsys, "--status")
        assert time.monotonic() - started < 1.5
    (backend,) = json.loads(Path(places.fragment).read_text())["backends"]
    assert (code, backend["up"], backend["failed_stage"]) == (6, False, stage)
    assert backend["message"] == (said := "no answer within 0.4 s, the longest that all steps together may take")
    assert printed == f"database/main is down at {stage}: {said}\n"
    assert stage not in backend["milliseconds"]


def test_systemd_gives_more_time_than_a_verdict_takes() -> None:
    unit = Path("roles/app_settings/templates/goldfleet-connectivity.service.j2").read_text()
    (seconds,) = re.findall(r"^TimeoutStartSec=(\d+)$", unit, re.MULTILINE)
    assert int(seconds) >= program.LONGEST_SECONDS + 15


@pytest.mark.parametrize(
    ("changes", "host", "message"),
    [
        ({}, "", "setting database/main/host is missing"),
        ({"engine": "oracle"}, "localhost", "engine oracle is unknown"),
        ({"engine": "../works"}, "localhost", "engine ../works is unknown"),
        ({"engine": "lacks_its_driver"}, "localhost", "the driver of lacks_its_driver is not installed"),
        ({"engine": "broken"}, "localhost", "the probe of broken is broken"),
        ({"ca_file": "/nowhere.pem"}, "localhost", "the authorities' file cannot be used"),
        ({"connect_timeout_seconds": "soon"}, "localhost", "database-main.json holds a value of the wrong type"),
    ],
)
def test_configuration_that_cannot_work_is_told(
    changes: dict[str, Any], host: str, message: str, places: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    add(places, free_port(), host=host, **changes)
    code, backend = ask(places, capsys)
    assert (code, backend["failed_stage"], backend["message"]) == (2, "settings", message)


@pytest.mark.parametrize(("environment", "path"), [(None, "production"), ("staging\n", "staging")])
def test_missing_host_names_the_parameter_to_create(
    environment: str | None, path: str, places: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    if environment:
        Path(places.environment).write_text(environment)
    add(places, 1, host="")
    assert f"create the parameter /goldfleet/{path}/web/database/main/host" in ask(places, capsys)[1]["detail"]


@pytest.mark.parametrize("port", ["0", "65536", "http", "-1", "33061111"])
def test_port_that_is_none_is_told(port: str, places: Any, capsys: pytest.CaptureFixture[str]) -> None:
    add(places, port=port)  # type: ignore[arg-type]
    assert ask(places, capsys)[1]["message"] == "setting database/main/port is no port"


@pytest.mark.parametrize(
    ("text", "said"), [("{", "is no JSON"), ("[]", "holds no JSON object"), ("{}", "lacks 'kind'")]
)
def test_broken_file_does_not_hide_the_other_backends(
    text: str, said: str, places: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(silent) as port:
        add(places, port, tls=False)
        Path(places.backends, "a-broken.json").write_text(text)
        code, printed = run(places, capsys)
    assert code == 2
    assert said in printed
    assert "database/main" in printed


def test_unresolved_settings_are_configuration(places: Any, capsys: pytest.CaptureFixture[str]) -> None:
    add(places, 1)
    Path(places.settings).unlink()
    code, backend = ask(places, capsys)
    assert (code, backend["message"]) == (2, "settings are not resolved yet")


def test_nothing_configured_is_up_and_says_so(places: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(places, capsys) == (0, "No backend is configured on this server.\n")


def test_who_may_not_read_settings_is_refused(places: Any, capsys: pytest.CaptureFixture[str]) -> None:
    class Elsewhere:
        """Settings below a file that is no folder the caller may enter."""

        def __fspath__(self) -> str:
            raise PermissionError

    code, said = run(program.Places(places.backends, Elsewhere()), capsys)
    assert (code, said.endswith("Run it as root.\n")) == (3, True)


def test_one_backend_can_be_asked_alone(places: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with server(silent) as port:
        add(places, port, tls=False)
        add(places, free_port(), name="other", tls=False)
        assert run(places, capsys, "--backend", "main")[0] == 0
        assert run(places, capsys)[0] == 6
    code, said = run(places, capsys, "--backend", "nobody")
    assert (code, "there is no backend nobody" in said) == (2, True)


def test_backends_are_asked_side_by_side(places: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with server(silent) as port:
        for number in range(5):
            add(places, port, name=f"n{number}")
        started = time.monotonic()
        assert run(places, capsys)[0] == 6
    assert time.monotonic() - started < 3 * 0.4


def test_table_has_a_line_for_each_backend_and_the_reason_below(
    places: Any, authority: Authority, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(with_tls(authority.issue("localhost", timedelta(days=5, hours=1)))) as port:
        add(places, port, ca_file=str(authority.file))
        add(places, free_port(), host="127.0.0.1", name="other")
        code, printed = run(places, capsys)
    head, up, down, warning, reason = printed.splitlines()
    assert code == 6
    assert head.split()[:3] == ["BACKEND", "ENGINE", "STATE"]
    assert up.split()[:3] + up.split()[-3:] == ["database/main", "works", "up", "TLSv1.3", "5", "days"]
    assert down.split()[:4] == ["database/other", "works", "down:", "tcp"]
    assert warning == "database/main: the certificate expires in 5 days"
    assert reason.startswith("database/other: 127.0.0.1 (127.0.0.1), port ")
    assert "\033" not in printed


@pytest.mark.parametrize("arguments", [(), ("--json",), ("--status",)], ids=["table", "json", "status"])
@pytest.mark.parametrize("engine", ["lets_nobody_in", "raises"])
def test_no_output_holds_the_password(
    engine: str, arguments: tuple[str, ...], places: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(silent) as port:
        add(places, port, engine=engine, tls=False)
        _, printed = run(places, capsys, *arguments)
    written = Path(places.fragment).read_text() if arguments == ("--status",) else ""
    assert "hunter2" not in printed + written


@pytest.mark.parametrize("engine", ["lets_nobody_in", "raises", "understands_nothing"])
def test_everyone_reads_neither_host_nor_user_nor_database(
    engine: str, places: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with server(silent) as port:
        add(places, port, engine=engine, tls=False)
        run(places, capsys, "--status")
    written = Path(places.fragment).read_text()
    assert [word for word in ("localhost", "127.0.0.1", USER, DATABASE) if word in written] == []
    assert stat.S_IMODE(os.stat(places.fragment).st_mode) == 0o644


def test_part_of_status_has_exactly_its_keys(places: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with server(silent) as port:
        add(places, port, tls=False)
        run(places, capsys, "--status")
    fragment = json.loads(Path(places.fragment).read_text())
    assert set(fragment) == {"checked_at", "backends"}
    assert set(fragment["backends"][0]) == {
        "kind", "name", "engine", "up", "tls", "certificate_days", "failed_stage", "message", "milliseconds",
    }  # fmt: skip


def test_journal_gets_changes_only(places: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with server(silent) as port:
        add(places, port, tls=False)
        up = [run(places, capsys, "--status")[1] for _ in range(2)]
        add(places, port, engine="lets_nobody_in", tls=False)
        down = [run(places, capsys, "--status")[1] for _ in range(2)]
        add(places, port, tls=False)
        again = run(places, capsys, "--status")[1]
    assert up == ["database/main is up\n", ""]
    assert down == [f"database/main is down at login: {USER} with *** at localhost\n", ""]
    assert again == "database/main is up\n"


def test_server_without_backends_forgets_what_it_asked(places: Any, capsys: pytest.CaptureFixture[str]) -> None:
    add(places, free_port())
    run(places, capsys, "--status")
    Path(places.backends, "database-main.json").unlink()
    assert run(places, capsys, "--status") == (0, "")
    assert not Path(places.fragment).exists()


def test_broken_part_of_status_is_replaced(places: Any, capsys: pytest.CaptureFixture[str]) -> None:
    add(places, free_port())
    Path(places.fragment).write_text("{")
    run(places, capsys, "--status")
    assert json.loads(Path(places.fragment).read_text())["backends"][0]["up"] is False
