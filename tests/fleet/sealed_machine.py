"""Promises of a machine that was sealed and not started since: the builder, just before its image is taken.

Not named test_*: on a server launched from the image these would rightly fail, since it has an identity again.
Molecule runs it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

CHECK = "/usr/local/sbin/goldfleet-seal --check"
SEEDED = {
    "/root/.bash_history": "shell history",
    "/root/.aws/credentials": "credentials",
    "/var/lib/cloud/instances/i-1/sem": "cloud-init state",
    "/var/lib/systemd/random-seed": "random seed",
    "/var/log/app/error.log": "log",
    "/var/tmp/build.sh": "temporary file",
    "/etc/ssh/ssh_host_ed25519_key": "ssh host key",
    "/opt/codedeploy-agent/deployment-root/ongoing-deployment/d-1": "agent state",
    "/etc/codedeploy-agent/conf/codedeploy.onpremises.yml": "agent identity",
    "/var/lib/amazon/ssm/registration": "agent registration",
    "/etc/ssl/private/ssl-cert-snakeoil.key": "tls key of the builder",
    "/etc/goldfleet/environment": "launch setting",
    "/var/lib/systemd/timers/stamp-x.timer": "stale state",
    "/root/.ssh/authorized_keys": "key that lets someone in",
}
MANIFEST = "/usr/share/goldfleet/manifest.json"
SBOM = "/usr/share/goldfleet/sbom.cdx.json"
STATES = "/var/lib/apt/extended_states"
DEPLOYED = "/srv/goldfleet-test/index.html"
AGENT_LIST = "/opt/codedeploy-agent/deployment-root/deployment-instructions/g-cleanup"
AGENT = "codedeploy-agent.service"
AGENT_UNIT = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"


@pytest.fixture
def seed(request: pytest.FixtureRequest, host: Any) -> Iterator[str]:
    """Plant one leftover, and take it away again by sealing."""
    path: str = request.param
    host.check_output("install -D /dev/null %s && echo planted > %s", path, path)
    yield path
    host.check_output("/usr/local/sbin/goldfleet-seal")


def test_nothing_is_left(host: Any) -> None:
    """The check finds the machine sealed."""
    assert host.check_output(CHECK) == "goldfleet-seal: sealed"


@pytest.mark.parametrize("seed", SEEDED, indirect=True)
def test_planted_leftover_is_named(seed: str, host: Any) -> None:
    """The check fails and names what was planted, by its kind."""
    seen = host.run(CHECK)
    assert (seen.rc, [line for line in seen.stdout.splitlines() if line.startswith(SEEDED[seed])] != []) == (6, True)


def test_secret_in_a_file_is_named_and_stays(host: Any) -> None:
    """The check fails; whoever put it there has to take it away."""
    host.check_output("install -d /etc/goldfleet")
    host.check_output('echo \'{"password": "hunter2"}\' > /etc/goldfleet/test.json')
    seen = (host.run("/usr/local/sbin/goldfleet-seal").rc, host.run(CHECK).stdout.splitlines()[0])
    host.check_output("rm /etc/goldfleet/test.json")
    assert seen == (6, "password in a file: /etc/goldfleet/test.json")


def test_deployed_file_goes_with_the_agents_state(host: Any) -> None:
    """Either alone would fail every deployment on a launched server."""
    host.check_output(f"install -D /dev/null {DEPLOYED}")
    host.check_output(f"install -D /dev/null {AGENT_LIST}")
    host.check_output(f"printf '%s\\n' {Path(DEPLOYED).parent} {DEPLOYED} > {AGENT_LIST}")
    assert host.run(CHECK).stdout.splitlines()[0] == f"deployed file: {DEPLOYED}"
    host.check_output("/usr/local/sbin/goldfleet-seal")
    gone = (str(Path(DEPLOYED).parent), AGENT_LIST)
    assert [host.file(path).exists for path in gone] == [False, False]


@pytest.fixture
def agent(host: Any) -> Iterator[None]:
    """Run something under the name of the agent's service."""
    host.check_output("printf %s > /etc/systemd/system/%s", AGENT_UNIT.replace("\n", "\\n"), AGENT)
    host.check_output("systemctl daemon-reload && systemctl --quiet enable --now %s", AGENT)
    yield
    host.check_output("systemctl --quiet disable --now %s; rm /etc/systemd/system/%s", AGENT, AGENT)
    host.check_output("systemctl daemon-reload")


def test_running_agent_is_named_stopped_and_stays_enabled(host: Any, agent: None) -> None:
    """It must not write while the image is taken, and must start on each server."""
    assert host.run(CHECK).stdout.splitlines()[0] == f"running agent: {AGENT}"
    host.check_output("/usr/local/sbin/goldfleet-seal")
    assert host.run(f"systemctl is-active {AGENT}; systemctl is-enabled {AGENT}").stdout == "inactive\nenabled\n"


def test_check_prints_json(host: Any) -> None:
    """A program can read the result."""
    assert json.loads(host.check_output(f"{CHECK} --json")) == {"sealed": True, "removed": [], "left": []}


def test_machine_id_is_empty(host: Any) -> None:
    """Empty, not `uninitialized`: systemd would take the next boot for a first one and enable every unit again."""
    assert host.check_output("stat --format=%s /etc/machine-id") == "0"


def test_journal_stays_in_memory(host: Any) -> None:
    """Whatever is logged from here on does not reach the image."""
    assert host.check_output("ls -A /var/log/journal") == ""


@pytest.mark.parametrize(
    ("path", "mode"),
    [
        ("/usr/local/sbin/goldfleet-seal", "755"),
        ("/usr/local/lib/goldfleet/goldfleet_seal", "755"),
        ("/usr/local/lib/goldfleet/goldfleet_seal/rules.py", "644"),
        ("/usr/local/lib/goldfleet/goldfleet_seal/tree.py", "644"),
        ("/usr/local/lib/goldfleet/goldfleet_seal/deployed.py", "644"),
        ("/usr/local/lib/goldfleet/goldfleet_seal/secrets.py", "644"),
    ],
)
def test_seal_program_belongs_to_root(path: str, mode: str, host: Any) -> None:
    """A program that sudo runs for others cannot be replaced by them."""
    assert host.check_output("stat --format='%%a %%U %%G' %s", path) == f"{mode} root root"


def test_only_the_wanted_files_may_hold_secrets(host: Any, variables: dict[str, Any]) -> None:
    """Who bakes has said which; nothing of an earlier run is left."""
    lines = host.check_output("cat /usr/local/lib/goldfleet/goldfleet_seal/allowed.txt").splitlines()
    assert [line for line in lines if not line.startswith("#")] == variables["golden_seal_allowed_secrets"]


def test_check_is_open_to_the_group_only(host: Any, variables: dict[str, Any]) -> None:
    """The group may look, in these two ways, and no more."""
    program = "/usr/local/sbin/goldfleet-seal --check"
    rule = f"%{variables['golden_seal_check_group']} ALL=(root) NOPASSWD: {program}, {program} --json"
    assert host.check_output("grep -v '^#' /etc/sudoers.d/goldfleet-seal") == rule


@pytest.mark.parametrize(
    ("path", "mode"),
    [("/usr/local/lib/goldfleet/goldfleet_seal/allowed.txt", "644"), ("/etc/sudoers.d/goldfleet-seal", "440")],
)
def test_only_root_may_say_what_the_seal_allows(path: str, mode: str, host: Any) -> None:
    """Else whoever works on the builder could have the check pass over a secret, or give themselves more than a look."""
    assert host.check_output("stat --format='%%a %%U %%G' %s", path) == f"{mode} root root"


@pytest.mark.parametrize("fact", ["image", "run", "commit", "source_ami", "fingerprint"])
def test_manifest_names_the_bake(fact: str, manifest: dict[str, Any], variables: dict[str, Any]) -> None:
    """The manifest says which bake this was; what it did not know is null."""
    assert manifest[fact] == (variables[f"golden_seal_{fact}"] or None)


@pytest.mark.parametrize("fact", ["machine_id", "host_keys"])
def test_manifest_keeps_the_builders_identity(fact: str, manifest: dict[str, Any]) -> None:
    """The hashes were taken before the seal, and a second run has kept them."""
    assert manifest["identity"][fact]


@pytest.fixture(scope="module")
def sbom(host: Any) -> dict[str, Any]:
    """The SBOM as written."""
    parsed: dict[str, Any] = json.loads(host.check_output("cat %s", SBOM))
    return parsed


def test_sbom_has_exactly_the_installed_packages(host: Any, sbom: dict[str, Any]) -> None:
    """Each is a component in its version; source packages are listed besides."""
    shown = host.check_output("dpkg-query --show --showformat='${db:Status-Status} ${Package} ${Version}\\n'")
    installed = [line.split()[1:] for line in shown.splitlines() if line.startswith("installed ")]
    binary = [one for one in sbom["components"] if not one["purl"].endswith("arch=source")]
    assert sorted([one["name"], one["version"]] for one in binary) == sorted(installed)


def test_sbom_tells_what_was_chosen_from_what_came_along(host: Any, sbom: dict[str, Any]) -> None:
    """The image rests on packages that somebody installed and on those that no system is without; others came along."""
    names = {one["bom-ref"]: one["name"] for one in sbom["components"]}
    (rests,) = (
        one["dependsOn"] for one in sbom["dependencies"] if one["ref"] == sbom["metadata"]["component"]["bom-ref"]
    )
    shown = host.check_output(
        "dpkg-query --show --showformat='${db:Status-Status} ${Package} ${Essential} ${Priority}\\n'"
    )
    installed = [line.split()[1:] for line in shown.splitlines() if line.startswith("installed ")]
    # Not by apt-mark, which would write a package cache.
    blocks = host.check_output("cat %s", STATES).split("\n\n")
    states = [dict(line.split(": ", 1) for line in block.splitlines()) for block in blocks]
    along = {one["Package"] for one in states if one.get("Auto-Installed") == "1"}
    needed = {name for name, essential, priority in installed if essential == "yes" or priority == "required"}
    assert {names[one] for one in rests} == needed | ({name for name, *_ in installed} - along)


def test_sbom_names_image_and_run(sbom: dict[str, Any], variables: dict[str, Any]) -> None:
    """It describes this image; what the bake did not know is left out."""
    described = sbom["metadata"]["component"]
    wanted = (variables["golden_seal_image"] or "unnamed image", variables["golden_seal_run"] or None)
    assert (described["name"], described.get("version")) == wanted


@pytest.mark.parametrize("fact", ["commit", "source_ami"])
def test_sbom_says_where_the_image_comes_from(fact: str, sbom: dict[str, Any], variables: dict[str, Any]) -> None:
    """Commit and base AMI, where the bake knew them."""
    named = {one["name"]: one["value"] for one in sbom["metadata"].get("properties", [])}
    assert named.get(f"goldfleet:{fact.replace('_', '-')}") == (variables[f"golden_seal_{fact}"] or None)


@pytest.mark.parametrize("path", [MANIFEST, SBOM])
def test_everybody_may_read_what_the_image_is_made_of(path: str, host: Any) -> None:
    """Programs that show it need no rights."""
    assert host.check_output("stat --format='%%a %%U %%G' %s", path) == "644 root root"


def test_copies_are_where_they_were_wanted(host: Any, variables: dict[str, Any]) -> None:
    """Manifest and SBOM are beside the reports, as the image has them; nowhere when no folder is named."""
    folder = variables["golden_seal_copy_folder"]
    wanted = {Path(path).name: host.check_output("cat %s", path) for path in (MANIFEST, SBOM)} if folder else {}
    copies = sorted(Path(folder).iterdir()) if folder else []
    assert {path.name: path.read_text(encoding="utf-8").rstrip("\n") for path in copies} == wanted


def test_manifest_says_what_listens_at_boot(manifest: dict[str, Any]) -> None:
    """The SSH server at least, with its unit."""
    assert {"protocol": "tcp", "port": 22, "address": "0.0.0.0", "process": "sshd", "unit": "ssh.service"} in manifest[
        "listening"
    ]


def test_manifest_says_who_has_an_account(host: Any, manifest: dict[str, Any]) -> None:
    """Every account, system accounts too."""
    names = [line.split(":")[0] for line in host.check_output("cat /etc/passwd").splitlines()]
    assert [one["name"] for one in manifest["users"]] == sorted(names)


def test_manifest_knows_a_locked_password(manifest: dict[str, Any]) -> None:
    """root has none here."""
    (root,) = (one for one in manifest["users"] if one["name"] == "root")
    assert root == {
        "name": "root",
        "uid": 0,
        "gid": 0,
        "home": "/root",
        "shell": "/bin/bash",
        "system": True,
        "password_locked": True,
    }
