"""Asks the server that this process runs on, by a process instead of a connection."""

import asyncio
from asyncio.subprocess import PIPE
from collections.abc import Mapping, Sequence
from contextlib import suppress

from goldfleet.transport.model import Limits, LocalHost
from goldfleet.transport.protocol import session_command
from goldfleet.transport.sessions import Process, Sessions, UnreachedError


class LocalTransport(Sessions):
    """This server, by any name."""

    def __init__(self, hosts: Mapping[str, LocalHost], limits: Limits) -> None:
        super().__init__(limits, len(hosts))
        self._hosts = hosts
        self._processes: dict[str, asyncio.subprocess.Process] = {}

    async def _open(self, name: str) -> Process:
        words = ("/bin/sh", "-c", session_command(self._hosts[name].become))
        try:
            process = await asyncio.create_subprocess_exec(*words, stdin=PIPE, stdout=PIPE, stderr=PIPE, cwd="/")
        except OSError as error:
            raise UnreachedError(f"no session: {error.strerror}") from error
        self._processes[name] = process
        return process

    async def _close(self, names: Sequence[str]) -> None:
        for name in names:
            if process := self._processes.pop(name, None):
                with suppress(ProcessLookupError):
                    process.kill()
                await process.wait()
