"""Servers on loopback that show certificates of every kind, for tests of what goldfleet-connectivity makes of them."""

from __future__ import annotations

import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

Serve = Callable[[socket.socket], None]


class Authority:
    """A certificate authority in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._certificate = self._sign("an authority", None, self._key, timedelta(days=3650), authority=True)
        self.file = folder / "authority.pem"
        self.file.write_bytes(self._certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, name: str, lasts: timedelta = timedelta(days=90, hours=1)) -> Path:
        """Return a file with a certificate for a DNS name and its key; a negative time makes one that has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._sign(name, x509.SubjectAlternativeName([x509.DNSName(name)]), key, lasts)
        file = self._folder / f"{name}-{lasts.days}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM) + private)
        return file

    def _sign(
        self, name: str, names: x509.SubjectAlternativeName | None, key: ec.EllipticCurvePrivateKey,
        lasts: timedelta, *, authority: bool = False,
    ) -> x509.Certificate:  # fmt: skip
        now = datetime.now(UTC)
        builder = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "an authority")]))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=400))
            .not_valid_after(now + lasts)
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        )
        if names is not None:
            builder = builder.add_extension(names, critical=False)
        return builder.sign(self._key, hashes.SHA256())


def with_tls(certificate: Path) -> Serve:
    """Return how a server shakes hands with a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)

    def serve(plug: socket.socket) -> None:
        with suppress(OSError), context.wrap_socket(plug, server_side=True) as secured:
            secured.recv(100)

    return serve


@contextmanager
def server(serve: Serve) -> Iterator[int]:
    """Serve on loopback and give the port."""
    listening = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with suppress(OSError):
            while True:
                plug, _ = listening.accept()
                threading.Thread(target=attend, args=(plug,), daemon=True).start()

    def attend(plug: socket.socket) -> None:
        with plug, suppress(OSError):
            serve(plug)

    threading.Thread(target=run, daemon=True).start()
    try:
        yield int(listening.getsockname()[1])
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
