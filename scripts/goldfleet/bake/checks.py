"""What is done to a booted copy over SSH: wait for a login, run the specs, write the report."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from goldfleet.bake.ports import Copy
from goldfleet.clock import Clock, wait_until
from goldfleet.config.settings import ImageSettings
from goldfleet.errors import VerificationError
from goldfleet.ssh.config import Target, build_ssh_config
from goldfleet.ssh.login import Ssh
from goldfleet.stop import StopFlag
from goldfleet.transport.model import SshHost, sudo
from goldfleet.verify.job import Job
from goldfleet.verify.job_process import JobProcess, Specs
from goldfleet.verify.model import HostResult, Verdict
from goldfleet.verify.reports import report_folder, write_reports


@dataclass(frozen=True)
class SshChecks:
    """Checks copies of one project's images. `control_folder` holds the sockets of shared connections: a short path."""

    project: Path
    settings: ImageSettings
    environment: Mapping[str, str]
    clock: Clock
    stop: StopFlag
    control_folder: Path

    def wait_for_login(self, copy: Copy, timeout_seconds: float) -> None:
        """Return when a login with the pinned keys works and the boot is over.

        Raises VerificationError when the time is over before.
        """
        deadline = self.clock.monotonic() + timeout_seconds
        copy.run.ssh_config.write_text(build_ssh_config(self._target(copy)), encoding="utf-8")
        ssh = Ssh(copy.run.ssh_config, copy.address, self.stop)
        error = ""

        def look() -> bool | None:
            nonlocal error
            error = ssh.login_error()
            return None if error else True

        if not wait_until(look, self.clock, timeout_seconds):
            raise VerificationError(
                f"No SSH login as {self.settings.ssh_username} on {copy.address} ({copy.instance_id}, a copy of "
                f"{copy.image_id}) within {self.settings.boot_timeout_minutes} min: {error}."
            )
        ssh.wait_for_boot(dict(self.environment), max(1, int(deadline - self.clock.monotonic())))
        self.stop.check()

    def wait_for_service(self, copy: Copy, timeout_seconds: float) -> tuple[str, ...]:
        """Return () as soon as nothing holds the copy out of service, and what still does when the time is over."""
        ssh = Ssh(copy.run.ssh_config, copy.address, self.stop)
        held: tuple[str, ...] = ()

        def look() -> bool | None:
            nonlocal held
            held = ssh.holds()
            return None if held else True

        wait_until(look, self.clock, timeout_seconds)
        return held

    def verify(self, copy: Copy, on_line: Callable[[str], None]) -> HostResult:
        """Run the specs and return what they said; JUnit and JSON reports are in `.goldfleet/reports/<run id>/`.

        Raises VerificationError when the specs could not be run or none was, StoppedError on a stop.
        """
        began = self.clock.monotonic()
        specs = Specs(
            path=copy.run.path / self.settings.specs,
            root=copy.run.path,
            variables=json.loads(copy.run.variables.read_text(encoding="utf-8")),
            timeout_seconds=self.settings.verify_timeout_minutes * 60,
        )
        host = SshHost(
            copy.address, self.settings.ssh_username, copy.run.known_hosts.read_text(encoding="utf-8"),
            private_key=str(copy.run.private_key), become=sudo(),
        )  # fmt: skip
        Ssh(
            copy.run.ssh_config, copy.address, self.stop
        ).close()  # the waits are over; a job has a connection of its own
        found = JobProcess(self.environment, self.stop).run(Job({copy.address: host}), specs, on_line)
        self.stop.check()
        if found.spent is None:
            raise VerificationError(found.failure)
        checks = found.servers[copy.address]
        seconds = self.clock.monotonic() - began
        result = HostResult(copy.address, checks.checks, unreachable=checks.trouble, seconds=seconds)
        verdict = Verdict((result,), remarks=found.remarks, cost=found.spent.cost)
        write_reports(verdict, report_folder(self.project, copy.run.path.name))
        return result

    def _target(self, copy: Copy) -> Target:
        return Target(
            address=copy.address,
            user=self.settings.ssh_username,
            private_key=str(copy.run.private_key),
            known_hosts=str(copy.run.known_hosts),
            control_path=str(self.control_folder / "%C"),
        )
