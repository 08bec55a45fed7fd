"""A fleet for the tests: the real project, a golden image of it, the foundation, and three servers behind the balancer."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import boto3
import pytest

from goldfleet.demo.events import HealthTimeline
from goldfleet.demo.logs import read_events
from goldfleet.localcloud.state import StateFolder
from tests.localcloud.conftest import BIN, ROOT, Cloud, wait_for

GROUP = "web"
SERVERS = 3
SECTION = """
[groups.web]
ssh_private_key = "fleet.key"
warm_up_seconds = 3
ready_timeout_minutes = 3
lease_minutes = 1
"""


def fleet_project(folder: Path, key: Path) -> Path:
    """Write the real project with a section for the group into a folder and return it."""
    for name in ("packer", "roles", "inventory", "playbooks", "tests/fleet"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("molecule", "__pycache__"))
    for name in ("requirements.yml", "ansible.cfg"):
        shutil.copy(ROOT / name, folder / name)
    settings = (ROOT / "goldfleet.toml").read_text()
    (folder / "goldfleet.toml").write_text(settings + SECTION)
    shutil.copy(key, folder / "fleet.key")
    return folder


@dataclass
class Fleet:
    """The group `web` as the tests see it."""

    cloud: Cloud
    project: Path
    image_id: str
    made: list[str] = field(default_factory=list)

    def client(self, service: str) -> Any:
        """Return a boto3 client of the cloud."""
        env, make = self.cloud.env, cast("Any", boto3.client)
        return make(
            service, region_name=env["AWS_REGION"], endpoint_url=env["AWS_ENDPOINT_URL"],
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"], aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip

    def group(self) -> dict[str, Any]:
        """Return what Auto Scaling says of the group."""
        found = self.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[GROUP])
        return dict(found["AutoScalingGroups"][0])

    def sizes(self) -> tuple[int, int, int]:
        """Return (min, desired, max)."""
        group = self.group()
        return group["MinSize"], group["DesiredCapacity"], group["MaxSize"]

    def tags(self) -> dict[str, str]:
        """Return the tags that goldfleet has on the group."""
        return {tag["Key"]: tag["Value"] for tag in self.group()["Tags"] if tag["Key"].startswith("goldfleet:")}

    def roll_tags(self) -> dict[str, str]:
        """Return the tags of a roll in progress."""
        return {key: value for key, value in self.tags().items() if key.startswith("goldfleet:roll")}

    def members(self) -> dict[str, str]:
        """Return the lifecycle state of each instance, by id."""
        return {one["InstanceId"]: one["LifecycleState"] for one in self.group()["Instances"]}

    def images(self) -> dict[str, str]:
        """Return the image of each instance in service, by id."""
        ids = [key for key, state in self.members().items() if state == "InService"]
        found = self.cloud.ec2.describe_instances(InstanceIds=ids)["Reservations"]
        return {one["InstanceId"]: one["ImageId"] for reservation in found for one in reservation["Instances"]}

    def healthy(self) -> frozenset[str]:
        """Return the targets that the balancer finds healthy now."""
        return self._events().healthy_at(float("inf"))

    def lowest_healthy(self, start: float, end: float) -> int:
        """Return the lowest number of healthy targets in a time, from the balancer's own record."""
        return self._events().lowest(start, end)

    def _events(self) -> HealthTimeline:
        """Return the balancer's record of the group's target group; other tests have had others in the same cloud."""
        (arn,) = self.group()["TargetGroupARNs"]
        return read_events(StateFolder(self.cloud.state).balancer_events, arn)

    def wait_healthy(self, count: int = SERVERS, seconds: float = 120) -> None:
        """Wait until exactly so many instances are there, in service and healthy."""

        def settled() -> bool:
            members = self.members()
            return len(members) == count and set(members.values()) == {"InService"} and self.healthy() >= set(members)

        wait_for(f"{count} healthy servers", settled, seconds)

    def copy_image(self, name: str) -> str:
        """Return a new image with the content of the fleet's first one."""
        copied = self.cloud.ec2.copy_image(SourceImageId=self.image_id, SourceRegion="us-east-1", Name=name)["ImageId"]
        self.made.append(copied)
        return str(copied)

    def broken_image(self, name: str) -> str:
        """Return an image of a server whose nginx is disabled: it boots, and nobody answers."""
        (instance_id,) = self.cloud.launch(image=self.image_id)
        self.cloud.wait_state(instance_id, "running")
        self.cloud.ssh(instance_id, "sudo systemctl disable --now nginx")
        image = self.cloud.ec2.create_image(InstanceId=instance_id, Name=name)["ImageId"]
        wait_for("the image", lambda: self.image_state(image) == "available")
        self.cloud.terminate(instance_id)
        return str(image)

    def image_state(self, image_id: str) -> str:
        """Return the state of an image."""
        return str(self.cloud.ec2.describe_images(ImageIds=[image_id])["Images"][0]["State"])

    def roll(self, *arguments: str, seconds: float = 300) -> subprocess.CompletedProcess[str]:
        """Run `goldfleet roll …` on the group; the caller looks at the exit code."""
        verb, *options = arguments
        return self.cloud.goldfleet(
            "roll", verb, GROUP, *options, "--project", str(self.project), check=False, timeout=seconds
        )

    def start_roll(self, *arguments: str, project: Path | None = None) -> subprocess.Popen[str]:
        """Start `goldfleet roll …` beside the test, in a process group of its own."""
        verb, *options = arguments
        command = [str(BIN / "goldfleet"), "roll", verb, GROUP, *options, "--project", str(project or self.project)]
        return subprocess.Popen(
            command,
            env=self.cloud.env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def playbook(self, name: str, *options: str, **variables: Any) -> subprocess.CompletedProcess[str]:
        """Run a playbook of the project."""
        return self.cloud.run(
            str(BIN / "ansible-playbook"), f"playbooks/{name}", *options, "--extra-vars", json.dumps(variables),
            timeout=300,
        )  # fmt: skip


@pytest.fixture(scope="module")
def fleet(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Three servers of a freshly baked image behind the balancer; all of it is removed at the end."""
    project = fleet_project(tmp_path_factory.mktemp("fleet") / "project", cloud.key_file)
    baked = json.loads(cloud.goldfleet("bake", "--project", str(project), "--json").stdout)
    fleet = Fleet(cloud, project, baked["image_id"])
    gateway = json.loads((cloud.state / "cloud.json").read_text())["cidr"].rpartition(".")[0] + ".1"
    public_key = cloud.run("ssh-keygen", "-y", "-f", str(cloud.key_file)).stdout.strip()
    try:
        fleet.playbook(
            "foundation.yml",
            aws_foundation_group=GROUP,
            aws_foundation_public_key=public_key,
            aws_foundation_ssh_source_cidrs=[f"{gateway}/32"],
            aws_foundation_max_size=6,
            aws_foundation_health_check_grace_seconds=30,
        )
        fleet.wait_healthy()
        yield fleet
    finally:
        fleet.playbook("foundation_teardown.yml", aws_foundation_group=GROUP)
