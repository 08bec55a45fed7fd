"""The file system of a baked image, read without booting it, and two servers launched from it.

cloud-init and podman hide an unsealed image: at a boot keys are made anew, and podman fills an empty machine id. So the image
itself is read here, by looks of this file's own and not by the seal's rules, after a builder on which every trace was planted.
"""

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from tests.localcloud.bakes import bake_published, mounted_image, small_project
from tests.localcloud.conftest import ROOT, Cloud, wait_for

MARK = "trace-of-the-builder"
DEPLOYED = ("/srv/shop", "/srv/shop/css", "/srv/shop/css/main.css", "/srv/shop/css/uploads", "/srv/shop/index.html")
AGENT = "/opt/codedeploy-agent/deployment-root"
GROUP = "0f3a8c52-7e1d-4b7a-9a57-3f1f7c8d2e11"
PLANTED = (
    f"{AGENT}/{GROUP}/d-ABCDEFGHI/deployment-archive/appspec.yml",
    f"{AGENT}/deployment-instructions/{GROUP}_last_successful_install",
    f"{AGENT}/deployment-logs/codedeploy-agent-deployments.log",
    f"{AGENT}/ongoing-deployment/d-ABCDEFGHI",
    "/opt/codedeploy-agent/state/.pid/codedeploy-agent.pid",
    "/etc/codedeploy-agent/conf/codedeploy.onpremises.yml",
    "/etc/cron.d/codedeploy-agent-update",
    "/var/log/aws/codedeploy-agent/codedeploy-agent.log",
    "/var/lib/amazon/ssm/Vault/Store/RegistrationKey",
    "/srv/shop/index.html",
    "/srv/shop/css/main.css",
    "/root/.bash_history",
    "/root/.aws/credentials",
    "/root/.ssh/id_ed25519",
    "/home/admin/.bash_history",
    "/home/admin/.netrc",
    "/home/admin/.ssh/known_hosts",
    "/etc/ssl/private/ssl-cert-snakeoil.key",
    "/etc/machine-info",
    "/etc/nvme/hostid",
    "/etc/goldfleet/environment",
    "/var/backups/shadow.bak",
    "/var/lib/dhcp/dhclient.eth0.leases",
    "/var/lib/php/sessions/sess_a",
    "/var/lib/systemd/random-seed",
    "/var/lib/systemd/timers/stamp-x.timer",
    "/var/lib/chrony/chrony.drift",
    "/var/log/shop/access.log",
    "/var/log/shop/access.log.1",
    "/var/mail/admin",
    "/var/tmp/build",
    "/tmp/build",
)
KEPT = ("/srv/shop/uploads/photo.jpg", "/opt/codedeploy-agent/bin/codedeploy-agent", "/var/spool/cron/crontabs/deploy")
TRACES = f"""---
- name: Leave traces of a build
  ansible.builtin.shell: |
    set -eu
    plant() {{ mkdir -p "$(dirname "$1")"; printf '%s\\n' "$2" > "$1"; }}
    for path in {" ".join(PLANTED)}; do plant "$path" "{MARK} $path"; done
    for path in {" ".join(KEPT)}; do plant "$path" kept; done
    ln -s /srv/shop/uploads /srv/shop/css/uploads
    printf '%s\\n' {" ".join(DEPLOYED)} > {AGENT}/deployment-instructions/{GROUP}-cleanup
  changed_when: true
"""
WRITTEN_AT_SHUTDOWN = r"wtmp|lastlog|.*/php[\d.]*-fpm.log|php[\d.]*-fpm.log|unattended-upgrades/.*"
"""After the seal, by stopping the machine: decision 0010."""

GONE = (
    ("-path", "./etc/ssh/ssh_host_*"),
    ("-path", "./var/lib/cloud/*"),
    ("-path", f".{AGENT}/*"),
    ("-path", "./opt/codedeploy-agent/state/.pid/*"),
    ("-path", "./var/lib/amazon/ssm/*"),
    ("-path", "./var/lib/dhcp/*"),
    ("-path", "./var/lib/systemd/random-seed"),
    ("-path", "./var/lib/systemd/credential.secret"),
    ("-path", "./var/lib/systemd/timers/stamp-*"),
    ("-path", "./var/log/journal/*"),
    ("-path", "./var/cache/apt/archives/*.deb"),
    ("-path", "./var/lib/apt/lists/*_Packages*"),
    ("-path", "./tmp/*"),
    ("-path", "./var/tmp/*"),
    ("-path", "./etc/sudoers.d/90-cloud-init-users"),
    ("-name", "authorized_keys"),
    ("-name", "known_hosts"),
    ("-name", ".*_history"),
    ("-name", ".aws"),
    ("-name", ".ansible"),
    ("-name", "*onpremises*"),
    ("-name", "codedeploy-agent-update"),
    ("-path", "./etc/shadow-"),
)
SECRET = r"BEGIN [A-Z ]*PRIVATE KEY|AWS_SECRET_ACCESS_KEY|aws_secret_access_key"


@dataclass(frozen=True)
class Baked:
    """A baked image, mounted: its AMI, where its files are, what the bake printed, and the project."""

    image_id: str
    files: Path
    outcome: dict[str, Any]
    project: Path

    def find(self, *arguments: str) -> list[str]:
        """Run find in the image, on its own file systems only."""
        command = ["find", ".", "-xdev", *arguments]
        return subprocess.run(command, cwd=self.files, capture_output=True, text=True, check=True).stdout.splitlines()

    def grep(self, pattern: str, *folders: str) -> list[str]:
        """Return the files that hold a pattern; links are not followed."""
        command = [
            "grep",
            "--recursive",
            "--files-with-matches",
            "--devices=skip",
            "--extended-regexp",
            pattern,
            *folders,
        ]
        return subprocess.run(command, cwd=self.files, capture_output=True, text=True, check=False).stdout.splitlines()

    @property
    def manifest(self) -> dict[str, Any]:
        """The manifest in the image."""
        parsed: dict[str, Any] = json.loads((self.files / "usr/share/goldfleet/manifest.json").read_text())
        return parsed


def add_traces(project: Path) -> None:
    """Give a project a role that leaves traces."""
    tasks = project / "roles/leave_traces/tasks"
    tasks.mkdir(parents=True)
    (tasks / "main.yml").write_text(TRACES)
    (tasks.parent / "meta").mkdir()
    (tasks.parent / "meta/argument_specs.yml").write_text(
        "---\nargument_specs:\n  main: {short_description: Traces, options: {}}\n"
    )


def small(folder: Path) -> Path:
    """Return the small project with traces, right before the seal."""
    task = "- name: Leave traces\n      ansible.builtin.import_role:\n        name: leave_traces\n"
    project = small_project(folder, extra_task=task)
    add_traces(project)
    return project


def whole(folder: Path) -> Path:
    """Return the real project with traces, right before the seal; of its specs only the seal's."""
    for name in ("packer", "roles", "inventory", "playbooks"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("molecule", "__pycache__"))
    (folder / "tests/fleet").mkdir(parents=True)
    specs = ("tests/fleet/conftest.py", "tests/fleet/test_golden_seal.py")
    for name in ("requirements.yml", "ansible.cfg", "goldfleet.toml", *specs):
        shutil.copy(ROOT / name, folder / name)
    add_traces(folder)
    playbook = folder / "playbooks/golden_image.yml"
    text, seal = playbook.read_text(), "    - role: golden_seal"
    assert seal in text
    playbook.write_text(text.replace(seal, f"    - role: leave_traces\n{seal}"))
    return folder


@pytest.fixture(scope="module", params=[small, pytest.param(whole, marks=pytest.mark.long)], ids=["small", "whole"])
def baked(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Iterator[Baked]:
    """Bake a project on a builder full of traces, and mount the image."""
    project = request.param(tmp_path_factory.mktemp("project") / "p")
    outcome = bake_published(cloud, project)
    with mounted_image(cloud, outcome["image_id"]) as files:
        yield Baked(outcome["image_id"], files, outcome, project)


def test_no_planted_trace_is_left(baked: Baked) -> None:
    """The word that every planted file holds is in no file of the image."""
    assert baked.grep(MARK, ".") == []


@pytest.mark.parametrize("path", KEPT)
def test_what_belongs_to_the_image_is_kept(baked: Baked, path: str) -> None:
    """The seal takes what the agent deployed, not what lies beside it or behind a link that was deployed."""
    assert (baked.files / path[1:]).read_text() == "kept\n"


@pytest.mark.parametrize("look", GONE, ids=[look[1] for look in GONE])
def test_nothing_of_the_list_is_in_the_image(baked: Baked, look: tuple[str, str]) -> None:
    """A look of this test's own; the seal's rules are not asked."""
    assert baked.find(*look) == []


def test_machine_id_is_empty(baked: Baked) -> None:
    """And Debian's other name for it is a link, or nothing."""
    other = baked.files / "var/lib/dbus/machine-id"
    assert ((baked.files / "etc/machine-id").read_bytes(), other.is_symlink() or not other.exists()) == (b"", True)


def test_machine_id_of_the_builder_is_in_no_file(baked: Baked) -> None:
    """Every word that could be one is compared with the hash in the manifest."""
    wanted = baked.manifest["identity"]["machine_id"]
    assert len(wanted) == 64
    found = [
        str(path.relative_to(baked.files))
        for folder in ("etc", "var", "root", "home", "opt", "srv")
        for path in (baked.files / folder).rglob("*")
        if path.is_file() and not path.is_symlink() and path.stat().st_size < 1 << 20
        for word in re.findall(rb"[0-9a-f]{32}", path.read_bytes())
        if hashlib.sha256(word).hexdigest() == wanted
    ]
    assert found == []


@pytest.mark.parametrize("path", ["etc/hostname", "etc/machine-info"])
def test_image_has_no_host_name(baked: Baked, path: str) -> None:
    """Podman leaves an empty file where a machine's own was mounted."""
    file = baked.files / path
    assert (file.read_bytes() if file.exists() else b"") == b""


def test_host_name_of_the_builder_is_in_no_file(baked: Baked) -> None:
    """EC2 makes it of the address."""
    assert baked.grep(r"\bip(-[0-9]{1,3}){4}\b", "etc", "var", "root", "home", "opt", "srv") == []


def test_no_secret_is_where_people_write(baked: Baked) -> None:
    """Neither private keys nor AWS credentials; the program that looks for them names only their beginning."""
    assert baked.grep(SECRET, "etc", "root", "home", "opt", "srv", "var") == []


def test_no_account_has_a_password(baked: Baked) -> None:
    """A password in an image would open every server."""
    hashes = [line.split(":")[1] for line in (baked.files / "etc/shadow").read_text().splitlines()]
    assert [one for one in hashes if not one.startswith(("!", "*"))] == []


def test_logs_are_empty(baked: Baked) -> None:
    """But for what the machine writes when it is stopped, after the seal."""
    full = [path.removeprefix("./var/log/") for path in baked.find("-path", "./var/log/*", "-type", "f", "-size", "+0")]
    assert [path for path in full if not re.fullmatch(WRITTEN_AT_SHUTDOWN, path)] == []


def test_seals_own_check_says_the_same(baked: Baked) -> None:
    """The program as the image has it, on the mounted image."""
    program = baked.files / "usr/local/sbin/goldfleet-seal"
    command = ["/usr/bin/python3", "-I", str(program), "--check", "--json", "--root", str(baked.files)]
    left = json.loads(subprocess.run(command, capture_output=True, text=True, check=False).stdout)["left"]
    named = [(one["kind"], one["path"].removeprefix("/var/log/")) for one in left]
    assert [one for one in named if one[0] != "log" or not re.fullmatch(WRITTEN_AT_SHUTDOWN, one[1])] == []


@pytest.mark.parametrize("name", ["manifest.json", "sbom.cdx.json"])
def test_documents_beside_the_reports_are_those_of_the_image(baked: Baked, name: str) -> None:
    """And the bake names them."""
    path = f"{baked.outcome['reports']}/{name}"
    assert path in baked.outcome["documents"]
    assert (baked.project / path).read_bytes() == (baked.files / "usr/share/goldfleet" / name).read_bytes()


def test_sbom_is_valid_cyclonedx(baked: Baked) -> None:
    """By the schema that it names."""
    text = (baked.files / "usr/share/goldfleet/sbom.cdx.json").read_text()
    version = SchemaVersion.from_version(json.loads(text)["specVersion"])
    assert JsonStrictValidator(version).validate_str(text) is None


def test_sbom_has_each_package_of_the_image(baked: Baked) -> None:
    """By dpkg's own record in the image."""
    blocks = (baked.files / "var/lib/dpkg/status").read_text().split("\n\n")
    fields = [dict(re.findall(r"(?m)^(Package|Status|Version): (.*)$", block)) for block in blocks]
    installed = {one["Package"]: one["Version"] for one in fields if one.get("Status") == "install ok installed"}
    components = json.loads((baked.files / "usr/share/goldfleet/sbom.cdx.json").read_text())["components"]
    assert {one["name"]: one["version"] for one in components if "arch=source" not in one["purl"]} == installed


LOOK = """
echo "machine_id $(cat /etc/machine-id)"
echo "host_name $(hostname)"
for key in /etc/ssh/ssh_host_*_key.pub; do echo "host_key $(ssh-keygen -lf $key | cut -d' ' -f2)"; done
echo "agent $(find /opt/codedeploy-agent/deployment-root /srv/shop -mindepth 1 2>/dev/null | tr '\\n' ' ')"
"""


@pytest.fixture(scope="module")
def servers(baked: Baked, cloud: Cloud) -> Iterator[list[dict[str, set[str]]]]:
    """What two servers launched from the image say of themselves."""
    launched = cloud.launch(image=baked.image_id, count=2)
    try:
        yield [look_at(cloud, instance_id) for instance_id in launched]
    finally:
        cloud.terminate(*launched)


def look_at(cloud: Cloud, instance_id: str) -> dict[str, set[str]]:
    """Return a server's identity once it has booted."""
    wait_for(
        f"boot of {instance_id}",
        lambda: "done" in cloud.ssh(instance_id, "cloud-init status --wait", check=False).stdout,
        120,
    )
    seen: dict[str, set[str]] = {}
    for line in cloud.ssh(instance_id, LOOK).stdout.splitlines():
        fact, _, value = line.partition(" ")
        seen.setdefault(fact, set()).add(value.strip())
    return seen


@pytest.mark.parametrize("fact", ["machine_id", "host_name", "host_key"])
def test_two_servers_share_no_identity(servers: list[dict[str, set[str]]], fact: str) -> None:
    """Each has its own."""
    first, second = servers
    assert first[fact]
    assert first[fact] & second[fact] == set()


def test_servers_have_nothing_of_the_builders_identity(servers: list[dict[str, set[str]]], baked: Baked) -> None:
    """Compared with the hashes that the manifest keeps."""
    of_builder = {baked.manifest["identity"]["machine_id"], *baked.manifest["identity"]["host_keys"]}
    assert len(of_builder) >= 2
    for seen in servers:
        hashed = {hashlib.sha256(one.encode()).hexdigest() for one in seen["machine_id"]}
        assert (hashed | seen["host_key"]) & of_builder == set()


def test_servers_have_no_state_of_an_agent(servers: list[dict[str, set[str]]]) -> None:
    """Only what nobody deployed is there."""
    assert [seen["agent"] for seen in servers] == [{"/srv/shop/uploads /srv/shop/uploads/photo.jpg"}] * 2
