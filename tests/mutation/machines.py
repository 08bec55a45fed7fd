"""Machines that mutants run on, and the images that they start from: podman, all of it known by one label.

The only place of the tool that calls podman. Neighbours: prepare, which makes the images; trial, which uses the machines.
"""

import datetime
import hashlib
import itertools
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from goldfleet.localcloud.base_image import ensure_base_image
from goldfleet.localcloud.machines import CAPABILITIES
from goldfleet.localcloud.podman import Podman, PodmanError, probe
from goldfleet.localcloud.state import cache_folder

LABEL = "goldfleet.mutation"
BOOT_SECONDS = 60
POLL_SECONDS = 0.3
NO_CLOUD = "/etc/cloud/cloud.cfg.d/99_no_cloud.cfg"


class ToolError(Exception):
    """The tool itself could not do its work; no verdict."""


class BootError(ToolError):
    """A machine did not come up; the message says what it said of itself."""


class Machines:
    """Starts, keeps and removes the machines of one working tree."""

    def __init__(self, tree: Path) -> None:
        """Find the base image, which is made when it is missing."""
        base = ensure_base_image(cache_folder(), datetime.datetime.now(datetime.UTC), lambda _: None)
        self.base = base.reference
        self._settings = probe(base.reference, cache_folder() / "podman.json")
        self._podman = Podman(self._settings)
        self._owner = hashlib.sha256(str(tree).encode()).hexdigest()[:12]
        self._no_cloud = tree / ".config" / "molecule" / "no_cloud.cfg"
        self._numbers = itertools.count(1)

    @contextmanager
    def machine(self, image: str) -> Iterator[str]:
        """Start a machine of an image, hand out its name once it has booted, and remove it."""
        name = f"goldfleet-mutation-{self._owner}-{next(self._numbers)}"
        options = ["--tty", "--systemd=always", *self._settings.run_options()]
        options += [part for capability in CAPABILITIES for part in ("--cap-add", capability)]
        labelled = ("--label", f"{LABEL}={self._owner}")
        try:
            self._podman.run("create", "--name", name, "--hostname", name, *labelled, *options, image, "/sbin/init")
            # Without a cloud to ask, cloud-init must not wait for one; what asks here is molecule's own file.
            self._podman.run("cp", str(self._no_cloud), f"{name}:{NO_CLOUD}")
            self._podman.run("start", name)
            self.wait_booted(name)
            yield name
        finally:
            self._podman.remove_containers([name])

    def restart(self, name: str) -> None:
        """Start a machine again as a reboot does. Raises BootError when it does not come up in order."""
        self._podman.run("restart", "--time", "20", name)
        state = self.wait_booted(name)
        if state != "running":
            failed = self.read(name, "systemctl", "list-units", "--failed", "--plain", "--no-legend").split(" ")[0]
            raise BootError(f"{state}: {failed}")

    def wait_booted(self, name: str) -> str:
        """Wait until a machine has booted and return systemd's word for it: running, or degraded."""
        deadline = time.monotonic() + BOOT_SECONDS
        state = "nothing"
        while time.monotonic() < deadline:
            state = self.read(name, "systemctl", "is-system-running", "--wait") or state
            if state in ("running", "degraded"):
                return state
            time.sleep(POLL_SECONDS)
        raise BootError(f"not booted within {BOOT_SECONDS} s: {state}")

    def run(self, name: str, *command: str, timeout_seconds: float = 300) -> str:
        """Run a command on a machine and return what it prints. Raises PodmanError when it fails."""
        return self._podman.run("exec", name, *command, timeout_seconds=timeout_seconds)

    def read(self, name: str, *command: str) -> str:
        """Run a command on a machine and return what it prints, whatever its exit code."""
        done = subprocess.run(
            ["podman", "exec", name, *command], capture_output=True, text=True, check=False, timeout=120,
            start_new_session=True,
        )  # fmt: skip
        return done.stdout.strip()

    def copy_out(self, name: str, folder: str, target: Path) -> None:
        """Copy the content of a folder of a machine."""
        target.mkdir(parents=True, exist_ok=True)
        self._podman.run("cp", f"{name}:{folder}/.", str(target))

    def copy_in(self, source: Path, name: str, folder: str) -> None:
        """Copy the content of a folder into one that a machine has."""
        self._podman.run("cp", f"{source}/.", f"{name}:{folder}")

    def keep(self, name: str, as_image: str) -> str:
        """Make an image of a machine's file system and return its reference."""
        reference = f"localhost/goldfleet/mutation-{self._owner}:{as_image}"
        change = f"LABEL {LABEL}={self._owner}"
        self._podman.run("commit", "--quiet", "--change", change, name, reference, timeout_seconds=300)
        return reference

    def remove_all(self) -> None:
        """Remove every machine and image that this working tree's runs made, those of a killed run too."""
        label = f"{LABEL}={self._owner}"
        found = [record["Id"] for record in self._podman.containers(label)]
        self._podman.remove_containers(found)
        for image in self._podman.images(label):
            try:
                self._podman.run("rmi", "--force", image)
            except PodmanError:  # it went with another one
                continue
