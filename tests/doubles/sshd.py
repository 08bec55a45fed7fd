"""SSH servers on loopback, in threads of this process; their sessions do what a test wants."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import asyncssh

from goldfleet.transport.model import SshHost

Process = asyncssh.SSHServerProcess[bytes]
Session = Callable[[Process], Awaitable[None]]
LOOPBACK = "127.0.0.1"
SERVERS_KEY = asyncssh.generate_private_key("ssh-ed25519")


async def _pump(source: Any, sink: Any) -> None:
    """Pass on bytes from one stream to another until the first ends."""
    with suppress(OSError, asyncssh.Error):
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
    with suppress(OSError, asyncssh.Error):  # also where the connection is lost
        if sink.can_write_eof():
            sink.write_eof()


def in_folder(folder: Path | None) -> Session:
    """Return sessions that run the command as sshd does, in this folder: what stands for a server's own files."""

    async def session(process: Process) -> None:
        program = await asyncio.create_subprocess_exec(
            "/bin/sh", "-c", str(process.command), cwd=folder,
            stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert program.stdin
        assert program.stdout
        assert program.stderr
        given = asyncio.create_task(_pump(process.stdin, program.stdin))
        try:
            await asyncio.gather(_pump(program.stdout, process.stdout), _pump(program.stderr, process.stderr))
            process.exit(await program.wait())
        finally:
            given.cancel()
            with suppress(ProcessLookupError):
                program.kill()
            await program.wait()

    return session


as_a_shell = in_folder(None)


class Anybody(asyncssh.SSHServer):
    """Lets everybody in whose connection is not one of the first few."""

    left_to_turn_away = 0

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        if type(self).left_to_turn_away:
            type(self).left_to_turn_away -= 1
            conn.abort()

    def begin_auth(self, username: str) -> bool:
        return username == "nobody"

    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> bool:
        """Lead on to whatever is asked for, as a jump host does."""
        return True


@contextmanager
def sshd(session: Session, turned_away: int = 0, port: int = 0, address: str = LOOPBACK) -> Iterator[int]:
    """Run an SSH server whose sessions do this, in a thread, and hand out its port."""
    factory = type("Anybody", (Anybody,), {"left_to_turn_away": turned_away})
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def listen() -> asyncssh.SSHAcceptor:
        keys = [SERVERS_KEY]
        return await asyncssh.listen(
            address, port, server_factory=factory, server_host_keys=keys, process_factory=session, encoding=None
        )

    async def end() -> None:
        acceptor.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await asyncio.sleep(0.05)

    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result()
    try:
        yield acceptor.get_port()
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def reach(port: int, user: str = "admin", key: asyncssh.SSHKey = SERVERS_KEY, address: str = LOOPBACK) -> SshHost:
    """Return how a server here is reached, with this key as the one that is known for it."""
    public = key.export_public_key().decode().strip()
    return SshHost(address, user, f"[{address}]:{port} {public}\n", port)
