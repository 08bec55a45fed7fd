"""The only caller of the `podman` command.

Knows which settings podman needs on this host (`probe`), and nothing of EC2. Neighbours: machines, network, base_image.
"""

import json
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from goldfleet.errors import GoldfleetError, RefusedError


class PodmanError(GoldfleetError):
    """A podman command failed; the message holds the command's last line."""

    exit_code = 4


LISTINGS = 10  # how often images are listed before another process's removals are an error


@dataclass(frozen=True)
class PodmanSettings:
    """What podman must be told on this host to start a machine; found by `probe`."""

    runtime: str = ""
    ulimits: tuple[str, ...] = ()

    def global_options(self) -> tuple[str, ...]:
        """Return the options that stand before podman's subcommand."""
        return ("--runtime", self.runtime) if self.runtime else ()

    def run_options(self) -> tuple[str, ...]:
        """Return the options of `podman run` and `podman create`."""
        return tuple(part for ulimit in self.ulimits for part in ("--ulimit", ulimit))


# Tried in this order. Restricted hosts refuse crun's cgroup set-up and podman's own raising of the limits.
CANDIDATES = (
    PodmanSettings(),
    PodmanSettings(runtime="runc"),
    PodmanSettings(runtime="runc", ulimits=("nofile=20000:20000", "nproc=20000:20000")),
    PodmanSettings(runtime="crun", ulimits=("nofile=20000:20000", "nproc=20000:20000")),
)


@dataclass(frozen=True)
class Podman:
    """Runs podman with the settings of this host."""

    settings: PodmanSettings = field(default_factory=PodmanSettings)

    def run(self, *arguments: str, timeout_seconds: float = 120) -> str:
        """Run one podman command and return its standard output.

        Raises PodmanError with podman's own words when the command fails or does not end in time.
        """
        command = ["podman", *self.settings.global_options(), *arguments]
        try:
            # A session of its own: a Ctrl-C in the terminal must not end what a clean-up runs.
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=timeout_seconds, check=False, start_new_session=True
            )
        except FileNotFoundError as error:
            raise RefusedError("The local cloud needs podman, which is not on PATH.", "Run `make setup`.") from error
        except subprocess.TimeoutExpired as error:
            raise PodmanError(f"`podman {arguments[0]}` did not end within {timeout_seconds:.0f} s.") from error
        if done.returncode != 0:
            said = (done.stderr.strip() or done.stdout.strip() or "no output").splitlines()[-1]
            raise PodmanError(f"`podman {' '.join(arguments[:2])}` failed: {said}")
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """Run one podman command that prints JSON and return the parsed value."""
        return json.loads(self.run(*arguments) or "null")

    def image_exists(self, reference: str) -> bool:
        """Say whether an image of that reference is in podman's store."""
        found = subprocess.run(["podman", "image", "exists", reference], capture_output=True, check=False)
        return found.returncode == 0

    def images(self, label: str) -> list[str]:
        """Return the ids of the images that carry a label (`key=value`), each once.

        Podman fails to list images while another process removes one ("image not known"); it is asked again then.
        """
        options = ("--quiet", "--filter", f"label={label}")
        for _ in range(LISTINGS):
            try:
                return list(dict.fromkeys(self.run("images", *options).split()))
            except PodmanError as error:
                if "image not known" not in str(error):
                    raise
                problem = error
        raise problem

    def containers(self, label: str, *, all_states: bool = True) -> list[dict[str, Any]]:
        """Return podman's records of the containers that carry a label (`key=value`)."""
        options = ["--all"] if all_states else []
        return self.json("ps", *options, "--filter", f"label={label}", "--format", "json") or []

    def wait_until_cleaned_up(self, container_id: str, timeout_seconds: float = 30) -> None:
        """Wait until nothing is left to do for a run of a container that is over, at most `timeout_seconds`.

        Conmon ends by becoming `podman container cleanup`, which may come late on a busy host. Met by a container that was
        meanwhile initialised for its next run, it would tear that one down.
        """
        deadline = time.monotonic() + timeout_seconds
        while is_named_by_a_process(container_id) and time.monotonic() < deadline:
            time.sleep(0.05)

    def remove_containers(self, names: Sequence[str]) -> None:
        """Remove containers at once, running or not; names that are gone already are no error."""
        if names:
            self.run("rm", "--force", "--ignore", "--time", "0", "--volumes", *names)


def is_named_by_a_process(container_id: str, proc: Path = Path("/proc")) -> bool:
    """Say whether any process, such as conmon or podman, has a container's id among its arguments."""
    wanted = container_id.encode()
    for command_line in proc.glob("[0-9]*/cmdline"):
        try:
            if wanted in command_line.read_bytes().split(b"\0"):
                return True
        except OSError:  # the process has just ended
            continue
    return False


def probe(image: str, cache_file: Path) -> PodmanSettings:
    """Return the first settings with which a container of `image` really starts on this host.

    The answer is remembered in `cache_file` under podman's version and the kernel's release. Raises RefusedError with
    every candidate's error when none works.
    """
    key = _host_key()
    remembered = _read_settings(cache_file, key)
    if remembered is not None:
        return remembered
    problems = []
    for candidate in CANDIDATES:
        podman = Podman(candidate)
        try:
            podman.run("run", "--rm", "--network", "none", *candidate.run_options(), image, "true")
        except PodmanError as error:
            problems.append(f"{candidate}: {error}")
            continue
        cache_file.parent.mkdir(parents=True, exist_ok=True)
        cache_file.write_text(json.dumps({"key": key, "runtime": candidate.runtime, "ulimits": candidate.ulimits}))
        return candidate
    raise RefusedError("Podman cannot start a container on this host.", reasons=tuple(problems))


def _host_key() -> str:
    version = Podman().run("--version").strip()
    return f"{version} on Linux {Path('/proc/sys/kernel/osrelease').read_text().strip()}"


def _read_settings(cache_file: Path, key: str) -> PodmanSettings | None:
    try:
        stored = json.loads(cache_file.read_text())
    except (OSError, ValueError):
        return None
    if stored.get("key") != key:
        return None
    return PodmanSettings(runtime=stored["runtime"], ulimits=tuple(stored["ulimits"]))
