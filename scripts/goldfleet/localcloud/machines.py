"""EC2 instances as podman containers that run systemd, sshd and cloud-init.

One method an act: make, start, stop, remove, commit, console. Knows containers and images, nothing of EC2's states
(`ec2/lifecycle.py` decides those) and nothing of moto.
"""

import os
import select
import subprocess
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from queue import SimpleQueue

from goldfleet.localcloud import firewall
from goldfleet.localcloud.podman import Podman, PodmanError
from goldfleet.localcloud.state import CloudState

# With these two systemd's sandboxing works; SYS_TIME would set the HOST's clock and is never given, nor is --privileged.
CAPABILITIES = ("SYS_ADMIN", "SYS_PTRACE")
CONSOLE_BYTES = 64 * 1024  # what GetConsoleOutput returns at most (EC2 API reference)
REMEMBERED_CONSOLES = 100  # of machines that are gone, the last ones
REBOOTING = b"Rebooting."  # the last word of systemd-shutdown before a restart; its exit code is 0 in a container


@dataclass(frozen=True)
class MachineSpec:
    """What a machine is made of: its instance id, image, address and host name."""

    instance_id: str
    image: str
    address: str
    hostname: str


@dataclass(frozen=True)
class Machines:
    """The machines of one cloud."""

    podman: Podman
    state: CloudState
    last_words: dict[str, bytes] = field(default_factory=dict)
    ended: SimpleQueue[str] = field(default_factory=SimpleQueue)  # ids of machines whose run is over, however it ended

    def name(self, instance_id: str) -> str:
        """Return the container's name."""
        return f"goldfleet-{self.state.cloud_id}-{instance_id}"

    def snapshot_reference(self, snapshot_id: str) -> str:
        """Return podman's reference of the image that stands for an EBS snapshot."""
        return f"localhost/goldfleet/{self.state.cloud_id}:{snapshot_id}"

    def create(self, spec: MachineSpec) -> None:
        """Make the container; it does not run yet."""
        capabilities = [part for name in CAPABILITIES for part in ("--cap-add", name)]
        self.podman.run(
            "create", "--tty", "--systemd=always", *capabilities, *self.podman.settings.run_options(),
            "--name", self.name(spec.instance_id), "--hostname", spec.hostname,
            "--label", self.state.label, "--label", f"goldfleet.instance={spec.instance_id}",
            "--network", self.state.network_name, "--ip", spec.address,
            "--dns", self.state.gateway, "--dns-search", "ec2.internal",
            "--log-driver", "k8s-file", "--stop-timeout", "20",
            spec.image, "/sbin/init",
        )  # fmt: skip

    def start(self, instance_id: str, table: str) -> None:
        """Start a stopped or new machine; its packet filters stand before its first process runs.

        When this run of it is over, its id is put into `ended`.
        """
        name = self.name(instance_id)
        container_id = self._inspect(instance_id, "{{.Id}}")
        self.podman.wait_until_cleaned_up(container_id)
        self.podman.run("init", name)
        pid = self.pid(instance_id)
        firewall.enforce(pid, table)

        def settle() -> None:
            self.podman.wait_until_cleaned_up(container_id)
            self.ended.put(instance_id)

        when_ended(pid, settle)
        self.podman.run("start", name)

    def enforce(self, instance_id: str, table: str) -> None:
        """Replace a machine's packet filters; nothing happens when it is not running."""
        pid = self.pid(instance_id)
        if pid > 0:
            firewall.enforce(pid, table)

    def pid(self, instance_id: str) -> int:
        """Return the host's id of the machine's first process, another in each run of it; 0 when it does not run."""
        return int(self._inspect(instance_id, "{{.State.Pid}}") or 0)

    def _inspect(self, instance_id: str, template: str) -> str:
        return self.podman.run("inspect", "--format", template, self.name(instance_id)).strip()

    def stop(self, instance_id: str) -> None:
        """Shut a machine down in order; after 20 s it is killed."""
        self.podman.run("stop", self.name(instance_id))

    def remove(self, instance_id: str) -> None:
        """Remove a machine with its disk, running or not; what it wrote to its console can still be read."""
        self.last_words[instance_id] = self.console(instance_id)
        while len(self.last_words) > REMEMBERED_CONSOLES:
            del self.last_words[next(iter(self.last_words))]
        self.podman.remove_containers([self.name(instance_id)])

    def commit(self, instance_id: str, snapshot_id: str) -> None:
        """Keep a stopped machine's disk as the image of a snapshot."""
        self.podman.run(
            "commit", "--quiet", "--change", f"LABEL {self.state.label}",
            self.name(instance_id), self.snapshot_reference(snapshot_id), timeout_seconds=600,
        )  # fmt: skip

    def delete_snapshot(self, reference: str) -> None:
        """Forget a snapshot's image; its layers go with the last machine that was started from it."""
        if self.podman.image_exists(reference):
            self.podman.run("untag", reference)
        self.prune()

    def prune(self) -> None:
        """Remove this cloud's own images that have neither a name nor a machine."""
        self.podman.run("image", "prune", "--force", "--filter", f"label={self.state.label}")

    def is_running(self, instance_id: str) -> bool:
        """Say whether the machine runs now."""
        try:
            return self._inspect(instance_id, "{{.State.Running}}") == "true"
        except PodmanError:
            return False

    def asked_for_restart(self, instance_id: str) -> bool:
        """Say whether a machine that ended by itself did so to start again (`reboot`, not `poweroff`)."""
        return REBOOTING in self.console(instance_id)[-1000:]

    def console(self, instance_id: str) -> bytes:
        """Return the last 64 KiB that the machine wrote to its console, also when it is gone.

        Source: EC2 user guide, "Instance console output": kept for at least an hour after an instance was terminated.
        """
        command = ["podman", *self.podman.settings.global_options(), "logs", self.name(instance_id)]
        done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.stdout[-CONSOLE_BYTES:] if done.returncode == 0 else self.last_words.get(instance_id, b"")


def when_ended(pid: int, act: Callable[[], None]) -> None:
    """Call `act` in a thread of its own once a process has ended; raises ProcessLookupError when there is none.

    The kernel tells (pidfd_open(2)). `podman events` would not do: it falls silent when podman shortens its event log.
    """
    descriptor = os.pidfd_open(pid)

    def wait() -> None:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll()
        os.close(descriptor)
        act()

    threading.Thread(target=wait, name=f"end of {pid}", daemon=True).start()
