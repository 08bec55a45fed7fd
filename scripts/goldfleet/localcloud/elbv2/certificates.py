"""Certificates of HTTPS listeners: from ACM's or IAM's records to what HAProxy reads."""

from typing import Any

from moto.acm.models import AWS_ROOT_CA, CertificateNotFound, acm_backends
from moto.elbv2.exceptions import ELBClientError
from moto.iam.models import iam_backends

from goldfleet.localcloud.state import ACCOUNT_ID, REGION


def pem_of(certificate_arn: str) -> str:
    """Return certificate, chain and private key, PEM encoded.

    Raises CertificateNotFound. moto adds Amazon's root to every chain; it has signed none of them and is left out.
    """
    if ":acm:" in certificate_arn:
        try:
            bundle: Any = acm_backends[ACCOUNT_ID][REGION].get_certificate(certificate_arn)
        except CertificateNotFound as error:
            raise _not_found(certificate_arn) from error
        chain = bundle.chain.replace(AWS_ROOT_CA, b"")
        return b"\n".join(part.strip() for part in (bundle.cert, chain, bundle.key) if part.strip()).decode() + "\n"
    found: Any = iam_backends[ACCOUNT_ID]["aws"].get_certificate_by_arn(certificate_arn)
    if found is None:
        raise _not_found(certificate_arn)
    parts = (found.cert_body, found.cert_chain, found.private_key)
    return "\n".join(part.strip() for part in parts if part) + "\n"


def _not_found(certificate_arn: str) -> ELBClientError:
    return ELBClientError("CertificateNotFound", f"Certificate '{certificate_arn}' not found")
