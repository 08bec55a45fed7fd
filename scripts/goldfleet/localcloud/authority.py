"""The local certificate authority, and the certificate under which AWS's names answer inside machines.

The authority lives in the user's cache folder, because the base image that trusts it is cached there too. Only machines
of the local cloud trust it, and its name constraint limits it to AWS's domains: a leaked key could not sign for anything
else. It is never added to the host's own trust store.
"""

import datetime
import os
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AWS_DOMAINS = ("amazonaws.com", "api.aws")
AUTHORITY_DAYS = 3650
SERVER_DAYS = 90

# Global names, and for every region the regional names; a wildcard covers one label only.
GLOBAL_NAMES = ("amazonaws.com", "*.amazonaws.com", "*.s3.amazonaws.com", "*.api.aws")
REGIONS = (
    "us-east-1", "us-east-2", "us-west-1", "us-west-2", "ca-central-1", "sa-east-1",
    "eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1", "eu-central-2", "eu-north-1", "eu-south-1", "eu-south-2",
    "ap-south-1", "ap-south-2", "ap-southeast-1", "ap-southeast-2", "ap-southeast-3", "ap-southeast-4",
    "ap-northeast-1", "ap-northeast-2", "ap-northeast-3", "ap-east-1", "me-south-1", "me-central-1", "af-south-1",
)  # fmt: skip
REGIONAL_NAMES = (
    "*.{}.amazonaws.com",
    "*.s3.{}.amazonaws.com",
    "*.s3.dualstack.{}.amazonaws.com",
    "*.{}.elb.amazonaws.com",
)


@dataclass(frozen=True)
class Authority:
    """The local authority: certificate and private key, PEM encoded."""

    certificate_pem: bytes
    key_pem: bytes

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the certificate, in hexadecimal."""
        return x509.load_pem_x509_certificate(self.certificate_pem).fingerprint(hashes.SHA256()).hex()


def load_or_create_authority(folder: Path, now: datetime.datetime) -> Authority:
    """Return the authority stored in `folder`; make one where there is none or it ends within a year."""
    certificate_file, key_file = folder / "authority.crt", folder / "authority.key"
    if certificate_file.exists() and key_file.exists():
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        if certificate.not_valid_after_utc > now + datetime.timedelta(days=365):
            return Authority(certificate_file.read_bytes(), key_file.read_bytes())
    folder.mkdir(parents=True, exist_ok=True)
    authority = _create_authority(now)
    for file, content in ((key_file, authority.key_pem), (certificate_file, authority.certificate_pem)):
        partial = file.with_suffix(".partial")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
        partial.replace(file)
    return authority


def issue_server_certificate(authority: Authority, now: datetime.datetime) -> tuple[bytes, bytes]:
    """Return (certificate chain, private key), PEM encoded, for AWS's global and regional names."""
    names = [*GLOBAL_NAMES, *(name.format(region) for region in REGIONS for name in REGIONAL_NAMES)]
    issuer = x509.load_pem_x509_certificate(authority.certificate_pem)
    issuer_key = serialization.load_pem_private_key(authority.key_pem, password=None)
    if not isinstance(issuer_key, ec.EllipticCurvePrivateKey):
        raise TypeError("the local authority's key is not an EC key")
    key = ec.generate_private_key(ec.SECP256R1())
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "goldfleet local cloud")]))
        .issuer_name(issuer.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=SERVER_DAYS))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer_key.public_key()), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )
    return certificate.public_bytes(serialization.Encoding.PEM) + authority.certificate_pem, _private_pem(key)


def _create_authority(now: datetime.datetime) -> Authority:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "goldfleet local authority")])
    constraint = x509.NameConstraints([x509.DNSName(domain) for domain in AWS_DOMAINS], None)
    usage = x509.KeyUsage(
        digital_signature=False, content_commitment=False, key_encipherment=False, data_encipherment=False,
        key_agreement=False, key_cert_sign=True, crl_sign=True, encipher_only=False, decipher_only=False,
    )  # fmt: skip
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=AUTHORITY_DAYS))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(usage, critical=True)
        .add_extension(constraint, critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return Authority(certificate.public_bytes(serialization.Encoding.PEM), _private_pem(key))


def _private_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
