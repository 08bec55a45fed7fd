"""HAProxy's runtime API over its sockets in the load balancer's folder.

The sockets are reached through a descriptor of their folder: a socket's path may have 107 bytes only, a state folder's may be
longer.
"""

import os
import socket
from pathlib import Path

ANSWER_SECONDS = 5.0


class Runtime:
    """Talks to one HAProxy. Raises OSError when it does not answer."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def ask(self, command: str) -> str:
        """Send commands, separated by semicolons, to the worker and return all that it answers."""
        return self._ask("admin.sock", command)

    def ask_master(self, command: str) -> str:
        """Send a command to the master process."""
        return self._ask("master.sock", command)

    def _ask(self, name: str, command: str) -> str:
        folder = os.open(self._folder, os.O_PATH | os.O_DIRECTORY)
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(ANSWER_SECONDS)
                connection.connect(f"/proc/self/fd/{folder}/{name}")
                connection.sendall(command.encode() + b"\n")
                connection.shutdown(socket.SHUT_WR)  # the master's socket would stay open for more commands
                chunks = []
                while chunk := connection.recv(65536):
                    chunks.append(chunk)
        finally:
            os.close(folder)
        return b"".join(chunks).decode("utf-8", "replace")
