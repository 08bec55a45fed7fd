"""What the local cloud's load balancer cannot do as AWS does, and so refuses in ELB's own form."""

from typing import Any

from moto.elbv2.exceptions import ELBClientError

from goldfleet.localcloud.elbv2.certificates import pem_of

# What may be set, because it is done, or because it makes no difference here.
SETTABLE_LOAD_BALANCER_ATTRIBUTES = frozenset({
    "client_keep_alive.seconds", "deletion_protection.enabled", "idle_timeout.timeout_seconds",
    "load_balancing.cross_zone.enabled", "routing.http.desync_mitigation_mode",
    "routing.http.drop_invalid_header_fields.enabled", "routing.http2.enabled", "waf.fail_open.enabled",
})  # fmt: skip
SETTABLE_TARGET_GROUP_ATTRIBUTES = frozenset({
    "deregistration_delay.timeout_seconds", "load_balancing.algorithm.type", "load_balancing.cross_zone.enabled",
    "stickiness.type", "stickiness.lb_cookie.duration_seconds", "stickiness.app_cookie.duration_seconds",
    "stickiness.app_cookie.cookie_name",
})  # fmt: skip
ACTIONS = frozenset({"forward", "fixed-response", "redirect"})


def require_certificate(arn: str | None) -> None:
    """Raise ValidationError without a certificate, CertificateNotFound for one that does not exist."""
    if not arn:
        raise ELBClientError("ValidationError", "A certificate must be specified for HTTPS listeners")
    pem_of(arn)


def refuse_unsupported(wanted: dict[str, Any], defaults: dict[str, str], settable: frozenset[str]) -> None:
    """Raise UnsupportedOperation for an attribute that is changed and may not be."""
    for key, value in wanted.items():
        if key in defaults and key not in settable and str(value) != defaults[key]:
            raise unsupported(f"{key} = {value}")


def unsupported(what: str) -> ELBClientError:
    """Return the refusal of what the local cloud cannot do as AWS does."""
    return ELBClientError("UnsupportedOperation", f"The local cloud has no {what}.")
