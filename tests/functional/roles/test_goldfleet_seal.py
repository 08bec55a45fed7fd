"""The seal program of role golden_seal on file systems with one planted leftover each (`--root`); on machines: tests/fleet."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

PROGRAM = Path(__file__).resolve().parents[3] / "roles/golden_seal/files/goldfleet-seal"
LEFTOVERS = {
    "boot/efi/loader/random-seed": "random seed",
    "boot/loader/random-seed": "random seed",
    "etc/codedeploy-agent/conf/codedeploy.onpremises.yml": "agent identity",
    "etc/cron.d/codedeploy-agent-update": "agent updater",
    "etc/goldfleet/environment": "launch setting",
    "etc/group-": "copy of accounts",
    "etc/gshadow-": "copy of accounts",
    "etc/hostid": "machine id",
    "etc/hostname": "host name",
    "etc/krb5.keytab": "credentials",
    "etc/machine-info": "host name",
    "etc/netplan/50-cloud-init.yaml": "cloud-init configuration of the builder",
    "etc/network/interfaces.d/50-cloud-init": "cloud-init configuration of the builder",
    "etc/NetworkManager/system-connections/cloud-init-eth0.nmconnection": "cloud-init configuration of the builder",
    "etc/nvme/hostid": "machine id",
    "etc/nvme/hostnqn": "machine id",
    "etc/passwd-": "copy of accounts",
    "etc/shadow-": "copy of accounts",
    "etc/ssh/ssh_host_ed25519_key": "ssh host key",
    "etc/ssh/ssh_host_rsa_key.pub": "ssh host key",
    "etc/ssh/sshd_config.d/50-cloud-init.conf": "cloud-init configuration of the builder",
    "etc/ssl/certs/ssl-cert-snakeoil.pem": "tls key of the builder",
    "etc/ssl/private/ssl-cert-snakeoil.key": "tls key of the builder",
    "etc/subgid-": "copy of accounts",
    "etc/subuid-": "copy of accounts",
    "etc/sudoers.d/90-cloud-init-users": "right of the login user",
    "etc/systemd/network/10-cloud-init-eth0.network": "cloud-init configuration of the builder",
    "etc/udev/rules.d/70-persistent-net.rules": "network card of the builder",
    "home/admin/.ansible/tmp/x": "trace of the build",
    "home/admin/.aws/credentials": "credentials",
    "home/admin/.azure/token": "credentials",
    "home/admin/.bash_history": "shell history",
    "home/admin/.cache/pip/x": "trace of the build",
    "home/admin/.config/gcloud/credentials.db": "credentials",
    "home/admin/.git-credentials": "credentials",
    "home/admin/.kube/config": "credentials",
    "home/admin/.lesshst": "shell history",
    "home/admin/.my.cnf": "credentials",
    "home/admin/.npmrc": "credentials",
    "home/admin/.pgpass": "credentials",
    "home/admin/.pypirc": "credentials",
    "home/admin/.ssh/authorized_keys": "key that lets someone in",
    "home/admin/.ssh/environment": "credentials",
    "home/admin/.ssh/id_ed25519": "credentials",
    "home/admin/.ssh/known_hosts": "trace of the build",
    "home/admin/.vault-token": "credentials",
    "home/admin/.viminfo": "shell history",
    "home/admin/.wget-hsts": "shell history",
    "home/admin/.Xauthority": "trace of the build",
    "opt/codedeploy-agent/deployment-root/deployment-logs/codedeploy-agent-deployments.log": "agent state",
    "opt/codedeploy-agent/deployment-root/ongoing-deployment/d-ABC": "agent state",
    "opt/codedeploy-agent/state/.pid/codedeploy-agent.pid": "agent state",
    "root/.bash_history": "shell history",
    "root/.config/gh/hosts.yml": "credentials",
    "root/.docker/config.json": "credentials",
    "root/.netrc": "credentials",
    "root/.python_history": "shell history",
    "root/.ssh/authorized_keys2": "key that lets someone in",
    "srv/app/.ssh/authorized_keys": "key that lets someone in",
    "tmp/.hidden": "temporary file",
    "tmp/codedeploy-agent.update.log": "temporary file",
    "tmp/script_1.sh": "temporary file",
    "var/backups/shadow.bak": "backup",
    "var/cache/apt/archives/nginx.deb": "package cache",
    "var/cache/apt/archives/partial/nginx.deb": "package cache",
    "var/cache/apt/pkgcache.bin": "package cache",
    "var/cache/nginx/proxy/0a": "cached request",
    "var/crash/nginx.crash": "crash report",
    "var/lib/amazon/ssm/registration": "agent registration",
    "var/lib/apt/lists/mirror_Packages.lz4": "package list",
    "var/lib/apt/lists/partial/x": "package list",
    "var/lib/apt/periodic/update-success-stamp": "stale state",
    "var/lib/chrony/chrony.drift": "stale state",
    "var/lib/chrony/servers.dat": "stale state",
    "var/lib/cloud/data/instance-id": "cloud-init state",
    "var/lib/dbus/machine-id": "machine id",
    "var/lib/dhclient/dhclient.leases": "lease",
    "var/lib/dhcp/dhclient.eth0.leases": "lease",
    "var/lib/dhcpcd/eth0.lease": "lease",
    "var/lib/ecs/data/agent.db": "agent registration",
    "var/lib/logrotate.status": "stale state",
    "var/lib/logrotate/status": "stale state",
    "var/lib/misc/dnsmasq.leases": "lease",
    "var/lib/mlocate/mlocate.db": "stale state",
    "var/lib/NetworkManager/secret_key": "lease",
    "var/lib/nginx/body/0000000001": "cached request",
    "var/lib/ntpsec/ntp.drift": "stale state",
    "var/lib/php/sessions/sess_abc": "session",
    "var/lib/plocate/plocate.db": "stale state",
    "var/lib/sudo/lectured/admin": "trace of the build",
    "var/lib/sudo/ts/admin": "trace of the build",
    "var/lib/systemd/coredump/core.1": "crash report",
    "var/lib/systemd/credential.secret": "random seed",
    "var/lib/systemd/network/leases": "lease",
    "var/lib/systemd/pstore/1/dmesg.txt": "crash report",
    "var/lib/systemd/random-seed": "random seed",
    "var/lib/systemd/timers/stamp-apt-daily.timer": "stale state",
    "var/lib/ubuntu-advantage/private/machine-token.json": "agent registration",
    "var/lib/urandom/random-seed": "random seed",
    "var/log/amazon/ssm/amazon-ssm-agent.log": "agent log",
    "var/log/app.log-20261128": "rotated log",
    "var/log/app/deep/error.log": "log",
    "var/log/aws/codedeploy-agent/codedeploy-agent.log": "agent log",
    "var/log/dmesg.old": "rotated log",
    "var/log/journal/0123/system.journal": "journal",
    "var/log/nginx/access.log": "log",
    "var/log/syslog.1": "rotated log",
    "var/log/syslog.2.gz": "rotated log",
    "var/log/syslog.3.xz": "rotated log",
    "var/log/wtmp": "log",
    "var/mail/admin": "mail",
    "var/snap/amazon-ssm-agent/common/registration": "agent registration",
    "var/spool/anacron/cron.daily": "stale state",
    "var/spool/cron/atjobs/a0000101b": "scheduled job",
    "var/spool/cron/atspool/a0000101b": "scheduled job",
    "var/spool/exim4/input/1abc-D": "mail",
    "var/spool/exim4/msglog/1abc": "mail",
    "var/spool/postfix/active/A/ABC": "mail",
    "var/spool/postfix/bounce/A/ABC": "mail",
    "var/spool/postfix/corrupt/A/ABC": "mail",
    "var/spool/postfix/defer/A/ABC": "mail",
    "var/spool/postfix/deferred/A/ABC": "mail",
    "var/spool/postfix/hold/A/ABC": "mail",
    "var/spool/postfix/incoming/A/ABC": "mail",
    "var/spool/postfix/maildrop/A/ABC": "mail",
    "var/tmp/build": "temporary file",
}
KEPT = (
    "etc/codedeploy-agent/conf/codedeployagent.yml",
    "etc/goldfleet/backends.d/database-main.json",
    "etc/hosts",
    "etc/NetworkManager/system-connections/office",
    "etc/ssh/authorized_keys.d/deploy",
    "etc/ssh/sshd_config",
    "etc/sudoers.d/goldfleet",
    "home/admin/.bashrc",
    "home/admin/.profile",
    "home/admin/.ssh/config",
    "opt/codedeploy-agent/.version",
    "opt/codedeploy-agent/bin/codedeploy-agent",
    "tmp/systemd-private-1-nginx.service-x/tmp/upload",
    "usr/share/goldfleet/manifest.json",
    "var/lib/apt/lists/lock",
    "var/lib/dpkg/status",
    "var/lib/systemd/timesync/clock",
    "var/spool/cron/atjobs/.SEQ",
    "var/spool/cron/crontabs/deploy",
    "var/www/example.com/current/index.php",
)


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A sealed image: everything that belongs there, nothing that does not."""
    for path in KEPT:
        plant(tmp_path, path)
    plant(
        tmp_path,
        "etc/passwd",
        "root:x:0:0::/root:/bin/sh\nbin:x:2:2::/bin:/bin/sh\napp:x:1001:1001::/srv/app:/bin/sh\n",
    )
    plant(tmp_path, "etc/machine-id", "")
    plant(tmp_path, "var/log/dpkg.log", "")
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "bin").symlink_to("usr/bin")
    return tmp_path


@pytest.fixture
def seal_module(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program's list."""
    monkeypatch.syspath_prepend(str(PROGRAM.parent))
    return importlib.import_module("goldfleet_seal.rules")


def plant(image: Path, path: str, text: str = "planted\n") -> Path:
    """Write a file into the image."""
    file = image / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def run_seal(image: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the program on the image."""
    command = [str(PROGRAM), "--root", str(image), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def find_left(image: Path) -> list[tuple[str, str]]:
    """Return (kind, path) of what the check finds."""
    left = json.loads(run_seal(image, "--check", "--json").stdout)["left"]
    return [(one["kind"], one["path"]) for one in left]


def test_sealed_image_passes(image: Path) -> None:
    """What belongs into an image is no leftover."""
    assert (run_seal(image, "--check").returncode, find_left(image)) == (0, [])


@pytest.mark.parametrize("path", LEFTOVERS)
def test_leftover_is_named_by_its_kind(image: Path, path: str) -> None:
    """Exactly one leftover is found, and it is the planted one or the folder that holds it."""
    plant(image, path)
    ((kind, found),) = find_left(image)
    assert (kind, f"/{path}".startswith(found)) == (LEFTOVERS[path], True)


def test_every_pattern_has_a_planted_leftover(image: Path, seal_module: ModuleType) -> None:
    """A pattern that is dropped or misspelt is noticed."""
    for path in (*LEFTOVERS, "etc/machine-id", "etc/iscsi/initiatorname.iscsi", "swapfile", "swap.img", "var/swapfile"):
        plant(image, path)
    tree = importlib.import_module("goldfleet_seal.tree").Tree(str(image))
    patterns = [pattern for rule in seal_module.RULES for pattern in rule.patterns]
    assert [pattern for pattern in patterns if not list(tree.expand(pattern))] == []


def test_identity_of_a_server_on_premises_goes_from_where_the_agent_has_it(image: Path) -> None:
    """The agent's configuration may move the file."""
    plant(
        image,
        "etc/codedeploy-agent/conf/codedeployagent.yml",
        ":on_premises_config_file: '/etc/agent/on-premises.yml'\n",
    )
    plant(image, "etc/agent/on-premises.yml", "---\niam_user_arn: arn:aws:iam::123456789012:user/x\n")
    assert find_left(image) == [("agent identity", "/etc/agent/on-premises.yml")]
    assert run_seal(image).returncode == 0
    assert not (image / "etc/agent/on-premises.yml").exists()


def test_file_that_holds_no_identity_stays_wherever_the_agent_looks_for_it(image: Path) -> None:
    """A configuration that names a system's file must not have it removed."""
    plant(image, "etc/codedeploy-agent/conf/codedeployagent.yml", ":on_premises_config_file: /etc/hosts\n")
    assert (run_seal(image).returncode, (image / "etc/hosts").is_file()) == (0, True)


@pytest.mark.parametrize("path", ["root/.bash_history", "var/log/wtmp", "home/admin/.ssh/authorized_keys"])
def test_check_fails_with_a_line(image: Path, path: str) -> None:
    """A person sees one line for the leftover, a program an exit code."""
    plant(image, path)
    seen = run_seal(image, "--check")
    assert (seen.returncode, len(seen.stdout.splitlines())) == (6, 2)


@pytest.mark.parametrize("path", LEFTOVERS)
def test_seal_removes_the_leftover(image: Path, path: str) -> None:
    """What the check names the seal removes."""
    plant(image, path)
    assert (run_seal(image).returncode, find_left(image)) == (0, [])


def test_seal_keeps_what_belongs_to_the_image(image: Path) -> None:
    """With everything planted at once, nothing else goes."""
    for path in LEFTOVERS:
        plant(image, path)
    run_seal(image)
    assert [path for path in KEPT if not (image / path).is_file()] == []


def test_second_seal_removes_nothing(image: Path) -> None:
    """Sealing twice is sealing once."""
    plant(image, "root/.bash_history")
    run_seal(image)
    assert json.loads(run_seal(image, "--json").stdout) == {"sealed": True, "removed": [], "left": []}


def test_machine_id_is_emptied_not_removed(image: Path) -> None:
    """A missing file would make systemd take the next boot for a first one."""
    file = plant(image, "etc/machine-id", "0123456789abcdef0123456789abcdef\n")
    run_seal(image)
    assert file.read_text(encoding="utf-8") == ""


def test_uninitialized_machine_id_is_no_leftover(image: Path) -> None:
    """cloud-init's own way to empty the file identifies nobody."""
    plant(image, "etc/machine-id", "uninitialized\n")
    assert find_left(image) == []


def test_initiator_name_becomes_one_that_is_made_at_boot(image: Path) -> None:
    """open-iscsi refuses to start without the file."""
    file = plant(image, "etc/iscsi/initiatorname.iscsi", "## made here\nInitiatorName=iqn.1993-08.org.debian:01:abc\n")
    assert find_left(image) == [("machine id", "/etc/iscsi/initiatorname.iscsi")]
    run_seal(image)
    assert (find_left(image), file.read_text(encoding="utf-8")) == ([], "GenerateName=yes\n")


def test_swap_file_is_reported_and_stays(image: Path) -> None:
    """It may hold the builder's memory, and /etc/fstab may need it: whoever made it has to say."""
    file = plant(image, "swapfile")
    assert (run_seal(image).returncode, find_left(image)) == (6, [("memory of the builder", "/swapfile")])
    assert file.is_file()


def test_empty_host_name_is_no_leftover(image: Path) -> None:
    """It names nobody."""
    plant(image, "etc/hostname", "\n")
    assert find_left(image) == []


def test_log_starting_with_blank_lines_is_a_leftover(image: Path) -> None:
    """A log counts by its size."""
    plant(image, "var/log/app.log", "\n" * 100 + "secret")
    assert find_left(image) == [("log", "/var/log/app.log")]


def test_linked_keys_are_unlinked_and_their_target_stays(image: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The link goes; what it points at is not the image's."""
    outside = plant(tmp_path_factory.mktemp("outside"), "keys")
    (image / "home/admin/.ssh/authorized_keys").symlink_to(outside)
    run_seal(image)
    assert (find_left(image), outside.read_text(encoding="utf-8")) == ([], "planted\n")


@pytest.mark.parametrize("folder", ["home/web/.ssh", "home/web", "var/crash"])
def test_link_in_the_way_is_reported_and_not_followed(
    image: Path, folder: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nobody can say what lies behind a link: the seal fails, and leaves it alone."""
    outside = tmp_path_factory.mktemp("outside")
    for name in ("authorized_keys", ".bash_history", ".ssh/authorized_keys", "x.crash"):
        plant(outside, name)
    (image / folder).parent.mkdir(parents=True, exist_ok=True)
    (image / folder).symlink_to(outside)
    seen = run_seal(image)
    assert (seen.returncode, f"/{folder}" in seen.stdout, len(list(outside.rglob("*")))) == (6, True, 5)


def test_linked_log_folder_inside_logs_is_not_followed(image: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Logs that live elsewhere are not emptied through a link."""
    outside = plant(tmp_path_factory.mktemp("outside"), "share.log")
    (image / "var/log/share").symlink_to(outside.parent)
    run_seal(image)
    assert outside.read_text(encoding="utf-8") == "planted\n"


def test_failed_seal_keeps_the_way_in(image: Path) -> None:
    """While something else is left the keys stay, so that somebody can look."""
    key = plant(image, "home/admin/.ssh/authorized_keys")
    (image / "var/crash").symlink_to("/nowhere")
    assert (run_seal(image).returncode, key.is_file()) == (6, True)


def test_folder_that_does_not_exist_is_a_usage_error(tmp_path: Path) -> None:
    """A typing error is no sealed image."""
    assert run_seal(tmp_path / "nowhere", "--check").returncode == 2


@pytest.mark.parametrize("options", [("--check",), ("--json",)])
def test_unreadable_image_is_refused(image: Path, options: tuple[str, ...], request: pytest.FixtureRequest) -> None:
    """Who may not look cannot say that nothing is there."""
    (image / "root").mkdir()
    (image / "root").chmod(0)
    request.addfinalizer(lambda: (image / "root").chmod(0o700))
    powerless = ["setpriv", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []
    command = [*powerless, str(PROGRAM), "--root", str(image), *options]
    seen = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (seen.returncode, "Run it as root." in seen.stderr) == (3, True)
