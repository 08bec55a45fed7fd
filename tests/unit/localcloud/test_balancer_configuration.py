"""HAProxy's configuration: what is rendered for rules, actions, health checks."""

from dataclasses import replace

import pytest

from goldfleet.localcloud.balancer.conditions import quoted, render_condition
from goldfleet.localcloud.balancer.configuration import certificate_files, digest, render
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

CHECK = HealthCheck("HTTP", "/health?a='b'", None, "200,300-399", 5, 2, 3, 2)
GROUP = TargetGroup("arn:web", "web", "HTTP", CHECK, "least_outstanding_requests", 300.0)
FORWARD = Forward((("web", 1),))


def balancer(default: Action = FORWARD, *rules: Rule, protocol: str = "HTTP") -> LoadBalancer:
    """Return a load balancer with one listener."""
    certificates = ("PEM one", "PEM two") if protocol == "HTTPS" else ()
    listener = Listener(443 if certificates else 80, protocol, rules, default, certificates)
    return LoadBalancer("site", "10.64.0.9", 60, True, (listener,), (GROUP,))


def lines(of: LoadBalancer, start: str) -> list[str]:
    """Return the lines of a configuration that begin so."""
    text = render(of, {"arn:web": ["server a 10.64.0.10:80"]}, "10.64.0.1:5140")
    return [line.strip() for line in text.splitlines() if line.strip().startswith(start)]


def test_default_action_comes_after_every_rule() -> None:
    rule = Rule((Condition("path-pattern", ("/a/*", "/b?")), Condition("http-request-method", ("GET",))), FORWARD)
    chosen = [line for line in lines(balancer(FORWARD, rule), "http-request set-var(txn.rule)")]
    assert chosen == [
        "http-request set-var(txn.rule) int(0) if !{ var(txn.rule) -m found } "
        "{ path -m reg '^/a/.*$' '^/b.$' } { method -m str 'GET' }",
        "http-request set-var(txn.rule) int(1) if !{ var(txn.rule) -m found }",
    ]


def test_weights_become_chances() -> None:
    default = Forward((("web", 3), ("other", 1), ("none", 0)))
    assert lines(balancer(default), "use_backend") == [
        "use_backend web if { var(txn.rule) -m int 0 } { rand(4) lt 3 }",
        "use_backend other if { var(txn.rule) -m int 0 }",
    ]


def test_action_without_a_target_group_answers_503() -> None:
    assert lines(balancer(Forward(())), "http-request return status 503 if") == [
        "http-request return status 503 if { var(txn.rule) -m int 0 }"
    ]


def test_fixed_response_keeps_its_text() -> None:
    told = lines(balancer(FixedResponse(404, "text/plain", "it's\ngone")), "http-request return status 404")
    assert told == [
        "http-request return status 404 content-type 'text/plain' string 'it'\\''s'\\n'gone' if { var(txn.rule) -m int 0 }"
    ]


def test_redirect_adds_a_query_only_where_there_is_one() -> None:
    with_query, without = lines(balancer(Redirect(301, protocol="HTTPS", port="443")), "http-request redirect")
    assert "location 'https://%[req.hdr(host),field(1,:)]:443/%[path,bytes(1)]?%[query]' if " in with_query
    assert with_query.endswith("{ query -m found } { query -m len gt 0 }")
    assert "location 'https://%[req.hdr(host),field(1,:)]:443/%[path,bytes(1)]' if " in without


def test_https_listener_names_each_certificate() -> None:
    secure = balancer(protocol="HTTPS")
    folder = "/run/balancer/listener-443"
    assert lines(secure, "bind") == [f"bind :443 ssl crt {folder}-0.pem crt {folder}-1.pem alpn h2,http/1.1"]
    assert certificate_files(secure) == {"listener-443-0.pem": "PEM one", "listener-443-1.pem": "PEM two"}


def test_health_check_asks_as_wanted() -> None:
    assert lines(balancer(), "http-check expect") == ["http-check expect status 200,300-399"] * 2
    assert "uri '/health?a='\\''b'\\'''" in lines(balancer(), "http-check send")[0]
    assert lines(balancer(), "timeout check") == ["timeout check 2s"] * 2


def test_nothing_is_sent_twice() -> None:
    assert lines(balancer(), "retries") == ["retries 0"]
    assert lines(balancer(), "option redispatch") == []


def test_servers_and_algorithm_are_the_target_groups() -> None:
    assert lines(balancer(), "server a") == ["server a 10.64.0.10:80"]
    assert lines(balancer(), "balance") == ["balance leastconn", "balance roundrobin"]


LOG = "10.64.0.1:5140"


@pytest.mark.parametrize(
    "other",
    [
        replace(balancer(), idle_timeout_seconds=61),
        balancer(FixedResponse(404, "text/plain", "")),
        replace(balancer(), target_groups=(replace(GROUP, health_check=replace(CHECK, path="/other")),)),
        replace(balancer(), target_groups=(replace(GROUP, health_check=replace(CHECK, timeout_seconds=3)),)),
        replace(balancer(), target_groups=(replace(GROUP, health_check=replace(CHECK, interval_seconds=6)),)),
    ],
    ids=["idle time-out", "action", "health check path", "health check time-out", "health check interval"],
)
def test_what_only_a_reload_can_change_has_another_digest(other: LoadBalancer) -> None:
    assert digest(other, LOG) != digest(balancer(), LOG)


def test_another_certificate_has_another_digest() -> None:
    secure = balancer(protocol="HTTPS")
    other = replace(secure, listeners=(replace(secure.listeners[0], certificates=("PEM one", "PEM three")),))
    assert digest(secure, LOG) != digest(other, LOG)


def test_deregistration_delay_needs_no_reload() -> None:
    other = replace(balancer(), target_groups=(replace(GROUP, deregistration_delay_seconds=1.0),))
    assert digest(other, LOG) == digest(balancer(), LOG)


def test_configuration_names_itself_whatever_its_servers() -> None:
    assert lines(balancer(), "description") == [f"description {digest(balancer(), LOG)}"]


@pytest.mark.parametrize(
    ("condition", "rendered"),
    [
        (Condition("host-header", ("*.Example.com",)), r"{ req.hdr(host),field(1,:) -i -m reg '^.*\.Example\.com$' }"),
        (Condition("source-ip", ("10.0.0.0/8", "192.0.2.1/32")), "{ src '10.0.0.0/8' '192.0.2.1/32' }"),
        (Condition("http-header", ("a*",), "X-One"), "{ req.hdr(X-One) -i -m reg '^a.*$' }"),
        (Condition("query-string", ("k=v", "=w")), "{ query -m reg '(^|&)k=v(&|$)' '(^|&)([^&]*=)?w(&|$)' }"),
    ],
    ids=["host", "source", "header", "query"],
)
def test_condition_is_an_acl(condition: Condition, rendered: str) -> None:
    assert render_condition(condition) == rendered


def test_quoted_text_stays_one_literal_word() -> None:
    assert quoted('a "b" $c %[d] #e') == "'a \"b\" $c %[d] #e'"
