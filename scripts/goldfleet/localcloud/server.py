"""The background process of a local cloud: the API on two listeners, the metadata service and the resolver.

Started by `cloud.up`, ended by SIGTERM. Listens on 127.0.0.1 (the operator, plain HTTP) and on the bridge's gateway (the
machines; TLS for AWS's names). The gateway's address exists only while a machine runs, hence IP_FREEBIND.
"""

import argparse
import json
import logging
import os
import signal
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from dnslib.server import DNSLogger, DNSServer, TCPServer, UDPServer
from moto.iam.models import iam_backends
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server

from goldfleet.localcloud import autoscaling, elbv2
from goldfleet.localcloud.authorization import enforce_role_policies, may
from goldfleet.localcloud.codedeploy.bucket import CodeDeployBuckets, is_public
from goldfleet.localcloud.credentials import credentials_of
from goldfleet.localcloud.ec2 import install
from goldfleet.localcloud.ec2.metadata_source import MotoMetadataSource
from goldfleet.localcloud.ec2.world import World
from goldfleet.localcloud.gate import Gate
from goldfleet.localcloud.machines import Machines
from goldfleet.localcloud.metadata import MetadataService
from goldfleet.localcloud.names import Names, host_resolvers
from goldfleet.localcloud.podman import Podman, probe
from goldfleet.localcloud.ssm import install as run_command
from goldfleet.localcloud.state import ACCOUNT_ID, REGION, CloudState, StateFolder, cache_folder

IP_FREEBIND = 15  # linux/in.h; Python's socket module does not name it
OPERATOR = "operator"
log = logging.getLogger("goldfleet.localcloud.server")


def main() -> None:
    """Serve one local cloud until SIGTERM. Writes the operator's keys to the state and `ready` to --ready-fd."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--state", type=Path, required=True)
    parser.add_argument("--ready-fd", type=int, required=True)
    arguments = parser.parse_args()
    folder = StateFolder(arguments.state)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for noisy in ("werkzeug", "botocore"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    stopping = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopping.set())
    server = LocalCloudServer(folder)
    server.start()
    os.write(arguments.ready_fd, b"ready\n")
    os.close(arguments.ready_fd)
    stopping.wait()
    server.stop()


class QuietHandler(WSGIRequestHandler):
    """Answers with keep-alive and writes no access log: the gate keeps the record."""

    protocol_version = "HTTP/1.1"

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


class FreeUdpServer(UDPServer):
    """A UDP server on an address that may not exist yet."""

    def server_bind(self) -> None:
        """Bind with IP_FREEBIND."""
        self.socket.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        super().server_bind()


class FreeTcpServer(TCPServer):
    """A TCP server on an address that may not exist yet."""

    def server_bind(self) -> None:
        """Bind with IP_FREEBIND."""
        self.socket.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
        super().server_bind()


class LocalCloudServer:
    """All that the background process runs."""

    def __init__(self, folder: StateFolder) -> None:
        state = folder.load()
        if state is None:
            raise SystemExit(f"{folder.file} cannot be read")
        self._folder = folder
        self._state: CloudState = state
        self._servers: list[Any] = []
        self._engine: autoscaling.Engine | None = None
        self._commands: run_command.Schedule | None = None

    def start(self) -> None:
        """Build the extended moto and open every listener."""

        settings = probe(self._state.base_image, cache_folder() / "podman.json")
        world = World(self._state, Machines(Podman(settings), self._state), may=may)
        backend = install(world)
        targets = elbv2.install(world, self._folder)
        self._engine = autoscaling.install(backend, targets, targets.require, world.lock)
        self._engine.start()
        self._commands = run_command.install(world, backend)
        self._commands.start()
        enforce_role_policies()
        self._issue_operator_key()
        gate = self._gate(world.lock)
        self._serve(gate, "127.0.0.1", self._state.api_port)
        self._serve(gate, self._state.gateway, self._state.tls_port, tls=True)
        self._serve(MetadataService(MotoMetadataSource(world, backend)), self._state.gateway, self._state.metadata_port)
        self._serve_names()
        self._watch_machines(world.machines.ended, backend.machine_ended, world.lock)
        log.info("cloud %s serves %s", self._state.cloud_id, self._state.endpoint_url)

    def stop(self) -> None:
        """Close every listener."""
        if self._engine is not None:
            self._engine.stop()
        if self._commands is not None:
            self._commands.stop()
        for server in self._servers:
            threading.Thread(target=server.shutdown, daemon=True).start()

    def _issue_operator_key(self) -> None:

        iam = iam_backends[ACCOUNT_ID]["aws"]
        iam.create_user(REGION, OPERATOR)
        key = iam.create_access_key(OPERATOR)
        self._state = replace(
            self._state, access_key_id=key.access_key_id, secret_access_key=key.secret_access_key, pid=os.getpid()
        )
        self._folder.save(self._state)

    def _gate(self, lock: threading.RLock) -> Any:

        calls = self._folder.calls.open("a", buffering=1)

        def record(call: dict[str, Any]) -> None:
            calls.write(json.dumps(call) + "\n")

        hosts = ("127.0.0.1", "localhost", self._state.gateway)
        api = CodeDeployBuckets(DomainDispatcherApplication(create_backend_app), may)
        return Gate(api, REGION, hosts, credentials_of, record, lock, is_public)

    def _serve(self, application: Any, address: str, port: int, *, tls: bool = False) -> None:

        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(self._folder.server_certificate, self._folder.server_key)
        listener = listen(address, port)
        server = make_server(
            address,
            port,
            application,
            threaded=True,
            request_handler=QuietHandler,
            ssl_context=context,
            fd=listener.fileno(),
        )
        listener.close()
        self._run(server, f"http {address}:{port}")

    def _serve_names(self) -> None:

        names = Names(self._state.gateway, self._state.network, host_resolvers())
        quiet = DNSLogger(log="-request,-reply,-truncated,-error", logf=lambda text: log.warning("%s", text))
        for server_class, tcp in ((FreeUdpServer, False), (FreeTcpServer, True)):
            server = DNSServer(
                names,
                address=self._state.gateway,
                port=self._state.names_port,
                tcp=tcp,
                server=server_class,
                logger=quiet,
            )
            self._run(server.server, f"names {'tcp' if tcp else 'udp'}")

    def _run(self, server: Any, name: str) -> None:
        self._servers.append(server)
        threading.Thread(target=server.serve_forever, name=name, daemon=True).start()

    def _watch_machines(self, ended: SimpleQueue[str], settle: Callable[[str], None], lock: threading.RLock) -> None:
        def follow() -> None:
            while True:
                instance_id = ended.get()
                with lock:
                    settle(instance_id)

        threading.Thread(target=follow, name="ended", daemon=True).start()


def listen(address: str, port: int) -> socket.socket:
    """Return a listening TCP socket on an address that may not exist yet."""
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.IPPROTO_IP, IP_FREEBIND, 1)
    listener.bind((address, port))
    listener.listen(128)
    return listener


if __name__ == "__main__":
    main()
