"""Checks one running instance: host keys pinned from its console, a login, the specs.

Whatever is wrong with the instance is part of the result, never an error: a fleet has other instances. Files of the
connection live in a folder of their own, private to the user, and are gone afterwards.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from goldfleet.aws.errors import ThingIsGoneError
from goldfleet.aws.model import Instance
from goldfleet.clock import Clock, wait_until
from goldfleet.errors import VerificationError
from goldfleet.ssh.config import Target, build_ssh_config
from goldfleet.ssh.failures import explain_login_error, is_final
from goldfleet.ssh.known_hosts import HostKey, parse_host_keys, pin, pinned_for
from goldfleet.ssh.login import Ssh
from goldfleet.ssh.sockets import control_folder
from goldfleet.stop import StopFlag
from goldfleet.verify.model import HostResult
from goldfleet.verify.ports import Machines
from goldfleet.verify.testinfra_run import SpecRun, SpecRunner
from goldfleet.verify.wanted import Wanted

HOST_KEY_SECONDS = 120.0
"""How long host keys on the console are waited for: cloud-init prints them at the end of a first boot."""

LOGIN_SECONDS = 30.0
"""How long a login is waited for once there are host keys: sshd is up before they are printed."""

BOOT_SECONDS = 60
"""How long the rest of a boot is waited for; whether it went well is for the specs to say."""

NOT_GOLDEN = "not golden"


@dataclass(frozen=True)
class Selection:
    """Which checks are run: pytest's -m and -k expressions, "" for all."""

    marker: str = ""
    keyword: str = ""


EVERYTHING = Selection()


@dataclass(frozen=True)
class SpecSettings:
    """Which specs are run and how hosts are reached. With no private key, "", ssh uses its own keys and agent.

    `known_hosts` is a file with keys pinned earlier; it is read when a console shows none any more.
    """

    project: Path
    specs: str
    user: str
    private_key: str
    known_hosts: Path
    timeout_seconds: int
    selection: Selection = EVERYTHING


class HostChecks:
    """Checks instances, each in a pytest of its own; may be used from several threads at once."""

    def __init__(
        self, settings: SpecSettings, machines: Machines, clock: Clock, stop: StopFlag, environment: Mapping[str, str]
    ) -> None:
        self._settings = settings
        self._machines = machines
        self._clock = clock
        self._stop = stop
        self._environment = environment

    def check(self, instance: Instance, wanted: Wanted, junit: Path, on_line: Callable[[str], None]) -> HostResult:
        """Check a running instance; pytest's own report is written to `junit`.

        Raises StoppedError on a stop, AwsError when AWS does not show the console.
        """
        started = self._clock.monotonic()
        with control_folder() as folder:
            result = self._check(instance, wanted, _Files(folder, junit), on_line)
        return replace(
            result,
            instance_id=instance.instance_id,
            image_id=instance.image_id,
            note=wanted.note,
            seconds=self._clock.monotonic() - started,
        )

    def _check(self, instance: Instance, wanted: Wanted, files: "_Files", on_line: Callable[[str], None]) -> HostResult:
        address = instance.address
        if instance.state != "running":
            return HostResult(address, unreachable=f"the instance is {instance.state or 'not known to AWS'}")
        on_line("waiting for host keys and a login")
        try:
            keys = self._host_keys(instance.instance_id)
        except ThingIsGoneError:
            return HostResult(address, unreachable="the instance does not exist any more")
        if not keys:
            return HostResult(address, unreachable=_no_host_keys(instance.instance_id))
        files.write(self._target(address, files), wanted, keys)
        return self._log_in_and_run(address, wanted, files, on_line)

    def _host_keys(self, instance_id: str) -> tuple[HostKey, ...]:
        """Return the keys that the console shows or, when it shows none any more, those pinned from it earlier."""

        def look() -> tuple[HostKey, ...] | None:
            return parse_host_keys(self._machines.console_output(instance_id)) or self._pinned(instance_id) or None

        return wait_until(look, self._clock, HOST_KEY_SECONDS) or ()

    def _pinned(self, instance_id: str) -> tuple[HostKey, ...]:
        file = self._settings.known_hosts
        return pinned_for(file.read_text(encoding="utf-8"), instance_id) if file.is_file() else ()

    def _log_in_and_run(
        self, address: str, wanted: Wanted, files: "_Files", on_line: Callable[[str], None]
    ) -> HostResult:
        ssh = Ssh(files.ssh_config, address, self._stop)

        def probe() -> str:
            return explain_login_error(ssh.login_error(), self._settings.user)

        try:
            if unreachable := self._wait_for_login(probe):
                return HostResult(address, unreachable=unreachable)
            ssh.wait_for_boot(dict(self._environment), BOOT_SECONDS)
            self._stop.check()
            run = self._spec_run(address, wanted, files)
            return SpecRunner(self._environment, self._stop).run(run, probe, on_line)
        except VerificationError as error:
            return HostResult(address, not_run=error.message)
        finally:
            ssh.close()

    def _wait_for_login(self, probe: Callable[[], str]) -> str:
        """Return "" once a login works, else why none did in time."""
        error = ""

        def look() -> bool | None:
            nonlocal error
            error = probe()
            return True if not error or is_final(error) else None

        wait_until(look, self._clock, LOGIN_SECONDS)
        return error

    def _target(self, address: str, files: "_Files") -> Target:
        return Target(
            address=address,
            user=self._settings.user,
            private_key=self._settings.private_key,
            known_hosts=str(files.known_hosts),
            control_path=str(files.folder / "%C"),
        )

    def _spec_run(self, address: str, wanted: Wanted, files: "_Files") -> SpecRun:
        settings = self._settings
        return SpecRun(
            specs=settings.project / settings.specs,
            root=settings.project,
            host=address,
            user=settings.user,
            ssh_config=files.ssh_config,
            variables=files.variables,
            junit=files.junit,
            marker=marker_for(settings.selection.marker, is_golden=wanted.is_golden),
            timeout_seconds=settings.timeout_seconds,
            keyword=settings.selection.keyword,
        )


@dataclass(frozen=True)
class _Files:
    """The files of one connection, in a folder that is gone afterwards, and the report, which stays."""

    folder: Path
    junit: Path

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def ssh_config(self) -> Path:
        return self.folder / "ssh_config"

    @property
    def variables(self) -> Path:
        return self.folder / "variables.json"

    def write(self, target: Target, wanted: Wanted, keys: tuple[HostKey, ...]) -> None:
        """Write what ssh and the specs read."""
        self.junit.unlink(missing_ok=True)
        self.known_hosts.write_text(pin("", [target.address], keys), encoding="utf-8")
        self.ssh_config.write_text(build_ssh_config(target), encoding="utf-8")
        self.variables.write_text(json.dumps(dict(wanted.variables)), encoding="utf-8")


def marker_for(marker: str, *, is_golden: bool) -> str:
    """Return pytest's -m expression for a server: golden specs only where a bake made its image."""
    if is_golden:
        return marker
    return f"({marker}) and {NOT_GOLDEN}" if marker else NOT_GOLDEN


def _no_host_keys(instance_id: str) -> str:
    return (
        f"no SSH host keys on its console within {HOST_KEY_SECONDS:.0f} s, and none pinned earlier: cloud-init prints them at "
        f"the first boot only; pin them soon after a launch, with `goldfleet known-hosts {instance_id}`"
    )
