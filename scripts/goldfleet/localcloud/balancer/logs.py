"""The two logs of the load balancers, one JSON object a line: every change of a target's state, and every request.

HAProxy sends its lines as datagrams to a port of the bridge's gateway; the sender's address tells which load balancer it is.
"""

import json
import logging
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

from goldfleet.localcloud.balancer.registrations import StateChange

BUFFER_BYTES = 8 * 1024 * 1024  # a burst of requests must not lose its lines
IP_FREEBIND = 15  # linux/in.h; Python's socket module does not name it
SO_RCVBUFFORCE = 33  # asm-generic/socket.h; Python's socket module does not name it
NO_SERVER = "<NOSRV>"
log = logging.getLogger("goldfleet.localcloud.balancer")


class JsonLines:
    """A file of JSON objects, written line by line and safe for threads."""

    def __init__(self, file: Path) -> None:
        self._stream: IO[str] = file.open("w", buffering=1)
        self._lock = threading.Lock()

    def write(self, line: dict[str, Any]) -> None:
        """Add a line."""
        with self._lock:
            self._stream.write(json.dumps(line) + "\n")


def event_line(change: StateChange, load_balancer: str, now: float) -> dict[str, Any]:
    """Return the line of a state change; a target that has left is `gone`."""
    health = change.health
    return {
        "time": round(now, 3),
        "load_balancer": load_balancer,
        "target_group": change.target_group_arn,
        "target": change.target.instance_id,
        "port": change.target.port,
        "state": str(health.state) if health is not None else "gone",
        "reason": health.reason if health is not None else "",
        "description": health.description if health is not None else "",
    }


def access_line(raw: str, load_balancer: str, arns: Callable[[str], str]) -> dict[str, Any] | None:
    """Return the line of a request from what HAProxy sent, None for HAProxy's own messages.

    arns gives the ARN of a target group's name, "" for what is none.
    """
    if not raw.startswith("{"):
        return None
    seen = json.loads(raw)
    server = seen["server"]
    return {
        "time": seen["time"] / 1000,
        "load_balancer": load_balancer,
        "target_group": arns(seen["target_group"]),
        "target": "" if server == NO_SERVER else server.partition(":")[0],
        "status": seen["status"],
        "seconds": seen["milliseconds"] / 1000,
        "method": seen["method"],
        "path": seen["path"],
        "client": seen["client"],
        "termination": seen["termination"],
    }


class AccessLog:
    """Receives HAProxy's lines and writes them to a file."""

    def __init__(self, listener: socket.socket, lines: JsonLines, names: Callable[[str], str],
                 arns: Callable[[str], str]) -> None:  # fmt: skip
        self._listener = listener
        self._lines = lines
        self._names = names
        self._arns = arns

    def follow(self) -> None:
        """Receive until the socket is closed."""
        while True:
            try:
                raw, (address, _port) = self._listener.recvfrom(65536)
            except OSError:
                return
            self._receive(raw.decode("utf-8", "replace").strip(), address)

    def _receive(self, raw: str, address: str) -> None:
        name = self._names(address)
        try:
            line = access_line(raw, name, self._arns)
        except (ValueError, KeyError):
            log.warning("%s sent a line that is no request: %s", name or address, raw)
            return
        if line is not None and name:
            self._lines.write(line)


def datagram_listener(address: str) -> socket.socket:
    """Return a UDP socket with a large buffer on a free port of an address that may not exist yet."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    listener.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
    listener.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES)
    listener.bind((address, 0))
    return listener
