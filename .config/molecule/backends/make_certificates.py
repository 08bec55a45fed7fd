"""Make a throw-away authority and certificates for the backends of a scenario: make_certificates.py FOLDER DOMAIN

`good` is as it should be, `expired` was, `stranger` is by an authority that nobody knows; all are for every engine's name
in DOMAIN and no other. Keys are readable by all: they are good for nothing.
"""

import datetime
import shutil
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

ENGINES = ("mysql", "postgresql", "redis", "memcached")
NOW = datetime.datetime.now(datetime.UTC)
DAY = datetime.timedelta(days=1)


def begin(subject, issuer, key, first, last):
    """Return a certificate that is not signed yet."""
    return (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, subject)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(first)
        .not_valid_after(last)
    )


def write(folder, name, certificate, key):
    """Write a certificate and its key."""
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    (folder / f"{name}.pem").write_bytes(certificate.public_bytes(pem))
    (folder / f"{name}.key").write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain))


def make_authority(folder, name):
    """Write an authority and return how it signs: (name, key)."""
    key = ec.generate_private_key(ec.SECP256R1())
    constraint = x509.BasicConstraints(ca=True, path_length=0)
    certificate = begin(name, name, key, NOW - 365 * DAY, NOW + 365 * DAY).add_extension(constraint, critical=True)
    write(folder, name, certificate.sign(key, hashes.SHA256()), key)
    return name, key


def make_certificate(folder, name, names, authority, last):
    """Write a server's certificate that ends at a time."""
    issuer, issuer_key = authority
    key = ec.generate_private_key(ec.SECP256R1())
    alternatives = x509.SubjectAlternativeName([x509.DNSName(one) for one in names])
    certificate = begin("goldfleet test backend", issuer, key, NOW - 90 * DAY, last)
    write(folder, name, certificate.add_extension(alternatives, critical=False).sign(issuer_key, hashes.SHA256()), key)


def main():
    """Make everything anew."""
    folder, domain = Path(sys.argv[1]), sys.argv[2]
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    names = [f"{engine}.{domain}" for engine in ENGINES]
    authority, unknown = make_authority(folder, "authority"), make_authority(folder, "unknown_authority")
    make_certificate(folder, "good", names, authority, NOW + 90 * DAY)
    make_certificate(folder, "expired", names, authority, NOW - DAY)
    make_certificate(folder, "stranger", names, unknown, NOW + 90 * DAY)


if __name__ == "__main__":
    main()
