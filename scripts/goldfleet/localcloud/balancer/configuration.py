"""HAProxy's configuration for a load balancer, rendered. Pure.

It answers where an ALB answers and as it does: 503 without a target to send to, 502 when a target refuses or closes, 504 when
it is silent; no request is sent twice. Servers are told at run time (`targets`); only those that serve are written here, for
reloads.
Source: Application Load Balancer user guide, "HTTP headers and Application Load Balancers" and "Troubleshoot your Application
Load Balancers" (HTTP error codes).
"""

import hashlib
from collections.abc import Mapping, Sequence

from goldfleet.localcloud.balancer.conditions import quoted, render_condition
from goldfleet.localcloud.balancer.model import (
    Action,
    FixedResponse,
    Forward,
    Listener,
    LoadBalancer,
    Redirect,
    TargetGroup,
)
from goldfleet.localcloud.balancer.targets import PROBES

FOLDER = "/run/balancer"  # where the load balancer's folder is mounted in its machine
CONNECT_SECONDS = 10  # an ALB gives a target that long to accept a connection ("HTTP 504: Gateway timeout")
KEEP_ALIVE_SECONDS = 3600  # client_keep_alive.seconds, its default
ALGORITHMS = {"round_robin": "roundrobin", "least_outstanding_requests": "leastconn"}
# One JSON object a request. The json converter escapes what the client chose.
LOG_FORMAT = (
    '{"time":%[date(0,ms)],"target_group":"%b","server":"%s","status":%ST,"milliseconds":%Ta,'
    '"method":"%[var(txn.method),json(utf8s)]","path":"%[var(txn.path),json(utf8s)]","client":"%ci","termination":"%ts"}'
)
PLACEHOLDERS = {
    "#{protocol}": "%[var(txn.protocol)]",
    "#{host}": "%[req.hdr(host),field(1,:)]",
    "#{port}": "%[dst_port]",
    "#{path}": "%[path,bytes(1)]",
    "#{query}": "%[query]",
}


def digest(balancer: LoadBalancer, log_address: str) -> str:
    """Return a short name of all that only a reload can change: the configuration without servers, and the certificates."""
    content = [_configuration(balancer, {}, log_address, ""), *certificate_files(balancer).values()]
    return hashlib.sha256("\0".join(content).encode()).hexdigest()[:16]


def render(balancer: LoadBalancer, servers: Mapping[str, Sequence[str]], log_address: str) -> str:
    """Return HAProxy's configuration, which names itself; `servers` are server lines by target group ARN."""
    return _configuration(balancer, servers, log_address, digest(balancer, log_address))


def certificate_files(balancer: LoadBalancer) -> dict[str, str]:
    """Return the certificates of the listeners by the name of the file that the configuration expects."""
    return {
        _certificate_file(listener, number): pem
        for listener in balancer.listeners
        for number, pem in enumerate(listener.certificates)
    }


def _configuration(
    balancer: LoadBalancer, servers: Mapping[str, Sequence[str]], log_address: str, description: str
) -> str:
    parts = [_preamble(balancer, log_address, description)]
    parts += [_frontend(balancer, listener) for listener in balancer.listeners]
    for group in balancer.target_groups:
        parts += [_backend(balancer, group, servers.get(group.arn, ())), _probes(balancer, group)]
    return "\n".join(parts)


def _preamble(balancer: LoadBalancer, log_address: str, description: str) -> str:
    idle = balancer.idle_timeout_seconds
    return f"""global
    description {description}
    log {log_address} len 8192 format raw local0 info
    stats socket {FOLDER}/admin.sock mode 600 level admin expose-fd listeners
    maxconn 4000
    hard-stop-after 1h
    ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
    mode http
    log global
    option dontlognull
    option allbackups
    retries 0
    timeout connect {CONNECT_SECONDS}s
    timeout client {idle}s
    timeout server {idle}s
    timeout http-request {idle}s
    timeout http-keep-alive {max(idle, KEEP_ALIVE_SECONDS)}s
    log-format {quoted(LOG_FORMAT)}
    http-error status 503 content-type text/plain string "The load balancer has no answer from a target."
"""


def _frontend(balancer: LoadBalancer, listener: Listener) -> str:
    is_https = listener.protocol == "HTTPS"
    protocol = "https" if is_https else "http"
    bind = f"bind :{listener.port}"
    if is_https:
        names = [f"{FOLDER}/{_certificate_file(listener, number)}" for number in range(len(listener.certificates))]
        bind += " ssl " + " ".join(f"crt {name}" for name in names)
        bind += " alpn h2,http/1.1" if balancer.is_http2 else " alpn http/1.1"
    lines = [
        bind,
        "http-request set-var(txn.path) path",
        "http-request set-var(txn.method) method",
        "http-request set-var(txn.started) date()",
        f"http-request set-var(txn.protocol) str({protocol})",
        'http-request set-header X-Forwarded-For "%[req.fhdr(x-forwarded-for)], %[src]" '
        "if { req.fhdr(x-forwarded-for) -m found }",
        "http-request set-header X-Forwarded-For %[src] if !{ req.fhdr(x-forwarded-for) -m found }",
        f"http-request set-header X-Forwarded-Proto {protocol}",
        f"http-request set-header X-Forwarded-Port {listener.port}",
        "http-response set-var(txn.answered) bool(true)",
        # HAProxy answers 503 when it cannot connect; an ALB 504 after its connection time-out and 502 otherwise.
        "http-after-response set-var(txn.waited) date(),sub(txn.started)",
        f"http-after-response set-status 504 reason 'Gateway Time-out' if {{ status 503 }} "
        f"!{{ var(txn.answered) -m bool }} {{ var(txn.waited) -m int ge {CONNECT_SECONDS - 1} }}",
        "http-after-response set-status 502 reason 'Bad Gateway' if { status 503 } !{ var(txn.answered) -m bool }",
        *_rules(listener),
    ]
    return f"frontend listener-{listener.port}\n" + "".join(f"    {line}\n" for line in lines)


def _rules(listener: Listener) -> list[str]:
    """Return the choice of the first rule that is met, and what each does."""
    chosen = "{ var(txn.rule) -m found }"
    lines = []
    for number, rule in enumerate(listener.rules):
        conditions = " ".join(render_condition(condition) for condition in rule.conditions)
        lines.append(f"http-request set-var(txn.rule) int({number}) if !{chosen} {conditions}")
    lines.append(f"http-request set-var(txn.rule) int({len(listener.rules)}) if !{chosen}")
    for number, action in enumerate([*(rule.action for rule in listener.rules), listener.default]):
        lines += _action(action, f"{{ var(txn.rule) -m int {number} }}")
    # HAProxy wants use_backend after all http-request rules.
    return sorted(lines, key=lambda line: line.startswith("use_backend"))


def _action(action: Action, condition: str) -> list[str]:
    if isinstance(action, Forward):
        return _forward(action, condition)
    answered = f"http-request set-var(txn.answered) bool(true) if {condition}"
    if isinstance(action, FixedResponse):
        content = f" content-type {quoted(action.content_type)}" if action.message_body else ""
        body = f" string {quoted(action.message_body)}" if action.message_body else ""
        return [answered, f"http-request return status {action.status_code}{content}{body} if {condition}"]
    return [answered, *_redirect(action, condition)]


def _forward(action: Forward, condition: str) -> list[str]:
    """Return the choice of a target group, at random by weight."""
    weighted = [(name, weight) for name, weight in action.target_groups if weight > 0]
    left, lines = sum(weight for _name, weight in weighted), []
    if not weighted:
        lines = [f"http-request set-var(txn.answered) bool(true) if {condition}",
                 f"http-request return status 503 if {condition}"]  # fmt: skip
    for name, weight in weighted:
        chance = "" if weight == left else f" {{ rand({left}) lt {weight} }}"
        lines.append(f"use_backend {name} if {condition}{chance}")
        left -= weight
    return lines


def _redirect(action: Redirect, condition: str) -> list[str]:
    query = f"?{action.query}" if action.query else ""
    protocol = action.protocol.lower() if action.protocol != "#{protocol}" else action.protocol
    target = f"{protocol}://{action.host}:{action.port}{action.path}"
    code, with_query = action.status_code, condition
    lines = []
    if action.query == "#{query}":
        with_query = f"{condition} {{ query -m found }} {{ query -m len gt 0 }}"
        lines = [f"http-request redirect code {code} location {_format(target)} if {condition}"]
    return [f"http-request redirect code {code} location {_format(target + query)} if {with_query}", *lines]


def _format(text: str) -> str:
    """Return a text with AWS's placeholders as a log format of HAProxy."""
    text = text.replace("%", "%%")
    for placeholder, sample in PLACEHOLDERS.items():
        text = text.replace(placeholder, sample)
    return quoted(text)


def _backend(balancer: LoadBalancer, group: TargetGroup, servers: Sequence[str]) -> str:
    lines = [
        # Servers carry these; they stand here so that another interval or port is another configuration (`digest`).
        f"# servers: {group.protocol}, {group.health_check!r}",
        f"balance {ALGORITHMS[group.algorithm]}",
        *_check(balancer, group),
        # A process that a reload has replaced counts no servers, but still forwards what older connections ask.
        "http-request set-var(txn.answered) bool(true) if { nbsrv eq 0 } !{ stopping }",
        "http-request return status 503 content-type text/plain string 'The target group has no target.' "
        "if { nbsrv eq 0 } !{ stopping }",
        *servers,
    ]
    return f"backend {group.name}\n" + "".join(f"    {line}\n" for line in lines)


def _probes(balancer: LoadBalancer, group: TargetGroup) -> str:
    lines = ["balance roundrobin", *_check(balancer, group)]
    return f"backend {group.name}{PROBES}\n" + "".join(f"    {line}\n" for line in lines)


def _check(balancer: LoadBalancer, group: TargetGroup) -> list[str]:
    check = group.health_check
    return [
        "option httpchk",
        f"timeout check {check.timeout_seconds}s",
        f"http-check send meth GET uri {quoted(check.path)} ver HTTP/1.1 hdr Host {balancer.address} "
        "hdr User-Agent ELB-HealthChecker/2.0 hdr Connection close",
        f"http-check expect status {check.matcher}",
    ]


def _certificate_file(listener: Listener, number: int) -> str:
    return f"listener-{listener.port}-{number}.pem"
