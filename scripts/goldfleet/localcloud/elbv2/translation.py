"""moto's records of a load balancer, read as what it is to HAProxy. Looks only; call under the world's lock."""

from collections.abc import Iterable
from typing import Any

from goldfleet.localcloud.balancer.model import (
    Action,
    Condition,
    FixedResponse,
    Forward,
    HealthCheck,
    Listener,
    LoadBalancer,
    Redirect,
    Rule,
    TargetGroup,
)
from goldfleet.localcloud.elbv2.certificates import pem_of


def load_balancer_of(record: Any, target_groups: dict[str, Any]) -> LoadBalancer:
    """Return a load balancer with the target groups that its rules name."""
    groups = [target_groups[arn] for arn in sorted(used_by(record)) if arn in target_groups]
    return LoadBalancer(
        name=record.name,
        address=record.dns_name,
        idle_timeout_seconds=int(record.attrs["idle_timeout.timeout_seconds"]),
        is_http2=record.attrs["routing.http2.enabled"] == "true",
        listeners=tuple(_listener(listener, target_groups) for listener in record.listeners.values()),
        target_groups=tuple(target_group_of(group) for group in groups),
    )


def used_by(record: Any) -> set[str]:
    """Return the ARNs of the target groups that the rules of a load balancer forward to."""
    return {
        arn
        for listener in record.listeners.values()
        for rule in listener.rules.values()
        for action in rule.actions
        for arn, _weight in forwarded(action)
    }


def forwarded(action: Any) -> list[tuple[str, int]]:
    """Return the ARNs of the target groups that an action forwards to, with their weights."""
    if action.type != "forward":
        return []
    groups = action.data.get("ForwardConfig", {}).get("TargetGroups")
    if groups:
        return [(group["TargetGroupArn"], int(group.get("Weight", 1))) for group in groups]
    return [(action.data["TargetGroupArn"], 1)]


def target_group_of(record: Any) -> TargetGroup:
    """Return a target group as it checks and drains."""
    port = record.health_check_port
    return TargetGroup(
        arn=record.arn,
        name=record.name,
        protocol=record.protocol,
        health_check=HealthCheck(
            protocol=record.health_check_protocol,
            path=record.health_check_path or "/",
            port=None if port in (None, "traffic-port") else int(port),
            matcher=record.matcher.get("HttpCode") or "200",
            interval_seconds=int(record.health_check_interval_seconds),
            timeout_seconds=int(record.health_check_timeout_seconds),
            healthy_threshold=int(record.healthy_threshold_count),
            unhealthy_threshold=int(record.unhealthy_threshold_count),
        ),
        algorithm=record.attributes["load_balancing.algorithm.type"],
        deregistration_delay_seconds=float(record.attributes["deregistration_delay.timeout_seconds"]),
    )


def _listener(record: Any, target_groups: dict[str, Any]) -> Listener:
    rules = sorted(record._non_default_rules.values(), key=lambda rule: int(rule.priority))
    default = record._default_rule[0]
    return Listener(
        port=int(record.port),
        protocol=record.protocol,
        rules=tuple(Rule(tuple(_conditions(rule.conditions)), _action(rule.actions, target_groups)) for rule in rules),
        default=_action(default.actions, target_groups),
        certificates=tuple(pem_of(arn) for arn in record.certificates) if record.protocol == "HTTPS" else (),
    )


def _action(actions: list[Any], target_groups: dict[str, Any]) -> Action:
    action = min(actions, key=lambda one: int(one.data.get("Order", 1)))
    if action.type == "forward":
        weights = [(arn, weight) for arn, weight in forwarded(action) if arn in target_groups]
        return Forward(tuple((target_groups[arn].name, weight) for arn, weight in weights))
    if action.type == "fixed-response":
        config = action.data["FixedResponseConfig"]
        return FixedResponse(
            int(config["StatusCode"]), config.get("ContentType") or "text/plain", config.get("MessageBody") or ""
        )
    config = action.data["RedirectConfig"]
    return Redirect(
        status_code=301 if config["StatusCode"] == "HTTP_301" else 302,
        protocol=config.get("Protocol", "#{protocol}"),
        host=config.get("Host", "#{host}"),
        port=str(config.get("Port", "#{port}")),
        path=config.get("Path", "/#{path}"),
        query=config.get("Query", "#{query}"),
    )


CONFIGS = {
    "host-header": "HostHeaderConfig",
    "path-pattern": "PathPatternConfig",
    "http-header": "HttpHeaderConfig",
    "http-request-method": "HttpRequestMethodConfig",
    "source-ip": "SourceIpConfig",
    "query-string": "QueryStringConfig",
}


def _conditions(conditions: Iterable[dict[str, Any]]) -> Iterable[Condition]:
    for condition in conditions:
        config = condition.get(CONFIGS[condition["Field"]]) or {}
        values = config.get("Values") or condition.get("Values") or []
        if condition["Field"] == "query-string":
            values = [f"{value.get('Key') or ''}={value['Value']}" for value in values]
        yield Condition(condition["Field"], tuple(values), config.get("HttpHeaderName", ""))
