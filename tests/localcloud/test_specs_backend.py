"""pytest with the backend goldfleet:// on real servers: the verdicts of testinfra's ssh backend, by one session a server."""

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.localcloud.conftest import ROOT, Cloud, wait_for

MODULES = """
import pytest

LOOKS = {
    "file": lambda host: [
        (one.exists, one.is_file, one.is_directory, one.is_symlink, one.user, one.uid, one.group, one.gid, one.mode, one.size)
        for one in map(host.file, ["/etc/passwd", "/etc", "/bin", "/etc/shadow", "/var/lib/dpkg/status"])
    ],
    "no file": lambda host: (host.file("/nowhere").exists, host.file("/nowhere").is_file),
    "file content": lambda host: (host.file("/etc/hosts").content, host.file("/etc/os-release").content_string),
    "file contains": lambda host: [host.file("/etc/passwd").contains(one) for one in ("root", "^root", "nobody:x", "no such")],
    "file digests": lambda host: (host.file("/bin/ls").md5sum, host.file("/bin/ls").sha256sum, host.file("/bin/ls").mtime),
    "file links": lambda host: (host.file("/bin").linked_to, host.file("/bin/sh").linked_to, host.file("/etc/apt").listdir()),
    "package": lambda host: [(one.is_installed, one.version) for one in map(host.package, ["bash", "openssh-server", "sudo"])],
    "no package": lambda host: host.package("no-such-package").is_installed,
    "service": lambda host: [(one.is_running, one.is_enabled) for one in map(host.service, ["ssh", "cloud-init"])],
    "no service": lambda host: host.service("nosuch").is_running,
    "service properties": lambda host: host.service("ssh").systemd_properties["FragmentPath"],
    "socket": lambda host: (host.socket("tcp://22").is_listening, host.socket("tcp://0.0.0.0:22").is_listening,
                            host.socket("tcp://127.0.0.1:81").is_listening),
    "user": lambda host: [(one.exists, one.uid, one.gid, one.group, one.gids, one.groups, one.home, one.shell)
                          for one in map(host.user, ["root", "admin", "daemon"])],
    "no user": lambda host: host.user("nosuchuser").exists,
    "current user": lambda host: host.user().name,
    "password": lambda host: host.user("root").password,
    "group": lambda host: [(one.exists, one.gid, one.members) for one in map(host.group, ["root", "sudo", "adm"])],
    "no group": lambda host: host.group("nosuchgroup").exists,
    "process": lambda host: (host.process.get(pid=1).user, host.process.get(pid=1).comm),
    "sysctl": lambda host: host.sysctl("kernel.pid_max"),
    "mount point": lambda host: [(one.exists, one.filesystem) for one in map(host.mount_point, ["/", "/proc"])],
    "interface": lambda host: (host.interface("lo").exists, host.interface("lo").addresses, host.interface("nosuch0").exists),
    "environment": lambda host: sorted(set(host.environment()) & {"HOME", "LOGNAME", "USER"}),
    "addr": lambda host: host.addr("localhost").is_resolvable,
    "system info": lambda host: [getattr(host.system_info, one) for one in ("type", "distribution", "release", "arch")],
    "command": lambda host: [(one.rc, one.stdout, one.stderr) for one in map(host.run, ["exit 7", "echo a; echo b >&2"])],
    "command with words": lambda host: host.check_output("printf '%%s|' %s %s", "it's", "a b; $HOME"),
    "bytes": lambda host: host.run("printf '\\\\377\\\\000'").stdout_bytes,
    "letters": lambda host: host.check_output("echo 'grüß dich'"),
    "exists": lambda host: (host.exists("ls"), host.exists("nosuch"), host.find_command("ip")),
}

@pytest.mark.parametrize("module", LOOKS)
def test_module(host, module, record_property):
    record_property("seen", repr(LOOKS[module](host)))

def test_another_user(host, record_property):
    with host.sudo("daemon"):
        record_property("seen", host.check_output("id -un"))

def test_failing(host):
    assert host.file("/etc/passwd").user == "nobody"

def test_expecting(host):
    host.check_output("exit 3")
"""
"""What testinfra's modules say, put into the report; two tests that must fail."""

CHANGES = """
import pytest

def test_changes(host):
    host.check_output("echo once >> /tmp/changed")
    assert host.file("/tmp/changed").content_string == "once\\n"

@pytest.mark.live
def test_asks_twice(host):
    assert host.check_output("cat /proc/sys/kernel/random/uuid") != host.check_output("cat /proc/sys/kernel/random/uuid")

def test_long_loop(host):
    assert [host.check_output("echo %s", str(number)) for number in range(12)] == [str(number) for number in range(12)]
"""


@dataclass(frozen=True)
class Servers:
    """Two servers, a way to them, and a folder for specs."""

    cloud: Cloud
    ids: list[str]
    addresses: list[str]
    config: Path
    folder: Path

    def pytest(
        self, scheme: str, specs: Path | str, *options: str, code: int = 1
    ) -> tuple[dict[str, tuple[str, str]], str]:
        """Run specs through a backend; return what became of each test and what it saw, and what was printed."""
        report = self.folder / f"{scheme}.xml"
        hosts = ",".join(f"{scheme}://admin@{address}" for address in self.addresses)
        done = subprocess.run(
            [sys.executable, "-m", "pytest", str(specs), "-c", "/dev/null", f"--rootdir={ROOT}", "-p", "no:cacheprovider", "-q",
             "--tb=line", f"--hosts={hosts}", f"--ssh-config={self.config}", "--sudo", f"--junitxml={report}", *options],
            cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False, timeout=600,
        )  # fmt: skip
        assert done.returncode == code, done.stdout[-4000:] + done.stderr[-2000:]
        cases = ElementTree.fromstring(report.read_text()).iter("testcase")  # noqa: S314 - written by this pytest
        return {case.get("name", "").replace(f"{scheme}://", ""): _result(case) for case in cases}, done.stdout

    def logins(self, index: int) -> tuple[int, int]:
        """Return how often somebody has logged in to a server, and how often sudo was asked for."""
        journal = self.cloud.ssh(self.ids[index], "sudo journalctl --boot --output cat --no-pager").stdout.splitlines()
        return sum("Accepted publickey" in line for line in journal), sum("COMMAND=" in line for line in journal)


def _result(case: ElementTree.Element) -> tuple[str, str]:
    outcome = next((tag for tag in ("failure", "error", "skipped") if case.find(tag) is not None), "passed")
    return outcome, next((one.get("value", "") for one in case.iter("property")), "")


def _has_booted(cloud: Cloud, instance_id: str) -> bool:
    return cloud.ssh(instance_id, "cloud-init status --wait", check=False).returncode == 0


@pytest.fixture(scope="module")
def servers(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    folder = tmp_path_factory.mktemp("specs")
    ids = cloud.launch(count=2)
    addresses = [cloud.wait_state(one, "running")["PrivateIpAddress"] for one in ids]
    known_hosts, config = folder / "known_hosts", folder / "ssh_config"
    known_hosts.write_text("".join(cloud.pinned_host_keys(one).read_text() for one in ids))
    lines = (
        f"IdentityFile {cloud.key_file}",
        "IdentitiesOnly yes",
        "StrictHostKeyChecking yes",
        f"UserKnownHostsFile {known_hosts}",
    )
    config.write_text("Host *\n" + "".join(f"  {line}\n" for line in lines))
    for one in ids:
        wait_for("ssh", partial(_has_booted, cloud, one))
    yield Servers(cloud, ids, addresses, config, folder)
    cloud.terminate(*ids)


def test_every_module_answers_as_by_testinfras_own_backend(servers: Servers) -> None:
    specs = servers.folder / "test_modules.py"
    specs.write_text(MODULES)
    by_ssh, told = servers.pytest("ssh", specs)
    by_goldfleet, said = servers.pytest("goldfleet", specs)
    assert by_goldfleet == by_ssh, told[-3000:]
    assert sorted({outcome for outcome, _ in by_goldfleet.values()}) == ["failure", "passed"]
    assert "2 servers, 2 connections, 2 sessions" in said


def test_verdicts_about_a_server_that_is_not_as_promised_are_the_same(servers: Servers) -> None:
    by_ssh, _ = servers.pytest("ssh", "tests/fleet/test_base.py", "-k", "not connections")
    by_goldfleet, _ = servers.pytest("goldfleet", "tests/fleet/test_base.py", "-k", "not connections")
    assert by_goldfleet == by_ssh
    assert {"failure", "passed"} <= {outcome for outcome, _ in by_goldfleet.values()}


def test_server_is_logged_in_to_once_and_sudo_is_asked_for_once(servers: Servers) -> None:
    before = servers.logins(0)
    servers.pytest("goldfleet", "tests/fleet/test_base.py")
    after = servers.logins(0)
    # Each look at the journal is a login and a sudo of its own.
    assert (after[0] - before[0], after[1] - before[1]) == (2, 2)


def test_test_that_changes_its_server_is_run_live_and_that_is_said(servers: Servers) -> None:
    specs = servers.folder / "test_changes.py"
    specs.write_text(CHANGES)
    results, said = servers.pytest("goldfleet", specs, code=0)
    assert {outcome for outcome, _ in results.values()} == {"passed"}
    assert "changes its server, so it was run live" in said
    assert "echo once >> /tmp/changed" in said
    assert "not foreseen, asked by itself" in said


def test_server_with_another_key_or_none_at_all_is_named_and_the_others_are_judged(servers: Servers) -> None:
    stranger, gone = servers.addresses[0], "127.0.0.99"
    keys = servers.folder / "other_keys"
    own = (servers.folder / "known_hosts").read_text().splitlines()
    of_other = [line.split(" ", 1)[1] for line in own if line.startswith(servers.addresses[1])]
    kept = [line for line in own if not line.startswith(stranger)]
    keys.write_text("\n".join([*kept, *(f"{stranger} {key}" for key in of_other)]) + "\n")
    config = servers.folder / "other_config"
    config.write_text(servers.config.read_text().replace("/known_hosts", "/other_keys"))
    specs = servers.folder / "test_one.py"
    specs.write_text("def test_one(host):\n    assert host.file('/etc').is_directory\n")
    asked = Servers(servers.cloud, servers.ids, [stranger, servers.addresses[1], gone], config, servers.folder)
    results, said = asked.pytest("goldfleet", specs)
    outcomes = {name.partition("[")[2].rstrip("]"): outcome for name, (outcome, _) in results.items()}
    assert outcomes == {stranger: "failure", servers.addresses[1]: "passed", gone: "failure"}
    assert f"admin@{stranger}: the host key of {stranger} is none of those pinned for it" in said
    assert f"admin@{gone}: connection refused: no sshd listens on port 22 of {gone}" in said
