"""A local cloud of the tests' own: another state folder and another range than the user's, gone at the end."""

import functools
import json
import os
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar, cast

import boto3
import pytest
from botocore.config import Config

T = TypeVar("T")
ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent


@dataclass(frozen=True)
class Cloud:
    """A running local cloud as a user sees it: the aws CLI, ssh, and goldfleet itself."""

    folder: Path
    state: Path
    env: dict[str, str]

    def run(self, *command: str, check: bool = True, timeout: float = 120) -> subprocess.CompletedProcess[str]:
        """Run a command with the environment that `goldfleet local env` gives."""
        # A standard input of its own: a killed ssh leaves the inherited one non-blocking, which Ansible refuses.
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            env=self.env,
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        if check and done.returncode != 0:
            pytest.fail(f"{shlex.join(command)} exited with {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def goldfleet(self, *arguments: str, check: bool = True, timeout: float = 600) -> subprocess.CompletedProcess[str]:
        """Run goldfleet."""
        return self.run(str(BIN / "goldfleet"), *arguments, check=check, timeout=timeout)

    def aws(self, *arguments: str) -> Any:
        """Run the stock aws CLI and return what it printed, parsed."""
        printed = self.run(str(BIN / "aws"), *arguments, "--output", "json").stdout
        return json.loads(printed) if printed.strip() else None

    def aws_refused(self, *arguments: str) -> str:
        """Run the stock aws CLI, which must fail, and return its error."""
        done = self.run(str(BIN / "aws"), *arguments, check=False)
        assert done.returncode != 0, f"aws {shlex.join(arguments)} was not refused: {done.stdout}"
        return done.stderr

    def instance(self, instance_id: str) -> dict[str, Any]:
        """Return what DescribeInstances says of an instance (by boto3: the aws CLI takes most of a second to start)."""
        found = self.ec2.describe_instances(InstanceIds=[instance_id])
        return dict(found["Reservations"][0]["Instances"][0])

    @functools.cached_property
    def ec2(self) -> Any:
        """A boto3 client of EC2, for looks that are repeated."""
        return boto3.client(
            "ec2", region_name=self.env["AWS_REGION"], endpoint_url=self.env["AWS_ENDPOINT_URL"],
            aws_access_key_id=self.env["AWS_ACCESS_KEY_ID"], aws_secret_access_key=self.env["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip

    def wait_state(self, instance_id: str, state: str) -> dict[str, Any]:
        """Wait until an instance is in a state and return it."""
        return wait_for(f"{instance_id} {state}", lambda: _in_state(self.instance(instance_id), state))

    @property
    def key_file(self) -> Path:
        """The private key of the key pair `tests`."""
        return self.folder / "tests.pem"

    def launch(self, *options: str, image: str | None = None, count: int = 1) -> list[str]:
        """Launch instances that the tests may reach with SSH; return their ids."""
        image_id = image or self.base_image()
        launched = self.aws(
            "ec2", "run-instances", "--image-id", image_id, "--instance-type", "t3.small", "--key-name", "tests",
            "--security-groups", "tests", "--count", str(count), *options,
        )  # fmt: skip
        return [instance["InstanceId"] for instance in launched["Instances"]]

    def base_image(self) -> str:
        """Return the id of the base AMI, found the way goldfleet.toml finds it."""
        found = self.aws(
            "ec2", "describe-images", "--owners", "136693071363", "--filters", "Name=name,Values=debian-12-amd64-*"
        )
        return str(found["Images"][0]["ImageId"])

    def pinned_host_keys(self, instance_id: str) -> Path:
        """Write the instance's host keys, read from its console, into a known_hosts file."""
        file = self.folder / f"{instance_id}.known_hosts"
        if file.exists():
            return file
        address = self.instance(instance_id)["PrivateIpAddress"]

        def keys() -> list[str]:
            console = (
                self.ec2.get_console_output(InstanceId=instance_id, Latest=True).get("Output", "").replace("\r", "")
            )
            block, found, _ = console.rpartition("-----BEGIN SSH HOST KEY KEYS-----")[2].partition(
                "-----END SSH HOST KEY"
            )
            return [line for line in block.splitlines() if line.count(" ") >= 1] if found else []

        lines = wait_for(f"host keys of {instance_id}", keys)
        file.write_text("".join(f"{address} {' '.join(line.split()[:2])}\n" for line in lines))
        return file

    def ssh(self, instance_id: str, command: str, *, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command on an instance as its login user, its host key checked."""
        known_hosts = self.pinned_host_keys(instance_id)
        address = self.instance(instance_id)["PrivateIpAddress"]
        options = [
            f"UserKnownHostsFile={known_hosts}",
            "StrictHostKeyChecking=yes",
            "ConnectTimeout=5",
            "BatchMode=yes",
        ]
        return self.run(
            "ssh", "-F", "none", "-i", str(self.key_file), *(part for option in options for part in ("-o", option)),
            f"admin@{address}", command, check=check, timeout=300,
        )  # fmt: skip

    def boot(self, instance_id: str) -> str:
        """Return a text that another boot of the machine changes; "" while it cannot be asked."""
        return self.ssh(instance_id, "cut -d' ' -f22 /proc/1/stat", check=False).stdout

    def wait_for_another_boot(self, instance_id: str, before: str, seconds: float = 60) -> str:
        """Wait until a machine has booted since `boot` returned `before`, and return what it returns now."""
        assert before, f"it is not known which boot of {instance_id} is the one before"

        def look() -> str:
            seen = self.boot(instance_id)
            return "" if seen == before else seen

        return wait_for(f"another boot of {instance_id}", look, seconds)

    def offer(self, bucket: str, name: str, content: bytes) -> str:
        """Put a file into a new bucket and return an https address that servers may fetch it from for two hours."""
        env, make = self.env, cast("Any", boto3.client)
        keys = {"aws_access_key_id": env["AWS_ACCESS_KEY_ID"], "aws_secret_access_key": env["AWS_SECRET_ACCESS_KEY"]}
        store = make("s3", region_name=env["AWS_REGION"], endpoint_url=env["AWS_ENDPOINT_URL"], **keys)
        store.create_bucket(Bucket=bucket)
        store.put_object(Bucket=bucket, Key=name, Body=content)
        # Signed for S3's own name, which servers of the local cloud find there.
        signer = make("s3", region_name=env["AWS_REGION"], endpoint_url="https://s3.us-east-1.amazonaws.com",
                      config=Config(signature_version="s3v4", s3={"addressing_style": "path"}), **keys)  # fmt: skip
        chosen = {"Bucket": bucket, "Key": name}
        return str(signer.generate_presigned_url("get_object", Params=chosen, ExpiresIn=7200))

    def server_env(self, instance_id: str) -> dict[str, str]:
        """Return the environment with which README runs playbooks on one server, its host key checked."""
        known_hosts = self.pinned_host_keys(instance_id)
        return self.env | {
            "GOLDFLEET_SERVER_HOST": self.instance(instance_id)["PrivateIpAddress"],
            "GOLDFLEET_SERVER_USER": "admin",
            "GOLDFLEET_SERVER_KEY": str(self.key_file),
            "ANSIBLE_SSH_ARGS": f"-o ControlMaster=auto -o ControlPersist=60s -o UserKnownHostsFile={known_hosts}",
        }

    def play(
        self, instance_id: str, playbook: Path, settings: Mapping[str, Any], *options: str, timeout: float = 900
    ) -> subprocess.CompletedProcess[str]:
        """Run a playbook on one server with settings and options; how it ended is the caller's to judge."""
        command = [str(BIN / "ansible-playbook"), "-i", "inventory/one_server.yml", "-e", json.dumps(settings)]
        return subprocess.run(
            [*command, *options, str(playbook)], cwd=ROOT, env=self.server_env(instance_id), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False, timeout=timeout,
        )  # fmt: skip

    @contextmanager
    def no_way_to_aws(self, instance_id: str) -> Iterator[None]:
        """Drop what one machine sends to AWS's services; names and the metadata service still answer."""
        gateway = self.aws("ec2", "describe-vpcs")["Vpcs"][0]["CidrBlock"].replace(".0.0/16", ".0.1")
        with self._dropped(instance_id, gateway, "443"):
            yield

    @contextmanager
    def no_way_to_metadata(self, instance_id: str) -> Iterator[None]:
        """Drop what one machine sends to the metadata service, as on a server outside of EC2."""
        with self._dropped(instance_id, "169.254.169.254", "80"):
            yield

    @contextmanager
    def _dropped(self, instance_id: str, destination: str, port: str) -> Iterator[None]:
        source = self.instance(instance_id)["PrivateIpAddress"]
        rule = ["-s", source, "-d", destination, "-p", "tcp", "--dport", port, "-j", "DROP"]
        subprocess.run(["iptables", "--wait", "-t", "mangle", "-I", "PREROUTING", *rule], check=True)
        try:
            yield
        finally:
            subprocess.run(["iptables", "--wait", "-t", "mangle", "-D", "PREROUTING", *rule], check=True)

    def terminate(self, *instance_ids: str) -> None:
        """Terminate instances and wait until they are gone."""
        self.aws("ec2", "terminate-instances", "--instance-ids", *instance_ids)
        for instance_id in instance_ids:
            self.wait_state(instance_id, "terminated")


def _in_state(instance: dict[str, Any], state: str) -> dict[str, Any] | None:
    return instance if instance["State"]["Name"] == state else None


def wait_for(what: str, look: Callable[[], T | None], seconds: float = 60) -> T:
    """Return the first true thing that `look` returns; fail when there is none in time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        seen = look()
        if seen:
            return seen
        time.sleep(0.2)
    pytest.fail(f"{what}: not within {seconds:.0f} s")


def local_environment(state: Path) -> dict[str, str]:
    """Return this process's environment as changed by `goldfleet local env` of a state folder."""
    script = f'eval "$({BIN}/goldfleet local env --state {state})" && env -0'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env=dict(os.environ))
    env = dict(pair.split("=", 1) for pair in done.stdout.split("\0") if pair)
    return env | {"GOLDFLEET_LOCAL_STATE": str(state), "PATH": f"{BIN}:{env['PATH']}"}


@pytest.fixture(scope="session")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """A local cloud with a key pair and a security group `tests` that lets SSH and HTTP in."""
    folder = tmp_path_factory.mktemp("cloud")
    state = folder / "state"
    goldfleet = str(BIN / "goldfleet")
    subprocess.run([goldfleet, "local", "up", "--state", str(state)], check=True)
    try:
        cloud = Cloud(folder, state, local_environment(state))
        key = cloud.aws("ec2", "create-key-pair", "--key-name", "tests", "--key-type", "ed25519")["KeyMaterial"]
        cloud.key_file.write_text(key)
        cloud.key_file.chmod(0o600)
        cloud.aws("ec2", "create-security-group", "--group-name", "tests", "--description", "tests")
        for port in ("22", "80"):
            cloud.aws("ec2", "authorize-security-group-ingress", "--group-name", "tests", "--protocol", "tcp",
                      "--port", port, "--cidr", "0.0.0.0/0")  # fmt: skip
        yield cloud
    finally:
        subprocess.run([goldfleet, "local", "down", "--state", str(state)], check=True)
