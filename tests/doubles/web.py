"""Web servers on a loopback port, named by what they do; each connection is served by a thread of its own."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

PAGE = b"<h1>Hello</h1>\n<p>Image version: run-1</p>\n"
Serve = Callable[[socket.socket], None]


@contextmanager
def web_server(serve: Serve) -> Iterator[str]:
    """Serve connections until the block ends; yields the URL."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    threading.Thread(target=accept, args=(listener, serve), daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/"
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def accept(listener: socket.socket, serve: Serve) -> None:
    """Hand each connection to a thread."""
    while True:
        try:
            connection, _ = listener.accept()
        except OSError:
            return
        threading.Thread(target=serve_one, args=(connection, serve), daemon=True).start()


def serve_one(connection: socket.socket, serve: Serve) -> None:
    """Serve a connection, whatever the client does."""
    with suppress(OSError), connection:
        serve(connection)


def read_request(connection: socket.socket) -> bytes:
    """Return one request's header, b"" when the client has closed."""
    header = b""
    while not header.endswith(b"\r\n\r\n"):
        part = connection.recv(4096)
        if not part:
            return b""
        header += part
    return header


def answer(body: bytes = PAGE, status: str = "200 OK", headers: str = "") -> bytes:
    """Return a whole answer whose length is stated."""
    return f"HTTP/1.1 {status}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body


def keeps_answering(text: bytes | None = None) -> Serve:
    """Answer every request on a connection, as long as the client wants."""

    def serve(connection: socket.socket) -> None:
        while read_request(connection):
            connection.sendall(answer() if text is None else text)

    return serve


def hears(headers: list[bytes]) -> Serve:
    """Answer one request and keep its header."""

    def serve(connection: socket.socket) -> None:
        headers.append(read_request(connection))
        connection.sendall(answer())

    return serve


def answers_once(text: bytes, closed: threading.Event | None = None) -> Serve:
    """Answer one request and close, without having said so."""

    def serve(connection: socket.socket) -> None:
        read_request(connection)
        connection.sendall(text)
        connection.close()
        if closed is not None:
            closed.set()

    return serve


def closes_at_the_second_request(connection: socket.socket) -> None:
    """Answer one request; read another and close without a word."""
    read_request(connection)
    connection.sendall(answer())
    read_request(connection)


def resets(connection: socket.socket) -> None:
    """Read a request and reset the connection."""
    read_request(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def never_answers(connection: socket.socket) -> None:
    """Read whatever comes and say nothing."""
    while connection.recv(4096):
        pass


def drips(connection: socket.socket) -> None:
    """Send a byte every now and then, so that no single read takes long."""
    read_request(connection)
    for byte in answer(PAGE * 100):
        connection.sendall(bytes([byte]))
        time.sleep(0.05)
