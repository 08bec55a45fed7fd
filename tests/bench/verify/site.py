"""What the bench asks: one sshd on loopback that stands for many hosts, and a proxy before it that adds round-trip time.

Needs root and OpenSSH's server. The user that logs in is made for the bench and removed with it, so that nobody's shell
start-up is measured.
"""

import asyncio
import os
import pwd
import shutil
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SSHD = "/usr/sbin/sshd"
USER = "goldfleet-bench"
PORT = 22022
CONFIG = """Port {port}
{listen}
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile {folder}/sshd.pid
UsePAM no
StrictModes no
PasswordAuthentication no
MaxStartups 2000
MaxSessions 100
LogLevel VERBOSE
"""
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
    """Hosts by address, the folder with their keys, and what sshd has logged."""

    addresses: list[str]
    folder: Path

    def config(self, port: int, name: str, more: str = "") -> Path:
        """Return an SSH configuration for a port: sshd's own, or a proxy's."""
        file = self.folder / name
        file.write_text(CLIENT.format(user=USER, port=port, folder=self.folder, more=more))
        key = (self.folder / "host_key.pub").read_text().split()[:2]
        lines = (f"[{address}]:{one} {' '.join(key)}\n" for address in self.addresses for one in (PORT, port))
        (self.folder / "known_hosts").write_text("".join(lines))
        return file

    def counted(self) -> tuple[int, int]:
        """Return how many connections and sessions sshd has seen."""
        log = (self.folder / "log").read_text()
        return log.count("Accepted publickey"), log.count("Starting session")


@contextmanager
def hosts(number: int, folder: Path) -> Iterator[Site]:
    """Run an sshd that listens on so many addresses of loopback."""
    if os.geteuid() != 0 or not Path(SSHD).exists():
        raise SystemExit("the bench of verify needs root and OpenSSH's server: apt-get install openssh-server")
    addresses = [f"127.0.9.{number}" for number in range(1, number + 1)]
    with ExitStack() as ends:
        ends.enter_context(_user(folder))
        for name in ("host_key", "user_key"):
            subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
        shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
        folder.chmod(0o755)
        listen = "\n".join(f"ListenAddress {address}" for address in addresses)
        (folder / "sshd_config").write_text(CONFIG.format(port=PORT, listen=listen, folder=folder))
        Path("/run/sshd").mkdir(exist_ok=True)
        words = [SSHD, "-D", "-f", str(folder / "sshd_config"), "-E", str(folder / "log")]
        process = subprocess.Popen(words)
        ends.callback(process.wait)
        ends.callback(process.terminate)
        time.sleep(0.5)
        if process.poll() is not None:
            raise SystemExit(f"sshd did not start: {(folder / 'log').read_text()}")
        yield Site(addresses, folder)


@contextmanager
def _user(folder: Path) -> Iterator[None]:
    """Make the user that logs in, unless an interrupted bench has left it."""
    with suppress(KeyError):
        pwd.getpwnam(USER)
        subprocess.run(["userdel", USER], check=True)
    subprocess.run(["useradd", "--home-dir", str(folder), "--shell", "/bin/sh", "--password", "*", USER], check=True)
    try:
        yield
    finally:
        subprocess.run(["userdel", USER], check=True)


@contextmanager
def round_trip(addresses: list[str], milliseconds: int, port: int) -> Iterator[int]:
    """Have a port of each address lead to sshd, this much later there and back together; 0 is sshd's own port."""
    if not milliseconds:
        yield PORT
        return
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    delay = milliseconds / 2000

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            loop.call_later(delay, sink.write, data)
        loop.call_later(delay, sink.close)

    async def serve(address: str) -> asyncio.Server:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(2 * delay)  # TCP's own handshake
            there, back = await asyncio.open_connection(address, PORT)
            await asyncio.gather(pump(reader, back), pump(there, writer), return_exceptions=True)

        return await asyncio.start_server(connected, address, port)

    servers = [asyncio.run_coroutine_threadsafe(serve(address), loop).result() for address in addresses]
    try:
        yield port
    finally:
        for server in servers:
            loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
