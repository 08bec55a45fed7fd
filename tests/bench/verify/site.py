"""What the bench asks: sshds on loopback that stand for many hosts.

Needs root and OpenSSH's server. The user that logs in is made for the bench and removed with it, so that nobody's shell
start-up is measured. All that is made here is gone when the site ends, also by Ctrl-C or SIGTERM.
"""

import os
import pwd
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from tests.bench.verify.checks import Fault, Mix, plant, spec

SSHD = "/usr/sbin/sshd"
USER = "goldfleet-bench"
PORT = 22022
MOST_ADDRESSES = 16
"""That one sshd listens on. Source: OpenSSH 9.2, sshd.c, MAX_LISTEN_SOCKS."""

FEWEST = 10
"""Hosts that are asked in most parts of the bench; what is wrong is wrong with some of them."""

MOST = 250
PATIENCE_SECONDS = 10.0
CONFIG = """Port {port}
{listen}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
UsePAM no
StrictModes no
PasswordAuthentication no
MaxStartups 2000
MaxSessions 100
LogLevel VERBOSE
{faults}"""
CLIENT = """Host *
  User {user}
  Port {port}
  IdentityFile {folder}/user_key
  IdentitiesOnly yes
  UserKnownHostsFile {folder}/known_hosts
  StrictHostKeyChecking yes
{more}"""


@dataclass(frozen=True)
class Site:
    """Hosts by address, what is wrong with some of them, the folder with their keys, and what sshd has logged."""

    addresses: Sequence[str]
    faults: Sequence[Fault]
    folder: Path

    def config(self, addresses: Sequence[str], port: int, more: str = "") -> Path:
        """Write an SSH configuration for these hosts at a port, sshd's own or a proxy's; `more` is added to it."""
        file = self.folder / "ssh_config"
        file.write_text(CLIENT.format(user=USER, port=port, folder=self.folder, more=more))
        (self.folder / "known_hosts").write_text("".join(self.known_host(one, port) for one in addresses))
        return file

    def spec(self, mix: Mix) -> Path:
        """Write the test file with these checks."""
        file = self.folder / f"test_{mix.plain}_{mix.programs}.py"
        if not file.exists():
            file.write_text(spec(mix))
        return file

    def known_host(self, address: str, port: int) -> str:
        """Return the line of known_hosts(5) for a host; they share a key."""
        kind, key = (self.folder / "host_key.pub").read_text().split()[:2]
        return f"[{address}]:{port} {kind} {key}\n"

    def counted(self) -> tuple[int, int]:
        """Return how many connections and sessions sshd has seen."""
        log = (self.folder / "log").read_text()
        return log.count("Accepted publickey"), log.count("Starting session")


def addresses_of(hosts: int) -> list[str]:
    """Return addresses of loopback for so many hosts, at most MOST."""
    return [f"127.0.9.{number}" for number in range(1, hosts + 1)]


@contextmanager
def hosts(number: int, folder: Path) -> Iterator[Site]:
    """Run sshds that listen on so many addresses of loopback, some of which are made wrong."""
    if os.geteuid() != 0 or not Path(SSHD).exists():
        raise SystemExit("this part of the bench needs root and OpenSSH's server: apt-get install openssh-server")
    addresses = addresses_of(number)
    faults = plant(addresses[:FEWEST])
    with ExitStack() as ends:
        ends.enter_context(_user(folder))
        for name in ("host_key", "user_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
        shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
        folder.chmod(0o755)
        ends.enter_context(_run_folder())
        for some in _in_parts(addresses):
            ends.enter_context(_sshd(some, [fault for fault in faults if fault.address in some], folder))
        yield Site(addresses, faults, folder)


def _in_parts(addresses: Sequence[str]) -> list[Sequence[str]]:
    return [addresses[first : first + MOST_ADDRESSES] for first in range(0, len(addresses), MOST_ADDRESSES)]


@contextmanager
def _sshd(addresses: Sequence[str], faults: Sequence[Fault], folder: Path) -> Iterator[None]:
    config = folder / f"sshd_config-{addresses[0]}"
    listen = "\n".join(f"ListenAddress {address}" for address in addresses)
    wrong = "".join(_match(address, faults) for address in sorted({fault.address for fault in faults}))
    config.write_text(CONFIG.format(port=PORT, listen=listen, folder=folder, faults=wrong))
    process = subprocess.Popen([SSHD, "-D", "-f", str(config), "-E", str(folder / "log")])
    try:
        _wait_for_listening(process, addresses, folder)
        yield
    finally:
        process.terminate()
        process.wait()


def _match(address: str, faults: Sequence[Fault]) -> str:
    variables = " ".join(fault.variable for fault in faults if fault.address == address)
    return f"Match LocalAddress {address}\n  SetEnv {variables}\n"


def _wait_for_listening(process: subprocess.Popen[bytes], addresses: Sequence[str], folder: Path) -> None:
    """Wait until sshd has logged that it listens everywhere; a probe by connection would be in the log instead."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    log = folder / "log"
    while not log.exists() or not all(f"listening on {one} port" in log.read_text() for one in addresses):
        if process.poll() is not None or time.monotonic() > deadline:
            raise SystemExit(f"sshd did not start: {log.read_text() if log.exists() else ''}")
        time.sleep(0.05)


@contextmanager
def _run_folder() -> Iterator[None]:
    """Have the folder that sshd changes its root to, where the machine runs no sshd of its own."""
    folder = Path("/run/sshd")
    if folder.exists():
        yield
        return
    folder.mkdir()
    try:
        yield
    finally:
        folder.rmdir()


@contextmanager
def _user(folder: Path) -> Iterator[None]:
    """Make the user that logs in, unless a bench that was killed has left it."""
    with suppress(KeyError):
        pwd.getpwnam(USER)
        _remove_user()
    try:
        subprocess.run(
            ["useradd", "--home-dir", str(folder), "--shell", "/bin/sh", "--password", "*", USER], check=True
        )
        yield
    finally:
        _remove_user()


def _remove_user() -> None:
    """Remove the user; sessions whose connection was ended just now may live on for a moment."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    gone = (0, 6)  # 6: there is no such user; userdel(8)
    while subprocess.run(["userdel", USER], check=False, stderr=subprocess.DEVNULL).returncode not in gone:
        if time.monotonic() > deadline:
            subprocess.run(["userdel", "--force", USER], check=True)
            return
        time.sleep(0.2)
