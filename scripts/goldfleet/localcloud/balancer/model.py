"""What an Application Load Balancer is: listeners, rules, target groups, targets. Frozen values, no behaviour.

Words and defaults are those of the Elastic Load Balancing API reference, version 2015-12-01.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from goldfleet.scaling.model import TargetState


@dataclass(frozen=True, order=True)
class Target:
    """A target as RegisterTargets names it: one port of one instance."""

    instance_id: str
    port: int


@dataclass(frozen=True)
class TargetHealth:
    """What DescribeTargetHealth says of a target."""

    state: TargetState
    reason: str = ""
    description: str = ""


@dataclass(frozen=True)
class HealthCheck:
    """How a target group looks at its targets."""

    protocol: str  # HTTP or HTTPS
    path: str
    port: int | None  # None: the port on which the target gets its traffic ("traffic-port")
    matcher: str  # "200", "200-299", "200,302"
    interval_seconds: int
    timeout_seconds: int
    healthy_threshold: int
    unhealthy_threshold: int


@dataclass(frozen=True)
class TargetGroup:
    """A target group without its targets. `name` is unique in its region and the backend's name in HAProxy."""

    arn: str
    name: str
    protocol: str  # HTTP or HTTPS
    health_check: HealthCheck
    algorithm: str  # load_balancing.algorithm.type
    deregistration_delay_seconds: float


@dataclass(frozen=True)
class Forward:
    """Forward to target groups, (name, weight)."""

    target_groups: tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class FixedResponse:
    """Answer without a target."""

    status_code: int
    content_type: str
    message_body: str


@dataclass(frozen=True)
class Redirect:
    """Send the client elsewhere; the parts may hold #{protocol}, #{host}, #{port}, #{path}, #{query}."""

    status_code: int
    protocol: str = "#{protocol}"
    host: str = "#{host}"
    port: str = "#{port}"
    path: str = "/#{path}"
    query: str = "#{query}"


Action = Forward | FixedResponse | Redirect


@dataclass(frozen=True)
class Condition:
    """One condition of a rule; it is met when one of its values matches."""

    field: str  # host-header, path-pattern, http-header, http-request-method, query-string, source-ip
    values: tuple[str, ...]  # of query-string "key=value" or "=value"
    header: str = ""  # of http-header


@dataclass(frozen=True)
class Rule:
    """A rule: when all its conditions are met, its action is taken."""

    conditions: tuple[Condition, ...]
    action: Action


@dataclass(frozen=True)
class Listener:
    """A port, its rules by priority, and what happens when none of them is met."""

    port: int
    protocol: str  # HTTP or HTTPS
    rules: tuple[Rule, ...]
    default: Action
    certificates: tuple[str, ...] = ()  # PEM with key; the first is the default one


@dataclass(frozen=True)
class LoadBalancer:
    """Everything that HAProxy's configuration depends on, but for the targets."""

    name: str
    address: str
    idle_timeout_seconds: int
    is_http2: bool
    listeners: tuple[Listener, ...]
    target_groups: tuple[TargetGroup, ...]


@dataclass(frozen=True)
class RegisteredTarget:
    """A target with what is needed to reach it. `number` tells one registration of a target from the next."""

    target: Target
    number: int
    address: str
    instance_state: str
    deregistered_at: float | None = None

    @property
    def is_running(self) -> bool:
        """Say whether there may be somebody at the address."""
        return self.instance_state in ("pending", "running")


@dataclass(frozen=True)
class Wanted:
    """What is wanted of one load balancer now: its set-up, its packet filters, its targets by target group ARN."""

    load_balancer: LoadBalancer
    filters: str
    registered: Mapping[str, tuple[RegisteredTarget, ...]]
