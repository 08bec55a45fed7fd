"""How a running instance is reached: over SSH, with host keys pinned from its console or earlier; or by Systems Manager.

Whatever is wrong with an instance is a value, never an error: a fleet has other instances.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from goldfleet.aws.errors import ThingIsGoneError
from goldfleet.aws.model import Instance
from goldfleet.clock import Clock, wait_until
from goldfleet.ssh.known_hosts import HostKey, known_hosts_lines, parse_host_keys, pinned_for
from goldfleet.transport.model import Host, SshHost, SsmHost, sudo
from goldfleet.verify.ports import Machines
from goldfleet.verify.tunnels import Tunnels

HOST_KEY_SECONDS = 120.0
"""How long host keys on the console are waited for: cloud-init prints them at the end of a first boot."""


@dataclass(frozen=True)
class Login:
    """Who logs in. With no private key, "", SSH uses its own keys and agent.

    `known_hosts` is a file with keys pinned earlier; it is read when a console shows none any more.
    """

    user: str
    private_key: str
    known_hosts: Path

    def host(self, address: str, keys: tuple[HostKey, ...]) -> SshHost:
        """Return how a server is reached at an address, which must show one of these keys."""
        lines = "".join(f"{line}\n" for line in known_hosts_lines([address], keys))
        return SshHost(address, self.user, lines, private_key=self.private_key, become=sudo())


@dataclass(frozen=True)
class Unreachable:
    """An instance that cannot be reached, and why."""

    why: str


class Reach(Protocol):
    """Finds out how instances are reached; may be used from several threads at once."""

    def look(self, instance: Instance) -> Host | Unreachable | None:
        """Return how an instance is reached, or None while nobody knows."""
        ...

    def wait(self, instance: Instance) -> Host | Unreachable:
        """Return how an instance is reached, as soon as that is known."""
        ...


class SsmReach:
    """Instances that Systems Manager manages; which of them do not answer, it tells itself."""

    def __init__(self, host: Callable[[Instance], SsmHost]) -> None:
        self._host = host

    def look(self, instance: Instance) -> SsmHost | Unreachable:
        """Return how an instance is reached."""
        return _not_running(instance) or self._host(instance)

    wait = look


class SshReach:
    """Instances with sshd, reached directly or through a tunnel; may be used from several threads at once."""

    def __init__(self, login: Login, machines: Machines, clock: Clock, tunnels: Tunnels | None = None) -> None:
        self._login = login
        self._machines = machines
        self._clock = clock
        self._tunnels = tunnels

    def look(self, instance: Instance) -> SshHost | Unreachable | None:
        """Return how an instance is reached, or None while it shows no host keys.

        Raises AwsError when AWS does not show the console.
        """
        if why := _not_running(instance):
            return why
        try:
            keys = parse_host_keys(self._machines.console_output(instance.instance_id))
        except ThingIsGoneError:
            return Unreachable("the instance does not exist any more")
        keys = keys or self._pinned(instance.instance_id)
        if not keys:
            return None
        host = self._login.host(instance.address, keys)
        return replace(host, proxy_command=self._tunnels.command(instance.instance_id)) if self._tunnels else host

    def wait(self, instance: Instance) -> SshHost | Unreachable:
        """Return how an instance is reached, as soon as it shows host keys.

        Raises AwsError when AWS does not show the console, StoppedError on a stop.
        """

        def look() -> SshHost | Unreachable | None:
            return self.look(instance)

        found = wait_until(look, self._clock, HOST_KEY_SECONDS)
        return found if isinstance(found, SshHost | Unreachable) else Unreachable(_no_host_keys(instance.instance_id))

    def _pinned(self, instance_id: str) -> tuple[HostKey, ...]:
        file = self._login.known_hosts
        return pinned_for(file.read_text(encoding="utf-8"), instance_id) if file.is_file() else ()


def _not_running(instance: Instance) -> Unreachable | None:
    if instance.state == "running":
        return None
    return Unreachable(f"the instance is {instance.state or 'not known to AWS'}")


def _no_host_keys(instance_id: str) -> str:
    return (
        f"no SSH host keys on its console within {HOST_KEY_SECONDS:.0f} s, and none pinned earlier: cloud-init prints them at "
        f"the first boot only; pin them soon after a launch, with `goldfleet known-hosts {instance_id}`"
    )
