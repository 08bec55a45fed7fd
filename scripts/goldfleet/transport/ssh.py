"""Asks servers over SSH: one connection and one session for each, which stays open until the transport is closed.

Host keys are pinned; a server with another key is refused. Handshakes at one time are bounded, and a server that turns one
away because of too many (MaxStartups) is tried again a little later. Source: sshd_config(5), MaxStartups.
"""

import asyncio
import errno
import itertools
import os
import random
import socket
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import asyncssh

from goldfleet.transport.model import Cost, Limits, SshHost
from goldfleet.transport.protocol import session_command
from goldfleet.transport.sessions import Process, Sessions, UnreachedError

_TURNED_AWAY = (asyncssh.ConnectionLost, ConnectionResetError, BrokenPipeError)
"""How it looks here when the other end, or the program that leads there, ends a connection before the login."""

_OF_A_BOOT = (*_TURNED_AWAY, ConnectionRefusedError, asyncssh.PermissionDenied)
"""What is about to be ready, perhaps: sshd is not up, the user's key or a tunnel is not there yet."""

SSH_PORT = 22
TRIES = 5
"""How often a handshake is tried that the server's side ends before it says who it is."""

FIRST_PAUSE_SECONDS = 0.2

LOGIN_PAUSE_SECONDS = 1.0
"""How long after a refused login the next one is tried, while a server may still be booting."""


@dataclass(frozen=True)
class Tunnel:
    """A program whose two ends lead to a server's sshd, and the file of what it says beside that."""

    program: Sequence[str]
    said: Path

    @property
    def command(self) -> list[str]:
        """The command that starts it; asyncssh takes the end of its stderr for the end of the connection, so that is kept."""
        return ["sh", "-c", 'said=$1; shift; exec "$@" 3>&2 2>"$said"', "sh", str(self.said), *self.program]

    def last_line(self) -> str:
        """Return the last line that it said, "" for none."""
        lines = self.said.read_text(encoding="utf-8", errors="replace").split("\n") if self.said.is_file() else []
        return next((line.strip() for line in reversed(lines) if line.strip()), "")


class SshTransport(Sessions):
    """Servers over SSH, by name."""

    lost = (OSError, asyncssh.Error)
    files = 2

    def __init__(self, hosts: Mapping[str, SshHost], limits: Limits) -> None:
        super().__init__(limits, len(hosts))
        self._hosts = hosts
        self._connections: dict[str, asyncssh.SSHClientConnection] = {}
        self._handshakes = asyncio.Semaphore(limits.handshakes)
        self._loaded: dict[str, Sequence[asyncssh.SSHKeyPair]] = {}
        # What tunnels say must not get between what sshd says, and where there is no connection it is the reason.
        tunnelled = {name: host.proxy_command for name, host in hosts.items() if host.proxy_command}
        self._said = tempfile.TemporaryDirectory(prefix="goldfleet-tunnels-") if tunnelled else None
        folder = Path(self._said.name) if self._said else Path()
        self._tunnels = {name: Tunnel(program, folder / quote(name, safe="")) for name, program in tunnelled.items()}

    def close(self) -> None:
        """End every connection."""
        super().close()
        if self._said:
            self._said.cleanup()

    async def _open(self, name: str) -> Process:
        host = self._hosts[name]
        connection = self._connections[name] = await self._connect(name, host)
        seconds = self._limits.connect_seconds
        try:
            process = await asyncio.wait_for(
                connection.create_process(session_command(host.become), encoding=None, term_type=None), seconds
            )
        except TimeoutError:
            raise UnreachedError(f"no session within {seconds:.0f} s") from None
        except (OSError, asyncssh.Error) as error:
            raise UnreachedError(f"no session: {error}") from error
        return process

    async def _connect(self, name: str, host: SshHost) -> asyncssh.SSHClientConnection:
        """Return a connection to a server. Raises UnreachedError."""
        pause = FIRST_PAUSE_SECONDS
        patient_until = self._loop.time() + self._limits.login_seconds
        seconds = self._limits.connect_seconds
        tunnel = self._tunnels.get(name)
        for tried in itertools.count(1):
            client = _Client()
            try:
                async with self._handshakes:  # the wait for one's turn counts for nothing
                    connection = await asyncio.wait_for(self._handshake(host, client, tunnel), seconds)
            except (OSError, ValueError, asyncssh.Error) as error:
                is_turned_away = isinstance(error, _TURNED_AWAY) and tried < TRIES
                may_boot = isinstance(error, _OF_A_BOOT) and self._loop.time() < patient_until
                if not is_turned_away and not may_boot:
                    if tunnel and isinstance(error, (*_TURNED_AWAY, TimeoutError)):
                        raise UnreachedError(
                            explain_tunnel(error, host.address, seconds, tunnel.last_line())
                        ) from error
                    raise UnreachedError(explain_unreached(error, host, seconds, is_open=client.is_open)) from error
            else:
                self._cost += Cost(connections=1)
                return connection
            # Too many at once, perhaps: a little later, and not all at the same time.
            await asyncio.sleep(LOGIN_PAUSE_SECONDS if may_boot else pause * random.uniform(0.5, 1.5))  # noqa: S311 - no secret
            pause *= 2
        raise AssertionError("counting never ends")

    async def _handshake(self, host: SshHost, client: "_Client", tunnel: Tunnel | None) -> asyncssh.SSHClientConnection:
        chosen: dict[str, Any] = {
            "username": host.user,
            "client_keys": self._keys(host.private_key) if host.private_key else None,
        }
        chosen |= {"config": [host.config] if host.config else None, "port": host.port}
        chosen["proxy_command"] = tunnel.command if tunnel else None
        if host.known_hosts:
            chosen["known_hosts"] = asyncssh.import_known_hosts(host.known_hosts)
        options = {name: value for name, value in chosen.items() if value}
        if host.private_key:
            options["agent_path"] = None
        return await asyncssh.connect(
            host.address, keepalive_interval=15, keepalive_count_max=4, client_factory=lambda: client, **options
        )

    def _keys(self, file: str) -> Sequence[asyncssh.SSHKeyPair]:
        """Return the key in a file, with its certificate if there is one beside it; the file is read once for all servers."""
        if file not in self._loaded:
            self._loaded[file] = asyncssh.load_keypairs([file])
        return self._loaded[file]

    async def _close(self, names: Sequence[str]) -> None:
        for name in names:
            if connection := self._connections.pop(name, None):
                connection.abort()
        await asyncio.sleep(0)


def explain_tunnel(error: Exception, address: str, seconds: float, said: str) -> str:
    """Return why nobody answers at the far end of a tunnel, with what its program said last, and what to do about it."""
    what = f"no answer within {seconds:.0f} s" if isinstance(error, TimeoutError) else "it ended before the login"
    program = f"its program said: {said}" if said else "its program said nothing"
    return (
        f"the tunnel to {address}: {what}; {program}. Check the endpoint, that its security group reaches port {SSH_PORT} of "
        "the instance, and that sshd runs there"
    )


def explain_unreached(
    error: OSError | ValueError | asyncssh.Error, host: SshHost, seconds: float, *, is_open: bool = False
) -> str:
    """Return why there is no connection to a server, and what to do about it; `is_open` tells that its port answered."""
    address, port, said = host.address, host.port or SSH_PORT, str(error)
    match error:
        case TimeoutError() if is_open:
            why = f"port {port} of {address} is open, but sshd does not answer within {seconds:.0f} s"
        case TimeoutError():
            why = (
                f"SSH is closed: port {port} of {address} did not answer within {seconds:.0f} s; the instance's security "
                f"groups (and network ACLs) must allow port {port} from this machine"
            )
        case asyncssh.HostKeyNotVerifiable():
            why = (
                f"the host key of {address} is none of those pinned for it: another machine answers at this address, or its "
                "host keys were made anew after the launch; do not trust it before you know which"
            )
        case asyncssh.PermissionDenied():
            why = (
                f"login denied to user {host.user or 'of this name'} on {address}: check user and private key (ssh_username "
                f"of the image and ssh_private_key of the group in goldfleet.toml) against the key pair of the launch ({said})"
            )
        case asyncssh.ConnectionLost() | ConnectionResetError():
            why = f"sshd on {address} ends connections before the login: see its log, and MaxStartups ({said})"
        case ConnectionRefusedError():
            why = f"connection refused: no sshd listens on port {port} of {address}"
        case socket.gaierror() | UnicodeError():
            why = f"{address} is not the name of any host; give its address, or a name that is resolved here"
        case OSError(errno=errno.EHOSTUNREACH | errno.ENETUNREACH):
            why = f"no way to {address}: the instance is gone, or this machine is not in its network"
        case asyncssh.KeyImportError():
            why = (
                f"the private key {host.private_key} cannot be used: {said}. One with a passphrase is for ssh-agent: load it "
                "there, and name no key"
            )
        case _:
            number = error.errno if isinstance(error, OSError) else None
            why = f"no connection to {address}: {os.strerror(number) if number else said}"
    return why


class _Client(asyncssh.SSHClient):
    """Notes that somebody listens at the other end."""

    def __init__(self) -> None:
        self.is_open = False

    def connection_made(self, conn: asyncssh.SSHClientConnection) -> None:  # noqa: ARG002 - asyncssh's signature
        self.is_open = True
