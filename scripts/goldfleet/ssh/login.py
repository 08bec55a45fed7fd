"""Logs in to a machine with the `ssh` program and a configuration of our own."""

import subprocess
from contextlib import suppress
from pathlib import Path

from goldfleet.errors import UsageError
from goldfleet.process import Command, run_streaming
from goldfleet.stop import StopFlag

LOGIN_TIMEOUT_SECONDS = 20

_BOOT_IS_OVER = (
    "if command -v cloud-init >/dev/null; then cloud-init status --wait >/dev/null 2>&1; fi; "
    "systemctl is-system-running --wait >/dev/null 2>&1; true"
)

HOLDS = (
    "cd /run/goldfleet/hold 2>/dev/null || exit 0; "
    'for name in *; do if [ -f "$name" ]; then echo "$name: $(head -n 1 "$name")"; fi; done'
)
"""Prints what holds a server out of service, a line each (docs/server_folders.md)."""


def wait_for_boot_command(seconds: int) -> str:
    """Return the command that waits for cloud-init and systemd, and judges neither: that is what the specs are for."""
    return f"timeout {seconds} sh -c '{_BOOT_IS_OVER}'"


class Ssh:
    """Runs commands on one machine, by address, as its SSH configuration says."""

    def __init__(
        self, config: Path, address: str, stop: StopFlag, timeout_seconds: float = LOGIN_TIMEOUT_SECONDS
    ) -> None:
        self._config = config
        self._address = address
        self._stop = stop
        self._timeout_seconds = timeout_seconds

    def login_error(self) -> str:
        """Return "" when a login works, else what ssh says; it tries once."""
        return self._ask("true")[1]

    def holds(self) -> tuple[str, ...]:
        """Return what holds the machine out of service, `name: reason` each; or what ssh says when that cannot be asked."""
        printed, error = self._ask(HOLDS)
        return (error,) if error else tuple(printed.splitlines())

    def _ask(self, command: str) -> tuple[str, str]:
        """Run a short command and return what it printed, and "" or what ssh says; it tries once."""
        try:
            ended = subprocess.run(
                self._words(command),
                capture_output=True,
                text=True,
                errors="replace",
                timeout=self._timeout_seconds,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        except FileNotFoundError as error:
            raise UsageError("There is no `ssh` on PATH.", "Install OpenSSH's client.") from error
        except subprocess.TimeoutExpired:
            return "", f"no answer within {self._timeout_seconds} s"
        if ended.returncode == 0:
            return ended.stdout, ""
        return "", (ended.stderr.strip().splitlines() or [f"exit status {ended.returncode}"])[-1]

    def wait_for_boot(self, environment: dict[str, str], timeout_seconds: int) -> None:
        """Wait until cloud-init and systemd have done what they do at boot, or the time is over."""
        words = self._words(wait_for_boot_command(timeout_seconds))
        run_streaming(Command(words, environment, Path("/"), grace_seconds=5), lambda _line: None, self._stop)

    def close(self) -> None:
        """End the shared connection, if there is one; one that does not answer ends by itself a minute later."""
        words = ["ssh", "-F", str(self._config), "-O", "exit", self._address]
        with suppress(subprocess.TimeoutExpired, FileNotFoundError):
            subprocess.run(words, capture_output=True, timeout=self._timeout_seconds, check=False)

    def _words(self, command: str) -> list[str]:
        return ["ssh", "-F", str(self._config), self._address, command]
