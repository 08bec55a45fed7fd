"""Defects planted one by one on a finished image, and on a server launched from it: each must be noticed, and by its own proof.

An image is judged by its own `goldfleet-seal --check` on its file system, a server by the specs of tests/fleet. The tables say
which line of the seal, or which spec, has to speak. Every defect is planted where that proof has just found nothing wrong.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.localcloud.conftest import ROOT, Cloud, wait_for
from tests.localcloud.fleets import fleet_project

pytestmark = pytest.mark.long

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMKBGdm3PtnNoeoBJBXm2pLoxZEHGSPNWBcYPZCR2hqF builder"
ACCESS_KEY = "AKIA" + "Q3EGRIJ7XMNP2WDS"
PEM = (
    "-----BEGIN "
    + "PRIVATE KEY-----\n"
    + "MC4CAQAwBQYDK2VwBCIEIHc2Zm9yIGEgdGVzdCBvbmx5LCBubyBrZXkgYXQgYWxs\n-----END PRIVATE KEY-----"
)
ROOT_OF_AGENT = "/opt/codedeploy-agent/deployment-root"


@dataclass(frozen=True)
class OnImage:
    """A defect of an image: what is written where, and what the seal calls it. `$R` is the image's root."""

    name: str
    plant: str
    kind: str


@dataclass(frozen=True)
class OnServer:
    """A defect of a server: how it is planted and undone, and the spec that must fail."""

    name: str
    plant: str
    undo: str
    spec: str


def write(path: str, text: str) -> str:
    """Return the shell command that writes a line into a file of the image."""
    return f'mkdir -p "$(dirname "$R{path}")" && printf \'%s\\n\' \'{text}\' > "$R{path}"'


IMAGES = (
    OnImage("a host key is left in", write("/etc/ssh/ssh_host_ed25519_key", "key"), "ssh host key"),
    OnImage("the agent's state is stale", write(f"{ROOT_OF_AGENT}/ongoing-deployment/d-ABCDEFGHI", "x"), "agent state"),
    OnImage(
        "the agent is registered on premises",
        write("/etc/codedeploy-agent/conf/codedeploy.onpremises.yml", "iam_user_arn: x"),
        "agent identity",
    ),
    OnImage("an AWS key is in a file", write("/etc/goldfleet/shop.conf", f"key = {ACCESS_KEY}"), "AWS access key in a file"),
    OnImage("a private key is beside the application", write("/opt/shop/tls.txt", PEM), "private key in a file"),
    OnImage("the builder's key lets someone in", write("/home/admin/.ssh/authorized_keys", KEY), "key that lets someone in"),
    OnImage("the machine id is kept", write("/etc/machine-id", "0123456789abcdef0123456789abcdef"), "machine id"),
    OnImage("cloud-init believes it has run", write("/var/lib/cloud/instances/i-1/sem/config_ssh", ""), "cloud-init state"),
    OnImage("the random seed is kept", write("/var/lib/systemd/random-seed", "seed"), "random seed"),
    OnImage("a shell's history is kept", write("/root/.bash_history", "ls"), "shell history"),
    OnImage("package lists are kept", write("/var/lib/apt/lists/x_Packages", "Package: x"), "package list"),
    OnImage("a log has content", write("/var/log/shop/error.log", "an error"), "log"),
    OnImage(
        "the login user's right is left",
        write("/etc/sudoers.d/90-cloud-init-users", "admin ALL=(ALL) ALL"),
        "right of the login user",
    ),
    OnImage("SSM knows the builder", write("/var/lib/amazon/ssm/Vault/Store/Key", "x"), "agent registration"),
)  # fmt: skip
MANIFEST = "/usr/share/goldfleet/manifest.json"
SSHD = "/etc/ssh/sshd_config.d/00-planted.conf"
APT = "/etc/apt/apt.conf.d/99-planted"
UNIT = "/etc/systemd/system/planted.service"
SERVERS = (
    OnServer("nginx is stopped", "systemctl stop nginx", "systemctl start nginx", "test_service_is_running_and_starts_at_boot"),
    OnServer(
        "nginx does not start at boot",
        "systemctl disable -q nginx",
        "systemctl enable -q nginx",
        "test_service_is_running_and_starts_at_boot",
    ),
    OnServer(
        "releases belong to somebody else",
        "chown root:root /var/www/*/releases",
        "chown --reference $(dirname /var/www/*/releases) /var/www/*/releases",
        "test_folder_belongs_to_the_owner",
    ),
    OnServer(
        "sshd takes passwords",
        f"echo 'PasswordAuthentication yes' > {SSHD}",
        f"rm {SSHD}",
        "test_sshd_takes_passwords_only_if_wanted",
    ),
    OnServer(
        "nothing upgrades itself",
        f"echo 'APT::Periodic::Unattended-Upgrade \"0\";' > {APT}",
        f"rm {APT}",
        "test_security_upgrades_are_switched_as_wanted",
    ),
    OnServer("the manifest is missing", f"mv {MANIFEST} /root/kept", f"mv /root/kept {MANIFEST}", "test_manifest_has_the_fact"),
    OnServer(
        "the manifest was edited",
        f"cp -p {MANIFEST} /root/kept && sed -i 's/\"packages\": {{/&\"no-such-package\": \"1\",/' {MANIFEST}",
        f"mv /root/kept {MANIFEST}",
        "test_packages_of_the_manifest_are_installed",
    ),
    OnServer(
        "PHP has no pool",
        "mkdir /root/pools && mv /etc/php/*/fpm/pool.d/*.conf /root/pools/ && ls -d /etc/php/*/fpm/pool.d > /root/pools/where",
        "mv /root/pools/*.conf \"$(cat /root/pools/where)\" && rm -r /root/pools",
        "test_php_pool_takes_bodies_up_to_the_limit",
    ),
    OnServer(
        "everybody may write sshd's configuration",
        "chmod 666 /etc/ssh/sshd_config.d/10-goldfleet.conf",
        "chmod 600 /etc/ssh/sshd_config.d/10-goldfleet.conf",
        "test_own_file_has_its_rights",
    ),
    OnServer(
        "the load balancer's page is missing",
        "mv /run/goldfleet/www /run/goldfleet/kept",
        "rm -rf /run/goldfleet/www && mv /run/goldfleet/kept /run/goldfleet/www",
        "test_healthcheck_answers_for_every_name",
    ),
    OnServer(
        "a unit has failed",
        f"printf '[Service]\\nType=oneshot\\nExecStart=/bin/false\\n' > {UNIT}"
        " && systemctl daemon-reload && ! systemctl start planted",
        f"systemctl reset-failed planted; rm {UNIT}; systemctl daemon-reload",
        "test_no_unit_has_failed",
    ),
    OnServer(
        "a stranger's key lets someone in",
        f"mkdir -p /root/.ssh && echo '{KEY}' > /root/.ssh/authorized_keys2",
        "rm /root/.ssh/authorized_keys2",
        "test_only_the_launch_key_lets_someone_in",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Baked:
    """The image as podman has it, and its AMI."""

    ami: str
    reference: str


@pytest.fixture(scope="module")
def baked(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Baked:
    """Bake the project's image."""
    project = fleet_project(tmp_path_factory.mktemp("defects") / "project", cloud.key_file)
    ami = json.loads(cloud.goldfleet("bake", "--project", str(project), "--json", timeout=1200).stdout)["image_id"]
    (image,) = cloud.ec2.describe_images(ImageIds=[ami])["Images"]
    snapshot = image["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"]
    return Baked(ami, f"localhost/goldfleet/{cloud_id(cloud)}:{snapshot}")


def cloud_id(cloud: Cloud) -> str:
    """Return what the cloud's own machines and images are called after."""
    return str(json.loads((cloud.state / "cloud.json").read_text())["cloud_id"])


def podman(*arguments: str) -> str:
    """Run podman and return what it prints."""
    return subprocess.run(["podman", *arguments], capture_output=True, text=True, check=True).stdout.strip()


@contextmanager
def copy_of(baked: Baked) -> Iterator[Path]:
    """Hand out a copy of the image's file system that may be written to."""
    container = podman("create", "--label", "goldfleet.tests=defects", baked.reference, "/bin/true")
    try:
        yield Path(podman("mount", container))
    finally:
        podman("rm", "--force", container)


def seal_check(root: Path) -> list[str]:
    """Return the lines of the image's own check, but for what stopping the machine writes after the seal (decision 0010)."""
    program = root / "usr/local/sbin/goldfleet-seal"
    command = ["/usr/bin/python3", "-I", str(program), "--check", "--root", str(root)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 6), done.stderr
    return done.stdout.splitlines()[:-1]


@pytest.fixture(scope="module")
def sealed(baked: Baked) -> frozenset[str]:
    """What the check says of the image as it is."""
    with copy_of(baked) as root:
        return frozenset(seal_check(root))


def test_image_has_nothing_but_what_its_shutdown_wrote(sealed: frozenset[str]) -> None:
    assert [line for line in sealed if not line.startswith("log: /var/log/")] == []


@pytest.mark.parametrize("defect", IMAGES, ids=lambda defect: defect.name)
def test_defect_of_an_image_is_named_by_its_seal(defect: OnImage, baked: Baked, sealed: frozenset[str]) -> None:
    with copy_of(baked) as root:
        subprocess.run(["sh", "-euc", defect.plant], env=os.environ | {"R": str(root)}, check=True)
        new = [line for line in seal_check(root) if line not in sealed]
    assert defect.kind in [line.partition(": ")[0] for line in new], new


@dataclass(frozen=True)
class Server:
    """A server launched from the image, judged by the specs in its container: that is several times as quick as SSH."""

    container: str
    variables: Path

    def run(self, command: str) -> None:
        """Run a shell command as root."""
        podman("exec", self.container, "sh", "-euc", command)

    def failed(self, *specs: str) -> list[str]:
        """Return which of some specs fail now, by their functions' names."""
        command = [
            sys.executable, "-m", "pytest", "-c", "/dev/null", f"--rootdir={ROOT}", "-p", "no:cacheprovider", "-q", "--tb=no",
            f"--hosts=podman://{self.container}", "-k", " or ".join(specs), str(ROOT / "tests/fleet"),
        ]  # fmt: skip
        env = os.environ | {"GOLDFLEET_VARIABLES_FILE": str(self.variables)}
        done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
        assert done.returncode in (0, 1), done.stdout + done.stderr
        lines = [line.split("::")[1] for line in done.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]
        return sorted({line.split("[")[0].split(" ")[0] for line in lines})


@pytest.fixture(scope="module")
def server(cloud: Cloud, baked: Baked, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Launch a server from the image; no spec that a defect is to fail may fail before."""
    (instance_id,) = cloud.launch(image=baked.ami)
    container = f"goldfleet-{cloud_id(cloud)}-{instance_id}"
    variables = tmp_path_factory.mktemp("server") / "variables.json"
    variables.write_text("{}")
    try:
        cloud.wait_state(instance_id, "running")
        wait_for("the launch's end", lambda: is_done(container), 120)
        server = Server(container, variables)
        assert server.failed(*{defect.spec for defect in SERVERS}) == []
        yield server
    finally:
        cloud.terminate(instance_id)


def is_done(container: str) -> bool:
    """Say whether cloud-init has come to its end in a container."""
    done = subprocess.run(
        ["podman", "exec", container, "cloud-init", "status", "--wait"], capture_output=True, text=True, check=False
    )
    return "done" in done.stdout


@pytest.mark.parametrize("defect", SERVERS, ids=lambda defect: defect.name)
def test_defect_of_a_server_fails_its_spec(defect: OnServer, server: Server) -> None:
    server.run(defect.plant)
    try:
        assert server.failed(defect.spec) == [defect.spec]
    finally:
        server.run(defect.undo)


def test_server_is_as_before_once_all_is_undone(server: Server) -> None:
    assert server.failed(*{defect.spec for defect in SERVERS}) == []


def test_there_are_at_least_twenty_defects_each_of_its_own() -> None:
    names = [defect.name for defect in (*IMAGES, *SERVERS)]
    assert (len(set(names)), len(names) >= 20) == (len(names), True)
