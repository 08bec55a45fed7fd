"""The roles with plain ansible-playbook: on one bare server, and on running instances found by tag."""

import contextlib
import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.localcloud.conftest import BIN, ROOT, Cloud, wait_for

RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)
TAGS = "ResourceType=instance,Tags=[{Key=goldfleet:role,Value=app_server}]"


@pytest.fixture(scope="module")
def server(cloud: Cloud) -> str:
    """A bare server, tagged as an application server."""
    (instance_id,) = cloud.launch("--tag-specifications", TAGS)
    cloud.wait_state(instance_id, "running")
    cloud.pinned_host_keys(instance_id)
    return instance_id


@contextlib.contextmanager
def without_mirror(cloud: Cloud, server: str) -> Iterator[None]:
    """Refuse what a server sends out of the cloud, which leaves it without its package mirror."""
    inside = cloud.ec2.describe_vpcs()["Vpcs"][0]["CidrBlock"]
    address = cloud.instance(server)["PrivateIpAddress"]
    gone = ["FORWARD", "--source", address, "!", "--destination", inside, "--jump", "REJECT"]
    subprocess.run(["iptables", "--insert", *gone], check=True)
    try:
        yield
    finally:
        subprocess.run(["iptables", "--delete", *gone], check=True)


def play_until_mirror_is_gone(cloud: Cloud, env: dict[str, str], server: str, task: str) -> tuple[int, str]:
    """Run the playbook on a server whose mirror goes as a task begins; return the exit code and what was printed."""
    command = [str(BIN / "ansible-playbook"), "-i", "inventory/one_server.yml", "playbooks/app_server.yml"]
    with contextlib.ExitStack() as stack:
        process = stack.enter_context(
            subprocess.Popen(
                command, cwd=ROOT, env=cloud.env | env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True
            )
        )
        assert process.stdout is not None
        lines = []
        for line in process.stdout:
            lines.append(line)
            if line.startswith(f"TASK [{task}]"):
                stack.enter_context(without_mirror(cloud, server))
        return process.wait(), "".join(lines)


def play(cloud: Cloud, env: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run ansible-playbook in the repository's folder."""
    command = [str(BIN / "ansible-playbook"), *arguments, "playbooks/app_server.yml"]
    return subprocess.run(
        command, cwd=ROOT, env=cloud.env | env, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )


def old_algorithm(cloud: Cloud, server: str) -> str:
    """Return what ssh says when it offers nothing but an algorithm that role base has sshd refuse."""
    address = cloud.instance(server)["PrivateIpAddress"]
    options = ["-o", "Ciphers=aes128-ctr", "-o", "MACs=hmac-sha1", "-o", "BatchMode=yes", "-o", "ControlPath=none",
               "-o", f"UserKnownHostsFile={cloud.pinned_host_keys(server)}"]  # fmt: skip
    return cloud.run(
        "ssh", "-F", "none", "-i", str(cloud.key_file), *options, f"admin@{address}", "true", check=False
    ).stderr


def recap(done: subprocess.CompletedProcess[str]) -> list[tuple[str, int, int]]:
    """Return (host, changed, failed or unreachable) for each host of a play's recap."""
    return [(found[0], int(found[2]), int(found[3]) + int(found[4])) for found in RECAP.findall(done.stdout)]


def test_wrong_type_of_a_variable_stops_before_the_first_change(cloud: Cloud, server: str) -> None:
    done = play(cloud, cloud.server_env(server), "-i", "inventory/one_server.yml",
                "-e", '{"base_unattended_upgrades_running": "perhaps"}')  # fmt: skip
    assert done.returncode != 0
    assert "base_unattended_upgrades_running" in done.stdout
    assert [changed for _, changed, _ in recap(done)] == [0]


def test_unknown_variable_stops_before_the_first_change(cloud: Cloud, server: str) -> None:
    done = play(cloud, cloud.server_env(server), "-i", "inventory/one_server.yml", "-e", "web_stack_domian=example.org")
    assert done.returncode != 0
    assert "No role knows web_stack_domian" in done.stdout
    assert [changed for _, changed, _ in recap(done)] == [0]


def test_bad_setting_of_the_last_role_stops_before_the_first_change(cloud: Cloud, server: str) -> None:
    done = play(cloud, cloud.server_env(server), "-i", "inventory/one_server.yml", "-e", "web_stack_domain=Nowhere!")
    assert done.returncode != 0
    assert "web_stack_domain is 'Nowhere!'" in done.stdout
    assert [changed for _, changed, _ in recap(done)] == [0]


def test_check_mode_on_a_bare_server_changes_nothing(cloud: Cloud, server: str) -> None:
    done = play(cloud, cloud.server_env(server), "-i", "inventory/one_server.yml", "--check")
    assert done.returncode == 0, done.stdout[-3000:]
    assert cloud.ssh(server, "dpkg-query --show nginx", check=False).returncode != 0


def test_mirror_gone_in_the_middle_is_said_and_a_second_run_completes_and_a_third_changes_nothing(
    cloud: Cloud, server: str
) -> None:
    env = cloud.server_env(server)
    assert "no matching MAC found" not in old_algorithm(cloud, server)
    code, printed = play_until_mirror_is_gone(
        cloud, env, server, "web_stack : Install nginx and what the runtime needs"
    )
    assert code != 0
    assert "Failed to fetch" in printed
    # What the roles before had written is in force: no later run would bring it into force, since it finds it written.
    assert "no matching MAC found" in old_algorithm(cloud, server)
    first = play(cloud, env, "-i", "inventory/one_server.yml")
    assert first.returncode == 0, first.stdout[-3000:] + first.stderr
    second = play(cloud, env, "-i", "inventory/one_server.yml")
    assert [(changed, bad) for _, changed, bad in recap(second)] == [(0, 0)], second.stdout[-3000:]
    address = cloud.instance(server)["PrivateIpAddress"]
    assert cloud.run("curl", "-sf", f"http://{address}/healthcheck.html").returncode == 0
    status = json.loads(cloud.run("curl", "-sf", f"http://{address}/status").stdout)
    assert (status["instance_id"], status["version"]) == (server, None)


def test_running_instances_are_found_by_tag_with_pinned_host_keys(cloud: Cloud, server: str, tmp_path: Path) -> None:
    project_keys = ROOT / ".goldfleet" / "known_hosts"
    before = project_keys.read_text() if project_keys.exists() else None
    try:
        cloud.goldfleet("known-hosts", server)
        env = {"ANSIBLE_PRIVATE_KEY_FILE": str(cloud.key_file), "HOME": os.environ.get("HOME", "/root")}
        done = play(cloud, env, "-i", "inventory/aws_ec2.yml")
    finally:
        if before is None:
            project_keys.unlink(missing_ok=True)
        else:
            project_keys.write_text(before)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    assert [(changed, bad) for _, changed, bad in recap(done)] == [(0, 0)]


@pytest.mark.long
def test_server_out_of_service_ends_the_run_before_the_next_one_is_touched(cloud: Cloud, tmp_path: Path) -> None:
    held, untouched = cloud.launch(count=2)
    login = {"ansible_user": "admin", "ansible_ssh_private_key_file": str(cloud.key_file)}
    hosts = {
        instance_id: login | {"ansible_host": cloud.wait_state(instance_id, "running")["PrivateIpAddress"]}
        for instance_id in (held, untouched)
    }
    inventory = tmp_path / "two_servers.yml"
    inventory.write_text(json.dumps({"app_servers": {"hosts": hosts}}))
    known_hosts = tmp_path / "known_hosts"
    known_hosts.write_text("".join(cloud.pinned_host_keys(one).read_text() for one in (held, untouched)))
    hold = "sudo mkdir -p /run/goldfleet/hold && echo 'disk is being looked at' | sudo tee /run/goldfleet/hold/disk"
    wait_for("ssh", lambda: cloud.ssh(held, hold, check=False).returncode == 0)
    done = play(cloud, {"ANSIBLE_SSH_ARGS": f"-o UserKnownHostsFile={known_hosts}"}, "-i", str(inventory))
    assert done.returncode != 0
    assert "is configured but not in service" in done.stdout, done.stdout[-3000:]
    assert "disk is being looked at" in done.stdout
    assert cloud.ssh(untouched, "dpkg-query --show nginx", check=False).returncode != 0
    cloud.terminate(held, untouched)
