"""Start, stop and describe a local cloud: what the `goldfleet local` commands do.

`up` is idempotent and repairs what a killed server left; `down` removes what this cloud made, found by label, and nothing
else. Neighbours: network, base_image, server (the process that `up` starts), state.
"""

import contextlib
import datetime
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from goldfleet.errors import AwsError, RefusedError
from goldfleet.localcloud.authority import issue_server_certificate, load_or_create_authority
from goldfleet.localcloud.base_image import ensure_base_image
from goldfleet.localcloud.network import choose_range, create_network, labelled_networks, remove_network, taken_ranges
from goldfleet.localcloud.podman import Podman, probe
from goldfleet.localcloud.state import REGION, CloudState, StateFolder, cache_folder, locked

READY_SECONDS = 60.0
STOP_SECONDS = 10.0
SERVER = "goldfleet.localcloud.server"
# moto reads these when it is imported, so they are set for the process from outside.
MOTO_SETTINGS = {
    "MOTO_EC2_LOAD_DEFAULT_AMIS": "false",
    "MOTO_ENABLE_KEYPAIR_VALIDATION": "true",
    "MOTO_DISABLE_GLOBAL_CORS": "true",
    "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
}

Say = Callable[[str], None]


@dataclass(frozen=True)
class Status:
    """What is there of a local cloud."""

    state: CloudState | None
    is_serving: bool
    machines: list[dict[str, Any]]


def up(folder: StateFolder, network: str | None, say: Say) -> CloudState:
    """Start the cloud of a state folder and return its state; one that runs already is left as it is.

    Raises RefusedError when this is not root's doing or the range is taken, GoldfleetError when the server does not start.
    """
    require_root()
    folder.prepare()
    with locked(folder.lock):
        status = look(folder)
        if status.state is not None and status.is_serving:
            say(f"already up: {status.state.endpoint_url}, network {status.state.cidr}")
            return status.state
        for traces in _traces(folder, status.state):
            say("cleaning up after a local cloud that ended without `down`")
            _remove(folder, traces, say)
        # Other clouds of this host choose their range and fill the cache one after another.
        with locked(cache_folder() / "lock"):
            return _start(folder, network, say)


def down(folder: StateFolder, say: Say) -> bool:
    """Remove everything that the cloud of a state folder made; return whether there was anything."""
    if not folder.path.is_dir() and not labelled_networks(folder.label):
        say("already down")
        return False
    require_root()
    folder.prepare()
    with locked(folder.lock):
        found = _traces(folder, folder.load())
        for traces in found:
            _remove(folder, traces, say)
    if not found:
        say("already down")
    return bool(found)


@dataclass(frozen=True)
class Traces:
    """What is needed to remove a cloud; it is on the podman network too, should the state file be lost."""

    cloud_id: str
    cidr: str
    pid: int


def _traces(folder: StateFolder, state: CloudState | None) -> list[Traces]:
    """Return every cloud of this state folder: the one it remembers, and those that only their labels tell of."""
    found = {} if state is None else {state.cloud_id: Traces(state.cloud_id, state.cidr, state.pid)}
    for cloud_id, cidr in labelled_networks(folder.label).items():
        found.setdefault(cloud_id, Traces(cloud_id, cidr, _server_pid(folder)))
    return list(found.values())


def look(folder: StateFolder) -> Status:
    """Return what is there of the cloud of a state folder."""
    state = folder.load()
    if state is None:
        return Status(None, False, [])
    return Status(state, _is_server(state.pid, folder), Podman().containers(state.label))


def environment(state: CloudState, folder: StateFolder) -> dict[str, str]:
    """Return the variables that point goldfleet, the aws CLI, Ansible and Packer at a cloud and at nothing else."""
    nowhere = str(folder.path / "aws-config")
    return {
        "AWS_ENDPOINT_URL": state.endpoint_url,
        "AWS_ACCESS_KEY_ID": state.access_key_id,
        "AWS_SECRET_ACCESS_KEY": state.secret_access_key,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_CONFIG_FILE": nowhere,
        "AWS_SHARED_CREDENTIALS_FILE": nowhere,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1,localhost",
        "no_proxy": "127.0.0.1,localhost",
        "PKR_VAR_aws_endpoint_url": state.endpoint_url,
        "PKR_VAR_skip_region_validation": "true",
        "PKR_VAR_skip_credential_validation": "true",
        "PKR_VAR_skip_metadata_api_check": "true",
    }


UNSET = (
    "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_SECURITY_TOKEN", "AWS_ROLE_ARN",
    "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT",
)  # fmt: skip


def to_unset(environment_names: Iterable[str]) -> list[str]:
    """Return the variables of an environment that would lead past the local cloud, one service's endpoint among them."""
    services = [name for name in environment_names if name.startswith("AWS_ENDPOINT_URL_")]
    return [*UNSET, *sorted(services)]


def require_root() -> None:
    """Raise RefusedError unless this process may make networks and machines."""
    if os.geteuid() != 0:
        raise RefusedError("The local cloud makes networks and machines and needs root.", "Run it with sudo.")


def _start(folder: StateFolder, network: str | None, say: Say) -> CloudState:
    now = datetime.datetime.now(datetime.UTC)
    cache = cache_folder()
    chosen = choose_range(network, taken_ranges())
    base = ensure_base_image(cache, now, say)
    settings = probe(base.reference, cache / "podman.json")
    say(f"podman runtime: {settings.runtime or 'its default'}; limits: {' '.join(settings.ulimits) or 'its own'}")
    certificate, key = issue_server_certificate(load_or_create_authority(cache / "authority", now), now)
    folder.write_private(folder.server_certificate, certificate)
    folder.write_private(folder.server_key, key)
    ports = _free_ports(4)
    state = CloudState(
        cloud_id=secrets.token_hex(4), cidr=str(chosen), api_port=ports[0], tls_port=ports[1], metadata_port=ports[2],
        names_port=ports[3], access_key_id="", secret_access_key="", base_image=base.reference,
        base_image_id=base.image_id, base_image_name=base.name,
    )  # fmt: skip
    folder.save(state)
    folder.calls.unlink(missing_ok=True)
    try:
        create_network(state, folder.label)
        _start_server(folder)
    except BaseException:
        for traces in _traces(folder, folder.load() or state):
            _remove(folder, traces, lambda _text: None)
        raise
    started = folder.load() or state
    say(
        f"up: {started.endpoint_url}, network {started.cidr}, base AMI {started.base_image_id} ({started.base_image_name})"
    )
    return started


def _start_server(folder: StateFolder) -> None:
    reader, writer = os.pipe()
    command = [sys.executable, "-m", SERVER, "--state", str(folder.path), "--ready-fd", str(writer)]
    with folder.log.open("wb") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            env={name: value for name, value in os.environ.items() if name not in to_unset(os.environ)} | MOTO_SETTINGS,
            stdout=log,
            stderr=log,
            pass_fds=[writer],
            start_new_session=True,
            cwd="/",
        )
    os.close(writer)
    try:
        is_ready = _wait_ready(reader, process)
    except BaseException:
        process.kill()
        raise
    finally:
        os.close(reader)
    if not is_ready:
        process.kill()
        tail = "\n".join(folder.log.read_text(errors="replace").splitlines()[-5:])
        raise AwsError(f"The local cloud's server did not start:\n{tail}", f"See {folder.log}.")


def _wait_ready(reader: int, process: subprocess.Popen[bytes]) -> bool:
    os.set_blocking(reader, False)
    deadline = time.monotonic() + READY_SECONDS
    answer = b""
    while not answer.endswith(b"\n") and time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(BlockingIOError):
            answer += os.read(reader, 64)
        time.sleep(0.05)
    return answer == b"ready\n"


def _remove(folder: StateFolder, traces: Traces, say: Say) -> None:
    if _is_server(traces.pid, folder):
        _end_process(traces.pid)
        say("server stopped")
    podman, label = Podman(), f"goldfleet.cloud={traces.cloud_id}"
    names = [record["Names"][0] for record in podman.containers(label)]
    if names:
        podman.remove_containers(names)
        say(f"{len(names)} machine{'s' if len(names) != 1 else ''} removed")
    for removed in remove_network(traces.cloud_id, traces.cidr):
        say(f"{removed} removed")
    images = podman.images(label)
    if images:
        podman.run("rmi", "--force", *images)
        say(f"{len(images)} image{'s' if len(images) != 1 else ''} removed")
    shutil.rmtree(folder.balancers, ignore_errors=True)  # keys of certificates among them
    for file in (folder.file, folder.server_key, folder.server_certificate):
        file.unlink(missing_ok=True)


def _server_pid(folder: StateFolder) -> int:
    """Return the process id of this state folder's server, 0 where none runs."""
    pids = (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return next((pid for pid in pids if _is_server(pid, folder)), 0)


def _end_process(pid: int) -> None:
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + STOP_SECONDS
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        with contextlib.suppress(ChildProcessError):
            os.waitpid(pid, os.WNOHANG)
        time.sleep(0.05)
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _is_server(pid: int, folder: StateFolder) -> bool:
    """Say whether that process is this cloud's server, and not another that was given the same number."""
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return pid > 0 and SERVER.encode() in command and str(folder.path).encode() in command


def _free_ports(count: int) -> list[int]:
    """Return free TCP ports of loopback; they are held all at once, so that each is another."""
    with contextlib.ExitStack() as stack:
        listeners = [stack.enter_context(socket.socket()) for _ in range(count)]
        for listener in listeners:
            listener.bind(("127.0.0.1", 0))
        return [listener.getsockname()[1] for listener in listeners]
