"""moto's records of load balancers and target groups, made truthful.

A load balancer's DNS name is its address (ADR 0011) and it is active when its HAProxy is; attributes are those that AWS shows;
which load balancer uses a target group is read from the rules; who is registered is `balancer.registrations`' business.
"""

from collections.abc import Callable
from typing import Any, ClassVar

from moto.elbv2.models import FakeLoadBalancer, FakeTargetGroup

# Elastic Load Balancing API reference, LoadBalancerAttribute and TargetGroupAttribute: what an ALB has, with its defaults.
LOAD_BALANCER_ATTRIBUTES = {
    "access_logs.s3.enabled": "false",
    "access_logs.s3.bucket": "",
    "access_logs.s3.prefix": "",
    "client_keep_alive.seconds": "3600",
    "connection_logs.s3.enabled": "false",
    "connection_logs.s3.bucket": "",
    "connection_logs.s3.prefix": "",
    "deletion_protection.enabled": "false",
    "idle_timeout.timeout_seconds": "60",
    "load_balancing.cross_zone.enabled": "true",
    "routing.http.desync_mitigation_mode": "defensive",
    "routing.http.drop_invalid_header_fields.enabled": "false",
    "routing.http.preserve_host_header.enabled": "false",
    "routing.http.x_amzn_tls_version_and_cipher_suite.enabled": "false",
    "routing.http.xff_client_port.enabled": "false",
    "routing.http.xff_header_processing.mode": "append",
    "routing.http2.enabled": "true",
    "waf.fail_open.enabled": "false",
    "zonal_shift.config.enabled": "false",
}
TARGET_GROUP_ATTRIBUTES = {
    "deregistration_delay.timeout_seconds": "300",
    "load_balancing.algorithm.anomaly_mitigation": "off",
    "load_balancing.algorithm.type": "round_robin",
    "load_balancing.cross_zone.enabled": "use_load_balancer_configuration",
    "slow_start.duration_seconds": "0",
    "stickiness.app_cookie.cookie_name": "",
    "stickiness.app_cookie.duration_seconds": "86400",
    "stickiness.enabled": "false",
    "stickiness.lb_cookie.duration_seconds": "86400",
    "stickiness.type": "lb_cookie",
    "target_group_health.dns_failover.minimum_healthy_targets.count": "1",
    "target_group_health.dns_failover.minimum_healthy_targets.percentage": "off",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.count": "1",
    "target_group_health.unhealthy_state_routing.minimum_healthy_targets.percentage": "off",
}


class LocalLoadBalancer(FakeLoadBalancer):
    """A load balancer that is active when its machine is."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.attrs = dict(LOAD_BALANCER_ATTRIBUTES)
        self.interface: Any = None

    def activate(self) -> None:
        """Do nothing: moto calls this whenever somebody looks."""


class LocalTargetGroup(FakeTargetGroup):
    """A target group that knows from the rules which load balancer uses it."""

    users: ClassVar[Callable[[str], list[str]]] = staticmethod(lambda _arn: [])

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.attributes = dict(TARGET_GROUP_ATTRIBUTES)

    @property
    def load_balancer_arns(self) -> list[str]:
        """The load balancers whose rules name this target group; a copy, since moto appends to it."""
        return type(self).users(self.arn)

    @load_balancer_arns.setter
    def load_balancer_arns(self, value: list[str]) -> None:
        """Ignore what moto writes."""
