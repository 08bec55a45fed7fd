"""Where a local cloud keeps what it must remember between commands, and what that is.

One folder a cloud, `.goldfleet/local/` of the working directory by default; `CloudState` is its `cloud.json`. Files that
hold keys are readable by their owner only. Nothing here starts or stops anything.
"""

import contextlib
import fcntl
import ipaddress
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from goldfleet.errors import RefusedError

REGION = "us-east-1"
ACCOUNT_ID = "123456789012"


@dataclass(frozen=True)
class CloudState:
    """One local cloud: its name, range, ports and keys."""

    cloud_id: str
    cidr: str
    api_port: int
    tls_port: int
    metadata_port: int
    names_port: int
    access_key_id: str
    secret_access_key: str
    base_image: str
    base_image_id: str
    base_image_name: str
    pid: int = 0

    @property
    def network(self) -> ipaddress.IPv4Network:
        """The range of the default VPC; every address the cloud hands out lies in it."""
        return ipaddress.IPv4Network(self.cidr)

    @property
    def gateway(self) -> str:
        """The host's address on the bridge, from which machines are called and where the servers listen."""
        return str(self.network.network_address + 1)

    @property
    def network_name(self) -> str:
        """The podman network's name."""
        return f"goldfleet-{self.cloud_id}"

    @property
    def label(self) -> str:
        """The label of every container, network, image and rule that this cloud made."""
        return f"goldfleet.cloud={self.cloud_id}"

    @property
    def endpoint_url(self) -> str:
        """The operator's AWS_ENDPOINT_URL."""
        return f"http://127.0.0.1:{self.api_port}"


@dataclass(frozen=True)
class StateFolder:
    """The folder of one local cloud, and the names of the files in it."""

    path: Path

    @property
    def file(self) -> Path:
        """The stored CloudState."""
        return self.path / "cloud.json"

    @property
    def log(self) -> Path:
        """The background server's own log."""
        return self.path / "server.log"

    @property
    def calls(self) -> Path:
        """One JSON object a line for every API call: time, service, action, status, seconds, caller."""
        return self.path / "calls.jsonl"

    @property
    def balancers(self) -> Path:
        """A folder a load balancer, shared with its machine: HAProxy's configuration, certificates and sockets."""
        return self.path / "balancers"

    @property
    def balancer_events(self) -> Path:
        """One JSON object a line for every change of a target's state."""
        return self.path / "balancer-events.jsonl"

    @property
    def balancer_access(self) -> Path:
        """One JSON object a line for every request that a load balancer answered."""
        return self.path / "balancer-access.jsonl"

    @property
    def lock(self) -> Path:
        """Held while `up` or `down` runs."""
        return self.path / "lock"

    @property
    def server_certificate(self) -> Path:
        """The TLS certificate of AWS's names, signed by the local authority."""
        return self.path / "server.crt"

    @property
    def server_key(self) -> Path:
        """The private key of `server_certificate`."""
        return self.path / "server.key"

    @property
    def label(self) -> str:
        """The label of a cloud's network that tells whose it is, should the state file be lost."""
        return f"goldfleet.state={self.path}"

    def prepare(self) -> None:
        """Make the folder, closed to other users; one that is there already must be a state folder or empty.

        Raises RefusedError for a folder that holds something else, or that cannot be made.
        """
        try:
            if not self.path.exists():
                self.path.mkdir(parents=True, mode=0o700)
            is_other = not self.file.exists() and not self.lock.exists() and any(self.path.iterdir())
        except OSError as error:
            raise RefusedError(
                f"The state folder {self.path} cannot be used: {error.strerror}.", "Give another."
            ) from error
        if is_other:
            raise RefusedError(
                f"{self.path} is not a state folder: it holds something else.", "Give an empty or new folder."
            )

    def load(self) -> CloudState | None:
        """Return the stored state, or None where there is none that makes sense.

        Raises RefusedError when it belongs to another user, as after `sudo goldfleet local up`.
        """
        try:
            stored: dict[str, Any] = json.loads(self.file.read_text())
            return CloudState(**stored)
        except PermissionError as error:
            raise RefusedError(
                f"The local cloud of {self.path} belongs to another user.",
                "Run the command as that user, or with sudo.",
            ) from error
        except (OSError, ValueError, TypeError):
            return None

    def save(self, state: CloudState) -> None:
        """Store the state in one step, readable by the owner only."""
        self.write_private(self.file, json.dumps(asdict(state), indent=2).encode())

    def write_private(self, target: Path, content: bytes) -> None:
        """Write a file in one step with mode 0600."""
        partial = target.with_name(target.name + ".partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        partial.replace(target)


def cache_folder() -> Path:
    """Return the user's cache folder for goldfleet ($XDG_CACHE_HOME or ~/.cache)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "goldfleet"


def default_state_folder() -> StateFolder:
    """Return the state folder of this working directory, or the one that GOLDFLEET_LOCAL_STATE names."""
    return StateFolder(Path(os.environ.get("GOLDFLEET_LOCAL_STATE") or ".goldfleet/local").resolve())


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Hold a lock file inside the block; others wait. The kernel lets go of it when the process ends, however it ends."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
