"""pytest's plugin of the bench: paramiko sends at once, as OpenSSH and asyncssh do; of itself it never sets TCP_NODELAY.

testinfra's paramiko backend then takes a quarter of its time where there is no round-trip time: the kernel waits some 40 ms
before it sends a second small packet that the other end has not yet acknowledged.
"""

import socket
from typing import Any

from testinfra.backend import paramiko as backend

_start = backend.paramiko.Transport.start_client


def _start_at_once(transport: Any, *arguments: Any, **named: Any) -> None:
    transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    _start(transport, *arguments, **named)


backend.paramiko.Transport.start_client = _start_at_once
