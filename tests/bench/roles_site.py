"""Servers that the roles' bench configures, and how it does: plain Ansible, Ansible with Mitogen, the floor's script.

Neighbours: roles_floor, which works out the script; roles, which measures and compares.
"""

import re
import subprocess
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ansible_mitogen.plugins import strategy

from tests.bench.roles_floor import Floor
from tests.localcloud.conftest import BIN, ROOT, Cloud

RECAP = re.compile(r"^\S+\s+: ok=(\d+)\s+changed=(\d+)\s+unreachable=0\s+failed=0\s", re.MULTILINE)


@dataclass(frozen=True)
class Applied:
    """One run of app_server.yml: its seconds, with Ansible's start, and how many tasks ran and changed something."""

    seconds: float
    tasks: int
    changed: int


def open_doors(cloud: Cloud) -> None:
    """Let `Cloud.launch` launch servers: its key pair, and its group with SSH and HTTP open."""
    public = Path(f"{cloud.key_file}.pub").read_text()
    cloud.ec2.import_key_pair(KeyName="tests", PublicKeyMaterial=public.encode())
    cloud.ec2.create_security_group(GroupName="tests", Description="tests")
    for port in (22, 80):
        cloud.ec2.authorize_security_group_ingress(
            GroupName="tests", IpProtocol="tcp", FromPort=port, ToPort=port, CidrIp="0.0.0.0/0"
        )


def bare_server(cloud: Cloud) -> str:
    """Launch a server of the base image and return its id once it has booted."""
    (server,) = cloud.launch()
    cloud.wait_state(server, "running")
    cloud.pinned_host_keys(server)
    cloud.ssh(server, "cloud-init status --wait >/dev/null; systemctl is-system-running --wait")
    return server


def apply(cloud: Cloud, server: str, *, with_mitogen: bool = False) -> Applied:
    """Run app_server.yml against a server, by pipelining or with Mitogen."""
    env = cloud.server_env(server) | dict(mitogen_settings() if with_mitogen else {})
    command = [str(BIN / "ansible-playbook"), "-i", "inventory/one_server.yml", "playbooks/app_server.yml"]
    started = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    recap = RECAP.search(done.stdout)
    if done.returncode or not recap:
        raise RuntimeError(
            f"app_server.yml ended with {done.returncode}:\n{done.stdout[-3000:]}\n{done.stderr[-1000:]}"
        )
    return Applied(seconds, int(recap[1]), int(recap[2]))


def mitogen_settings() -> Mapping[str, str]:
    """Return the environment variables that have Ansible use Mitogen, as README.md gives them."""
    return {"ANSIBLE_STRATEGY": "mitogen_linear", "ANSIBLE_STRATEGY_PLUGINS": strategy.__path__[0]}


def run_floor(cloud: Cloud, server: str, floor: Floor) -> float:
    """Run the floor's script on a server by SSH and return its seconds."""
    known_hosts = cloud.pinned_host_keys(server)
    address = cloud.instance(server)["PrivateIpAddress"]
    command = [
        "ssh", "-F", "none", "-i", str(cloud.key_file), "-o", f"UserKnownHostsFile={known_hosts}", "-o", "BatchMode=yes",
        f"admin@{address}", "sudo sh -s",
    ]  # fmt: skip
    started = time.monotonic()
    done = subprocess.run(command, input=floor.script(), capture_output=True, text=True, check=False)
    seconds = time.monotonic() - started
    if done.returncode:
        raise RuntimeError(
            f"the floor's script ended with {done.returncode}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        )
    return seconds


def prove_served(cloud: Cloud, server: str) -> None:
    """Make sure that a server answers as an application server does; raises OSError when it does not."""
    address = cloud.instance(server)["PrivateIpAddress"]
    for path in ("/healthcheck.html", "/"):
        with urllib.request.urlopen(f"http://{address}{path}", timeout=10) as answer:
            answer.read()
