"""A proxy before every host that adds round-trip time."""

import asyncio
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from tests.bench.verify.site import PORT

DELAYED_PORT = 22023


@contextmanager
def round_trip(addresses: Sequence[str], milliseconds: int) -> Iterator[int]:
    """Have a port of each address lead to sshd, this much later there and back together; 0 is sshd's own port."""
    if not milliseconds:
        yield PORT
        return
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    delay = milliseconds / 2000

    async def pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                loop.call_later(delay, sink.write, data)
        finally:  # also where the connection was reset: sshd would keep its end of it for ever
            loop.call_later(delay, sink.close)

    async def serve(address: str) -> asyncio.Server:
        async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await asyncio.sleep(2 * delay)  # TCP's own handshake
            there, back = await asyncio.open_connection(address, PORT)
            with suppress(asyncio.CancelledError):
                await asyncio.gather(pump(reader, back), pump(there, writer), return_exceptions=True)

        return await asyncio.start_server(connected, address, DELAYED_PORT)

    async def end() -> None:
        for server in servers:
            server.close()
        left = asyncio.all_tasks() - {asyncio.current_task()}  # connections that a contender, being ended, has left
        for task in left:
            task.cancel()
        await asyncio.gather(*left, return_exceptions=True)
        await asyncio.sleep(2 * delay)  # until they are closed

    servers: list[asyncio.Server] = []
    try:
        servers += [asyncio.run_coroutine_threadsafe(serve(address), loop).result() for address in addresses]
        yield DELAYED_PORT
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
