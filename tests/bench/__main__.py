"""Measure what [image] promises on a local cloud of its own and print medians of three beside the targets.

Each figure is measured three times in turn, so that a slow minute of the machine touches all of them alike.
"""

import functools
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import boto3

from goldfleet.localcloud.state import StateFolder

BIN = Path(sys.executable).parent
ROUNDS = 3


def main() -> None:
    """Run every measurement ROUNDS times and print the table."""
    figures: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        state = Path(folder) / "state"
        for _ in range(ROUNDS):
            measure(figures, "goldfleet --help", lambda: run("--help"))
            measure(figures, "local up, warm", lambda: run("local", "up", "--state", str(state)))
            try:
                cloud = connect(state)
                measure(figures, "RunInstances to SSH", functools.partial(launch, cloud, 1))
                measure(figures, "RunInstances to SSH, ten at once", functools.partial(launch, cloud, 10))
                figures.setdefault("server resident with ten machines, MB", []).append(resident_mb(state))
            finally:
                run("local", "down", "--state", str(state))
    targets = {
        "goldfleet --help": "0.3 s",
        "local up, warm": "5 s",
        "RunInstances to SSH": "6 s",
        "RunInstances to SSH, ten at once": "12 s",
        "server resident with ten machines, MB": "300 MB",
    }
    print(f"{'figure':40} {'median':>8} {'min':>8} {'max':>8}  target")
    for name, values in figures.items():
        print(f"{name:40} {statistics.median(values):8.2f} {min(values):8.2f} {max(values):8.2f}  {targets[name]}")


def measure(figures: dict[str, list[float]], name: str, act: Callable[[], object]) -> None:
    """Keep how many seconds an act takes."""
    started = time.monotonic()
    act()
    figures.setdefault(name, []).append(time.monotonic() - started)


def run(*arguments: str) -> None:
    """Run goldfleet, quietly."""
    subprocess.run([str(BIN / "goldfleet"), *arguments], check=True, capture_output=True, env=dict(os.environ))


def connect(state: Path) -> Any:
    """Return an EC2 client of the cloud, with a group that lets SSH in."""
    facts = json.loads((StateFolder(state).file).read_text())
    client = boto3.client(
        "ec2",
        region_name="us-east-1",
        endpoint_url=f"http://127.0.0.1:{facts['api_port']}",
        aws_access_key_id=facts["access_key_id"],
        aws_secret_access_key=facts["secret_access_key"],
    )
    client.create_security_group(GroupName="bench", Description="SSH")
    client.authorize_security_group_ingress(
        GroupName="bench", IpProtocol="tcp", FromPort=22, ToPort=22, CidrIp="0.0.0.0/0"
    )
    return client


def launch(client: Any, count: int) -> None:
    """Launch instances of the base AMI and wait until each answers with SSH's banner."""
    images = client.describe_images(Filters=[{"Name": "name", "Values": ["debian-12-*"]}])["Images"]
    launched = client.run_instances(
        ImageId=images[0]["ImageId"], InstanceType="t3.small", MinCount=count, MaxCount=count, SecurityGroups=["bench"]
    )
    for instance in launched["Instances"]:
        wait_banner(instance["PrivateIpAddress"])


def wait_banner(address: str) -> None:
    """Wait until an SSH server greets."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            with socket.create_connection((address, 22), timeout=1) as connection:
                connection.settimeout(2)
                if connection.recv(4) == b"SSH-":
                    return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"{address} did not greet within 60 s")


def resident_mb(state: Path) -> float:
    """Return the resident memory of the cloud's server."""
    pid = json.loads(StateFolder(state).file.read_text())["pid"]
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith("VmRSS")).split()[1]) / 1024


if __name__ == "__main__":
    main()
