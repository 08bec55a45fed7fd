"""Servers that are named by hand or by a real inventory, checked by a real pytest over SSH on loopback."""

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from goldfleet.errors import RefusedError, UsageError
from goldfleet.verify.wiring import NamedRequest, Report, Selection, verify_named
from tests.doubles.sshd import in_folder, reach, sshd

SPECS = """
import json, os, pytest

def test_state(host):
    with open(os.environ["GOLDFLEET_VARIABLES_FILE"]) as file:
        wanted = json.load(file)
    assert host.file("state").content_string == wanted.get("state", "good")

@pytest.mark.golden
def test_golden(host):
    raise AssertionError("nobody knows whether it is of a golden image")
"""
SUDO = """#!/bin/sh
while [ "$1" != -- ]; do shift; done
shift
exec "$@"
"""
CONFTEST = """
def pytest_configure(config):
    config.addinivalue_line("markers", "golden: of images")
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project, two servers, and a home folder that knows their host keys."""
    project = tmp_path / "project"
    (project / "specs").mkdir(parents=True)
    (project / "specs" / "test_it.py").write_text(SPECS)
    (project / "specs" / "conftest.py").write_text(CONFTEST)
    (tmp_path / ".ssh").mkdir()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "state").write_text("good" if name == "a" else "bad")
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "sudo").write_text(SUDO)
    (tmp_path / "bin" / "sudo").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("HOME", str(tmp_path))
    with sshd(in_folder(tmp_path / "a")) as a, sshd(in_folder(tmp_path / "b")) as b:
        (tmp_path / ".ssh" / "known_hosts").write_text(reach(a).known_hosts + reach(b).known_hosts)
        (project / "ports").write_text(f"{a} {b}")
        yield project


def ports(project: Path) -> list[str]:
    return (project / "ports").read_text().split()


def verify(project: Path, **request: str) -> Report:
    chosen: Any = {"specs": "specs", **request}
    return verify_named(NamedRequest(project, **chosen), lambda *_: None)


def inventory(project: Path, **variables: str) -> str:
    """Write an inventory of both servers, and return its name."""
    a, b = ports(project)
    common = {"ansible_host": "127.0.0.1", "ansible_user": "nobody-asks", "ansible_become": False}
    hosts = {
        "a": {"ansible_port": a, **common},
        "b": {"ansible_port": b, "state": "{{ 'ba' + 'd' }}", **common, **variables},
    }
    (project / "servers.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    return "servers.json"


def outcomes(report: Report) -> dict[str, list[str]]:
    return {host.host: [check.outcome.value for check in host.checks] for host in report.verdict.hosts}


def test_each_server_of_an_inventory_is_checked_with_its_own_variables(project: Path) -> None:
    report = verify(project, inventory=inventory(project))
    assert outcomes(report) == {"a": ["passed"], "b": ["passed"]}
    assert report.verdict.is_good
    document = json.loads((Path(report.verdict.report_folder) / "report.json").read_text())
    assert (document["subject"], document["whole"], document["cost"]["connections"]) == ("servers.json", True, 2)
    assert (Path(report.verdict.report_folder) / "report.html").is_file()


def test_pattern_leaves_the_others_of_an_inventory_out(project: Path) -> None:
    report = verify(project, inventory=inventory(project, state="good"), hosts="b")
    assert outcomes(report) == {"b": ["failed"]}
    assert not report.verdict.is_whole


def test_inventory_that_ansible_cannot_read_is_told_with_its_words(project: Path) -> None:
    (project / "broken.yml").write_text('all: {hosts: {a: {ansible_host: "{{ nowhere }}"}}}\n')
    with pytest.raises(UsageError, match=r"(?s)Ansible cannot read the inventory.*nowhere.* is undefined"):
        verify(project, inventory="broken.yml")
    with pytest.raises(UsageError, match=r"--inventory: missing\.yml does not exist"):
        verify(project, inventory="missing.yml")


def test_pattern_that_names_nobody_is_refused(project: Path) -> None:
    with pytest.raises(RefusedError, match=r"No server of servers\.json is named by nobody: nothing was verified"):
        verify(project, inventory=inventory(project), hosts="nobody")


def test_servers_in_a_list_are_all_asked_with_sudo_and_one_that_does_not_answer_is_unreachable(project: Path) -> None:
    a, b = ports(project)
    report = verify(project, hosts=f"127.0.0.1:{a},127.0.0.1:{b},127.0.0.1:1")
    hosts = {host.host: host for host in report.verdict.hosts}
    assert list(hosts) == [f"127.0.0.1:{a}", f"127.0.0.1:{b}", "127.0.0.1:1"]
    assert hosts["127.0.0.1:1"].unreachable.startswith("connection refused")
    assert [hosts[f"127.0.0.1:{port}"].verdict for port in (a, b)] == ["good", "failed"]


def test_server_whose_host_key_is_not_known_is_refused(project: Path) -> None:
    (Path(os.environ["HOME"]) / ".ssh" / "known_hosts").write_text("")
    (host,) = verify(project, hosts=f"127.0.0.1:{ports(project)[0]}").verdict.hosts
    assert host.unreachable.startswith("the host key of 127.0.0.1 is none of those")


def test_this_server_is_checked_without_a_connection(project: Path) -> None:
    (project / "specs" / "test_it.py").write_text("def test_it(host):\n    assert host.file('/etc/passwd').exists\n")
    report = verify(project)
    assert outcomes(report) == {"localhost": ["passed"]}
    assert (report.verdict.cost.connections, report.verdict.cost.sessions) == (0, 1)


def test_specs_that_are_not_there_are_told(project: Path) -> None:
    with pytest.raises(UsageError, match=r"The specs do not exist: .*/nowhere"):
        verify(project, specs="nowhere")


def test_golden_specs_are_run_when_they_are_asked_for(project: Path) -> None:
    request = NamedRequest(project, specs="specs", selection=Selection(marker="golden"))
    assert outcomes(verify_named(request, lambda *_: None)) == {"localhost": ["failed"]}
