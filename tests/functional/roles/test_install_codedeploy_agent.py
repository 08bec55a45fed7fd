"""goldfleet-install-codedeploy-agent: what is fetched, what is refused and in which words, and when a server is held."""

from __future__ import annotations

import hashlib
import http.server
import json
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.functional.roles.programs import ROLES, load_program

program = load_program("codedeploy_agent", "goldfleet-install-codedeploy-agent")
PACKAGE = b"a package" * 1000
SHA256 = hashlib.sha256(PACKAGE).hexdigest()
VERSION = "2.0.1-1"
REASON = "the CodeDeploy agent is not installed: "
BUCKET = "https://aws-codedeploy-{region}.s3.{region}.{domain}/releases/codedeploy-agent_2.0.1-1_{architecture}.deb"


def make_wanted(**changes: Any) -> Any:
    """Return what is to be installed."""
    facts = {"version": VERSION, "sha256": SHA256, "url": BUCKET, "region": "", "proxy": "", "ongoing": "/nowhere"}
    return program.Wanted(**(facts | changes))


class Machine:
    """A server with a version of the agent or none; installing takes as many attempts as `failures` has, and one more."""

    def __init__(self, version: str = "", failures: tuple[str, ...] = ()) -> None:
        self.version, self.failures, self.started, self.installed = version, list(failures), 0, 0

    def installed_version(self) -> str:
        return self.version

    def start_agent(self) -> None:
        self.started += 1

    def fetch_and_install(self, wanted: Any) -> None:
        if self.failures:
            raise program.Unfinished(self.failures.pop(0))
        self.version = wanted.version
        self.installed += 1


@pytest.fixture
def places(tmp_path: Path) -> Any:
    """A server's files in a folder of the test's own, held as systemd-tmpfiles does it at boot."""
    (tmp_path / "hold").mkdir()
    (tmp_path / "hold/codedeploy_agent").write_text("the CodeDeploy agent is not installed yet\n")
    (tmp_path / "ongoing").mkdir()
    wanted = {"version": VERSION, "sha256": SHA256, "url": BUCKET, "region": "", "proxy": ""}
    (tmp_path / "wanted.json").write_text(json.dumps(wanted | {"ongoing": str(tmp_path / "ongoing")}))
    return program.Places(
        str(tmp_path / "wanted.json"), str(tmp_path / "hold/codedeploy_agent"), str(tmp_path / "lock")
    )


class Answers(http.server.BaseHTTPRequestHandler):
    """Answers with the package, or as AWS's bucket does for what it does not have."""

    def do_GET(self) -> None:
        found = self.path.endswith("agent.deb")
        self.send_response(200 if found else 403)
        self.end_headers()
        self.wfile.write(PACKAGE if found else b"AccessDenied")

    def log_message(self, format: str, *args: Any) -> None:
        """Keep quiet."""


@pytest.fixture
def bucket() -> Iterator[str]:
    """The address of a server that has one package."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize(
    ("changes", "address"),
    [
        ({}, "https://aws-codedeploy-eu-west-1.s3.eu-west-1.amazonaws.com/releases/codedeploy-agent_2.0.1-1_arm64.deb"),
        (
            {"region": "cn-north-1"},
            "https://aws-codedeploy-cn-north-1.s3.cn-north-1.amazonaws.com.cn/releases/codedeploy-agent_2.0.1-1_arm64.deb",
        ),
        ({"url": "https://m.example/codedeploy-agent_1_all.deb"}, "https://m.example/codedeploy-agent_1_all.deb"),
    ],
    ids=["own-region", "china", "mirror"],
)
def test_package_is_where_aws_or_the_mirror_has_it(changes: dict[str, Any], address: str) -> None:
    assert program.address_of(make_wanted(**changes), "arm64", lambda: "eu-west-1") == address


def test_mirror_needs_no_metadata_service() -> None:
    def must_not_be_asked() -> str:
        raise AssertionError

    wanted = make_wanted(url="https://m.example/{architecture}.deb")
    assert program.address_of(wanted, "amd64", must_not_be_asked) == "https://m.example/amd64.deb"


def test_right_package_is_written(bucket: str, tmp_path: Path) -> None:
    program.download(f"{bucket}/agent.deb", make_wanted(), tmp_path / "agent.deb")
    assert (tmp_path / "agent.deb").read_bytes() == PACKAGE


def test_other_checksum_is_refused_with_both(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(program.Unfinished, match=f"has sha256 {SHA256}, wanted is {'0' * 64}. Nothing was installed"):
        program.download(f"{bucket}/agent.deb", make_wanted(sha256="0" * 64), tmp_path / "agent.deb")


def test_unknown_version_is_explained(bucket: str, tmp_path: Path) -> None:
    with pytest.raises(program.Unfinished, match=r"answers 403\. .*correct codedeploy_agent_version"):
        program.download(f"{bucket}/agent_9.deb", make_wanted(), tmp_path / "agent.deb")


def test_unreachable_bucket_is_explained(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(program.Unfinished, match=r"cannot be reached \(.*refused\).*security group, route, NAT"):
        program.download(f"http://127.0.0.1:{port}/agent.deb", make_wanted(), tmp_path / "agent.deb")


@pytest.mark.parametrize(
    ("output", "reason"),
    [
        ("Reading package lists...\n codedeploy-agent : Depends: ruby3.0 but it is not installable\nE: held\n",
         "codedeploy-agent : Depends: ruby3.0 but it is not installable"),
        ("Reading...\nE: Could not get lock /var/lib/dpkg/lock\n", "E: Could not get lock /var/lib/dpkg/lock"),
        ("Failed to start\n", "Failed to start"),
        ("", "it said nothing"),
    ],
    ids=["dependency", "lock", "other", "silent"],
)  # fmt: skip
def test_reason_is_the_telling_line(output: str, reason: str) -> None:
    assert program.reason_of(output) == reason


def test_server_without_agent_gets_it_and_is_let_into_service(places: Any) -> None:
    machine = Machine()
    assert program.attempt(places, machine) == f"CodeDeploy agent {VERSION} is installed and runs"
    assert (machine.version, machine.started, Path(places.hold).exists()) == (VERSION, 1, False)


def test_server_with_the_agent_installs_nothing_and_is_let_into_service(places: Any) -> None:
    machine = Machine(VERSION, ("must not be asked",))
    assert program.attempt(places, machine) == f"CodeDeploy agent {VERSION} runs"
    assert (machine.installed, machine.started, Path(places.hold).exists()) == (0, 1, False)


def test_failure_holds_the_server_with_the_reason_until_it_works(
    places: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    machine, held = Machine(failures=("no route", "no route", "wrong\nchecksum")), []
    said = program.keep_trying(places, machine, lambda _: held.append(Path(places.hold).read_text()))
    assert held == [f"{REASON}no route\n"] * 2 + [f"{REASON}wrong checksum\n"]
    assert (said, Path(places.hold).exists()) == (f"CodeDeploy agent {VERSION} is installed and runs", False)
    after = " The server stays out of service; tried again until it works."
    assert capsys.readouterr().out.splitlines() == [f"{REASON}no route{after}", f"{REASON}wrong checksum{after}"]


def test_attempts_are_some_time_apart_and_not_all_at_once(places: Any) -> None:
    waits: list[float] = []
    program.keep_trying(places, Machine(failures=("x",) * 20), waits.append)
    assert len(set(waits)) > 1
    assert all(8 <= wait <= 12 for wait in waits)


def test_server_in_service_keeps_its_agent_when_another_cannot_be_had(
    places: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    os.unlink(places.hold)
    machine, held = Machine("2.0.0-1", ("no route",)), []
    program.keep_trying(places, machine, lambda _: held.append(Path(places.hold).exists()))
    assert (held, machine.version) == ([False], VERSION)
    assert "The server keeps the agent that it has" in capsys.readouterr().out


def test_agent_in_a_deployment_is_not_replaced(places: Any, tmp_path: Path) -> None:
    (tmp_path / "ongoing/d-ABCDEFGHI").write_text("")
    with pytest.raises(program.Unfinished, match=r"version 2\.0\.0-1 of the agent is in the middle of a deployment"):
        program.attempt(places, Machine("2.0.0-1"))


def test_forgotten_deployment_does_not_count(places: Any, tmp_path: Path) -> None:
    mark = tmp_path / "ongoing/d-ABCDEFGHI"
    mark.write_text("")
    os.utime(mark, (time.time() - 90_000,) * 2)
    assert program.attempt(places, Machine("2.0.0-1")).endswith("is installed and runs")


@pytest.mark.parametrize(("version", "is_held"), [("", True), ("2.0.0-1", False)])
def test_server_without_any_agent_is_held_from_the_service_s_start(places: Any, version: str, is_held: bool) -> None:
    os.unlink(places.hold)
    program.hold_at_first(places, Machine(version))
    assert Path(places.hold).exists() == is_held


@pytest.mark.parametrize("content", [None, "{", "[]", '{"version": "1"}'])
def test_unusable_configuration_is_named(content: str | None, places: Any) -> None:
    if content is None:
        os.unlink(places.wanted)
    else:
        Path(places.wanted).write_text(content)
    assert program.try_once(places, Machine()) == program.CONFIGURATION
    assert Path(places.hold).read_text().startswith(f"{REASON}{places.wanted} cannot be used")


def test_user_data_gets_one_attempt_and_its_exit_code(places: Any) -> None:
    machine = Machine(failures=("no route",))
    assert program.try_once(places, machine) == program.FAILED
    assert Path(places.hold).read_text() == f"{REASON}no route\n"
    assert program.try_once(places, machine) == program.DONE
    assert not Path(places.hold).exists()


def test_hold_can_be_read_by_everyone_and_its_draft_is_none(places: Any) -> None:
    program.hold("x", places)
    folder = Path(places.hold).parent
    assert [(path.name, path.stat().st_mode & 0o777) for path in folder.iterdir()] == [("codedeploy_agent", 0o644)]


def test_only_root_may() -> None:
    nobody = ["setpriv", "--reuid=65534", "--clear-groups"] if os.geteuid() == 0 else []
    with (ROLES / "codedeploy_agent/files/goldfleet-install-codedeploy-agent").open() as text:
        command = [*nobody, "/usr/bin/python3", "-I", "-"]
        done = subprocess.run(command, stdin=text, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (program.REFUSED, "goldfleet-install-codedeploy-agent: needs root.\n")
