"""A server with role base, all hardening on, after a reboot: who gets in, who does not, and what cloud-init leaves alone."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.localcloud.conftest import Cloud

PLAYBOOK = """---
- name: Configure one server with role base
  hosts: app_servers
  become: true
  gather_subset: ["!all", "!min", distribution, env, service_mgr]
  roles:
    - role: base
"""
REFUSED = "Permission denied (publickey)."


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Five private keys that no server knows."""
    folder = tmp_path_factory.mktemp("stranger")
    keys = [folder / f"key{number}" for number in range(5)]
    for key in keys:
        subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(key)], check=True)
    return keys


@pytest.fixture(scope="module")
def server(cloud: Cloud, stranger: list[Path], tmp_path_factory: pytest.TempPathFactory) -> str:
    """A server that let the stranger in as administrator ada, was configured again without her, and was rebooted."""
    (instance_id,) = cloud.launch()
    cloud.wait_state(instance_id, "running")
    cloud.pinned_host_keys(instance_id)
    playbook = tmp_path_factory.mktemp("play") / "base.yml"
    playbook.write_text(PLAYBOOK)
    cloud.ssh(instance_id, "echo enabled=1 | sudo tee /etc/default/apport")
    public_key = stranger[0].with_suffix(".pub").read_text().strip()
    configure(cloud, instance_id, playbook, {"base_admin_users": [{"name": "ada", "authorized_keys": [public_key]}]})
    assert login(cloud, instance_id, "ada", stranger[:1], "sudo -n id -un").stdout == "root\n"
    configure(cloud, instance_id, playbook, {})

    first = cloud.boot(instance_id)
    cloud.aws("ec2", "reboot-instances", "--instance-ids", instance_id)
    cloud.wait_for_another_boot(instance_id, first)
    return instance_id


def configure(cloud: Cloud, instance_id: str, playbook: Path, settings: dict[str, Any]) -> None:
    """Run the playbook on the server; POSIX is a language that cloud-init would not choose."""
    done = cloud.play(instance_id, playbook, settings | {"base_locale": "POSIX"})
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr


def login(
    cloud: Cloud, instance_id: str, user: str, keys: list[Path], command: str, *options: str
) -> subprocess.CompletedProcess[str]:
    """Try to run a command as a user with these keys and no other; the host's key is checked."""
    known_hosts = cloud.pinned_host_keys(instance_id)
    address = cloud.instance(instance_id)["PrivateIpAddress"]
    given = (f"UserKnownHostsFile={known_hosts}", "StrictHostKeyChecking=yes", "ConnectTimeout=5", "BatchMode=yes",
             "IdentitiesOnly=yes", "IdentityAgent=none", *options)  # fmt: skip
    return cloud.run(
        "ssh", "-F", "none", *(part for key in keys for part in ("-i", str(key))),
        *(part for option in given for part in ("-o", option)), f"{user}@{address}", command, check=False,
    )  # fmt: skip


def test_right_key_gets_in_and_may_use_sudo(cloud: Cloud, server: str) -> None:
    assert login(cloud, server, "admin", [cloud.key_file], "sudo -n id -un").stdout == "root\n"


def test_wrong_key_does_not_get_in(cloud: Cloud, server: str, stranger: list[Path]) -> None:
    assert REFUSED in login(cloud, server, "admin", stranger[:1], "true").stderr


def test_administrator_who_is_no_longer_listed_does_not_get_in(cloud: Cloud, server: str, stranger: list[Path]) -> None:
    assert REFUSED in login(cloud, server, "ada", stranger[:1], "true").stderr
    assert (
        cloud.ssh(server, "sudo ls /etc/ssh/authorized_keys.d && sudo grep -r ada /etc/sudoers.d", check=False).stdout
        == ""
    )


@pytest.mark.parametrize("user", ["admin", "deploy", "root"])
def test_password_is_not_even_offered(cloud: Cloud, server: str, user: str) -> None:
    options = ("PubkeyAuthentication=no", "PreferredAuthentications=password,keyboard-interactive")
    assert REFUSED in login(cloud, server, user, [], "true", *options).stderr


def test_root_gets_in_with_a_key_as_configured(cloud: Cloud, server: str) -> None:
    cloud.ssh(server, "sudo install -D -m 0600 ~/.ssh/authorized_keys /root/.ssh/authorized_keys")
    assert login(cloud, server, "root", [cloud.key_file], "id -un").stdout == "root\n"


def test_fifth_wrong_key_is_one_too_many(cloud: Cloud, server: str, stranger: list[Path]) -> None:
    assert "Too many authentication failures" in login(cloud, server, "admin", stranger, "true").stderr


def test_ports_are_not_forwarded(cloud: Cloud, server: str) -> None:
    forwarded = login(
        cloud, server, "admin", [cloud.key_file], "true", "ExitOnForwardFailure=yes", "RemoteForward=9999 127.0.0.1:1"
    )
    assert "forwarding failed" in forwarded.stderr


@pytest.mark.parametrize("weak", ["MACs=hmac-sha1", "MACs=umac-64@openssh.com"])
def test_weak_algorithm_is_refused(cloud: Cloud, server: str, weak: str) -> None:
    refused = login(cloud, server, "admin", [cloud.key_file], "true", weak, "Ciphers=aes128-ctr")
    assert "no matching" in refused.stderr


def test_cloud_init_leaves_the_language_alone(cloud: Cloud, server: str) -> None:
    cloud.ssh(server, "sudo cloud-init single --name locale --frequency always")
    assert "LANG=POSIX" in cloud.ssh(server, "cat /etc/default/locale").stdout.splitlines()


def test_host_name_is_cloud_inits(cloud: Cloud, server: str) -> None:
    name = cloud.instance(server)["PrivateDnsName"].partition(".")[0]
    assert cloud.ssh(server, "hostname").stdout.strip() == name


@pytest.mark.parametrize("timer", ["apt-daily.timer", "apt-daily-upgrade.timer"])
def test_nothing_upgrades_in_the_first_hour_after_a_boot(cloud: Cloud, server: str, timer: str) -> None:
    shown = cloud.ssh(server, f"date +%s; systemctl list-timers --output=json {timer}").stdout
    now, _, timers = shown.partition("\n")
    (found,) = json.loads(timers)
    assert found["next"] / 1_000_000 - int(now) > 50 * 60


def test_apport_leaves_the_core_pattern_alone(cloud: Cloud, server: str) -> None:
    """Ubuntu's; the file was planted before the role came."""
    assert cloud.ssh(server, "cat /etc/default/apport").stdout == "enabled=0\n"


@pytest.mark.long
def test_upgrades_wait_for_the_boot_of_a_server_where_they_are_not_to_run_now(
    cloud: Cloud, server: str, tmp_path: Path
) -> None:
    """What a bake sets: on the builder the timers are stopped, and a server launched from it has them."""
    (tmp_path / "base.yml").write_text(PLAYBOOK)
    timers = "apt-daily.timer apt-daily-upgrade.timer"
    look = f"systemctl is-active {timers}; systemctl is-enabled {timers}"
    assert cloud.ssh(server, look, check=False).stdout.split() == ["active", "active", "enabled", "enabled"]
    configure(cloud, server, tmp_path / "base.yml", {"base_unattended_upgrades_running": False})
    assert cloud.ssh(server, look, check=False).stdout.split() == ["inactive", "inactive", "enabled", "enabled"]
    first = cloud.boot(server)
    cloud.aws("ec2", "reboot-instances", "--instance-ids", server)
    cloud.wait_for_another_boot(server, first)
    assert cloud.ssh(server, look, check=False).stdout.split() == ["active", "active", "enabled", "enabled"]
