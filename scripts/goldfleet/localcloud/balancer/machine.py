"""A load balancer's machine: a podman container on the VPC's bridge that runs HAProxy and nothing else.

Its image is the base image with Debian's haproxy on top, made once and kept in podman's store under the digest of both. The
container carries the cloud's label, so `local down` finds it.
"""

import hashlib
import shutil
from dataclasses import dataclass
from pathlib import Path

from goldfleet.localcloud import firewall
from goldfleet.localcloud.balancer.configuration import FOLDER
from goldfleet.localcloud.podman import Podman, PodmanError
from goldfleet.localcloud.state import CloudState, cache_folder, locked

INSTALL = (
    "apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends haproxy && "
    "apt-get clean && rm -rf /var/lib/apt/lists/*"
)
# The image is every cloud's. Under the label of the cloud that built it, that cloud's `down` would take it from the others, and
# their load balancers with it.
NOBODYS = "LABEL goldfleet.cloud=none"
PROGRAM = ("/usr/sbin/haproxy", "-W", "-db", "-S", f"{FOLDER}/master.sock", "-f", f"{FOLDER}/haproxy.cfg")


@dataclass(frozen=True)
class BalancerMachine:
    """The machine of one load balancer. `folder` is shared with it."""

    podman: Podman
    state: CloudState
    folder: Path
    machine_id: str
    address: str

    @property
    def name(self) -> str:
        """The container's name."""
        return f"goldfleet-{self.state.cloud_id}-{self.machine_id}"

    def create(self, table: str) -> None:
        """Make and start the machine; its packet filters stand before HAProxy runs. The configuration must be there."""
        image = ensure_image(self.podman, self.state)
        self.podman.run(
            "create", *self.podman.settings.run_options(), "--name", self.name, "--hostname", self.machine_id,
            "--label", self.state.label, "--label", f"goldfleet.load-balancer={self.machine_id}",
            "--network", self.state.network_name, "--ip", self.address, "--dns", self.state.gateway,
            "--volume", f"{self.folder}:{FOLDER}", "--log-driver", "k8s-file", "--stop-signal", "SIGTERM",
            image, *PROGRAM,
        )  # fmt: skip
        self.podman.run("init", self.name)
        self.enforce(table)
        self.podman.run("start", self.name)

    def enforce(self, table: str) -> None:
        """Replace the machine's packet filters; nothing happens when it is not running."""
        pid = int(self.podman.run("inspect", "--format", "{{.State.Pid}}", self.name).strip() or 0)
        if pid > 0:
            firewall.enforce(pid, table)

    def has_ended(self) -> bool:
        """Say whether the machine is known not to run; podman may be too busy to tell, and then it is not."""
        try:
            return self.podman.run("inspect", "--format", "{{.State.Running}}", self.name).strip() == "false"
        except PodmanError as error:
            return "no such" in error.message.lower()

    def remove(self) -> None:
        """Remove the machine and its folder."""
        self.podman.remove_containers([self.name])
        shutil.rmtree(self.folder, ignore_errors=True)


def ensure_image(podman: Podman, state: CloudState) -> str:
    """Return podman's reference of the image, made from the base image when it is not there (seconds)."""
    recipe = hashlib.sha256(f"{state.base_image} {INSTALL} {NOBODYS}".encode()).hexdigest()[:16]
    reference = f"localhost/goldfleet/balancer:{recipe}"
    with locked(cache_folder() / "balancer.lock"):
        if not podman.image_exists(reference):
            _build_image(podman, state, reference)
    return reference


def _build_image(podman: Podman, state: CloudState, reference: str) -> None:
    builder = f"goldfleet-{state.cloud_id}-balancer-builder"
    podman.remove_containers([builder])
    try:
        podman.run(
            "run", *podman.settings.run_options(), "--name", builder, "--label", state.label,
            "--network", state.network_name, "--dns", state.gateway, state.base_image, "sh", "-c", INSTALL,
            timeout_seconds=300,
        )  # fmt: skip
        podman.run("commit", "--quiet", "--change", NOBODYS, builder, reference, timeout_seconds=300)
    finally:
        podman.remove_containers([builder])
