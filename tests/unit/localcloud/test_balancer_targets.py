"""What happens to a target next: the state machine of the load balancer, without HAProxy."""

from dataclasses import replace

import pytest

from goldfleet.localcloud.balancer.health import CHECKING, DRAINING, HEALTHY
from goldfleet.localcloud.balancer.model import HealthCheck, RegisteredTarget, Target, TargetGroup
from goldfleet.localcloud.balancer.statistics import ServerStatistic, Statistics
from goldfleet.localcloud.balancer.targets import (
    BACKUP,
    PROBES,
    Look,
    Phase,
    Placed,
    Progress,
    advance,
    close_connections,
    commands,
    configured_servers,
    server_name,
)
from goldfleet.scaling.model import TargetState

CHECK = HealthCheck("HTTP", "/health", None, "200", 5, 2, 3, 2)
GROUP = TargetGroup("arn:web", "web", "HTTP", CHECK, "round_robin", 300.0)
TARGET = RegisteredTarget(Target("i-1", 80), 7, "10.64.0.9", "running")
NAME = "i-1:80:7"
UNHEALTHY = Progress(Phase.SERVING, 0.0, replace(CHECKING, state=TargetState.UNHEALTHY))


def seen(backend: str, status: str, check: str = "", code: str = "", sessions: int = 0, name: str = NAME) -> Statistics:
    """Return what HAProxy says of one server."""
    return {(backend, name): ServerStatistic(backend, name, status, check, code, sessions)}


def look(statistics: Statistics, now: float = 0.0, *, has_old_workers: bool = False) -> Look:
    """Return a look at HAProxy."""
    return Look(statistics, has_old_workers, now)


PROBING = Progress(Phase.PROBING, 0.0, CHECKING)
SERVING = Progress(Phase.SERVING, 0.0, HEALTHY)
LEAVING = replace(TARGET, deregistered_at=100.0)


def test_new_target_is_probed() -> None:
    assert advance(GROUP, TARGET, None, look({})) == PROBING


def test_probe_without_a_finished_check_is_no_verdict() -> None:
    assert advance(GROUP, TARGET, PROBING, look(seen("web:probes", "UP", "INI"), 60)) == PROBING


def test_first_passed_check_makes_a_target_healthy() -> None:
    assert advance(GROUP, TARGET, PROBING, look(seen("web:probes", "UP", "L7OK"), 1.0)) == replace(SERVING, since=1.0)


@pytest.mark.parametrize(("now", "phase"), [(9.9, Phase.PROBING), (10.0, Phase.SERVING)])
def test_failing_probe_is_unhealthy_only_after_interval_times_threshold(now: float, phase: Phase) -> None:
    found = advance(GROUP, TARGET, PROBING, look(seen("web:probes", "DOWN", "L7STS", "503"), now))
    assert found is not None
    assert found.phase is phase


@pytest.mark.parametrize(
    ("check", "code", "reason", "description"),
    [
        ("L7STS", "503", "Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]"),
        ("L4TOUT", "", "Target.Timeout", "Request timed out"),
        ("L7TOUT", "", "Target.Timeout", "Request timed out"),
        ("L4CON", "", "Target.FailedHealthChecks", "Health checks failed"),
    ],
)
def test_server_that_is_down_is_unhealthy_for_the_reason_seen(
    check: str, code: str, reason: str, description: str
) -> None:
    found = advance(GROUP, TARGET, SERVING, look(seen("web", "DOWN", check, code)))
    assert found is not None
    assert (found.health.state, found.health.reason, found.health.description) == ("unhealthy", reason, description)


def test_server_that_recovers_keeps_its_reason_until_the_threshold() -> None:
    assert advance(GROUP, TARGET, UNHEALTHY, look(seen("web", "DOWN 1/3", "L7OK"))) == UNHEALTHY


def test_server_that_has_failed_once_is_still_healthy() -> None:
    assert advance(GROUP, TARGET, SERVING, look(seen("web", "UP 1/2", "L7STS", "503"))) == SERVING


def test_server_that_a_reload_has_not_brought_back_yet_stays_as_it_was() -> None:
    assert advance(GROUP, TARGET, UNHEALTHY, look({})) == UNHEALTHY


@pytest.mark.parametrize("state", ["stopping", "stopped"])
def test_target_of_a_stopped_instance_is_unused(state: str) -> None:
    found = advance(GROUP, replace(TARGET, instance_state=state), SERVING, look({}))
    assert found is not None
    assert (found.phase, found.health.state, found.health.description) == (
        Phase.OUT, "unused", "Target is in the stopped state",
    )  # fmt: skip


def test_target_of_an_instance_that_started_again_is_probed_anew() -> None:
    found = advance(GROUP, TARGET, Progress(Phase.OUT, 0.0, CHECKING), look({}, 5.0))
    assert found == Progress(Phase.PROBING, 5.0, CHECKING)


def test_deregistered_target_drains_first() -> None:
    assert advance(GROUP, LEAVING, SERVING, look({}, 100.0)) == Progress(Phase.DRAINING, 100.0, DRAINING)


@pytest.mark.parametrize(
    ("statistics", "now", "has_old_workers", "has_left"),
    [
        (seen("web", "MAINT", sessions=1), 101.0, False, False),
        (seen("web", "UP"), 101.0, False, False),
        (seen("web", "MAINT"), 101.0, True, False),
        (seen("web", "MAINT"), 101.0, False, True),
        (seen("web", "MAINT", sessions=1), 400.0, False, True),
        ({}, 101.0, False, True),
    ],
    ids=["request in flight", "not told yet", "in flight before a reload", "idle", "delay has passed", "never served"],
)
def test_draining_target_leaves_when_idle_or_overdue(
    statistics: Statistics, now: float, has_old_workers: bool, has_left: bool
) -> None:
    draining = Progress(Phase.DRAINING, 100.0, DRAINING)
    found = advance(GROUP, LEAVING, draining, look(statistics, now, has_old_workers=has_old_workers))
    assert (found is None) is has_left


def test_backup_that_still_answers_keeps_a_target_draining() -> None:
    statistics = seen("web", "MAINT") | seen("web", "MAINT", sessions=1, name=NAME + BACKUP)
    assert advance(GROUP, LEAVING, Progress(Phase.DRAINING, 100.0, DRAINING), look(statistics, 101.0)) is not None


def test_probing_target_is_added_where_no_traffic_goes() -> None:
    (told,) = commands([Placed(GROUP, TARGET, PROBING)], {})
    assert told.startswith(f"add server web{PROBES}/{NAME} 10.64.0.9:80 check inter 500ms fall 1 rise 1; enable health")


@pytest.mark.parametrize(("progress", "health"), [(SERVING, "up"), (UNHEALTHY, "down")], ids=["healthy", "unhealthy"])
def test_serving_target_gets_its_health_before_its_traffic(progress: Progress, health: str) -> None:
    server, backup = commands([Placed(GROUP, TARGET, progress)], {})
    assert server.split("; ") == [
        f"add server web/{NAME} 10.64.0.9:80 check inter 5s fall 2 rise 3",
        f"set server web/{NAME} state drain",
        f"enable health web/{NAME}",
        f"set server web/{NAME} health {health}",
        f"set server web/{NAME} state ready",
    ]
    assert backup == f"add server web/{NAME}:open 10.64.0.9:80 backup; enable server web/{NAME}:open"


def test_servers_that_are_there_need_nothing() -> None:
    statistics = seen("web", "UP", "L7OK") | seen("web", "no check", name=NAME + BACKUP)
    assert commands([Placed(GROUP, TARGET, SERVING)], statistics) == []


def test_draining_servers_are_closed_once_and_kept() -> None:
    draining = Placed(GROUP, LEAVING, Progress(Phase.DRAINING, 0.0, DRAINING))
    statistics = seen("web", "UP") | seen("web", "MAINT", name=NAME + BACKUP)
    assert commands([draining], statistics) == [f"set server web/{NAME} state maint"]


def test_server_of_no_target_is_deleted() -> None:
    told = commands([], seen("web", "UP") | seen("web:probes", "UP"))
    assert told == [
        f"set server {backend}/{NAME} state maint; del server {backend}/{NAME}" for backend in ("web", "web:probes")
    ]


def test_connections_are_closed_only_where_there_is_a_server() -> None:
    assert close_connections(GROUP, LEAVING, seen("web", "MAINT")) == [f"shutdown sessions server web/{NAME}"]


def test_reload_keeps_healthy_servers_and_backups_of_all() -> None:
    other = replace(TARGET, target=Target("i-2", 80), number=8)
    placed = [Placed(GROUP, TARGET, SERVING), Placed(GROUP, other, UNHEALTHY), Placed(GROUP, LEAVING, PROBING)]
    assert configured_servers(GROUP, placed) == [
        f"server {NAME} 10.64.0.9:80 check inter 5s fall 2 rise 3",
        f"server {NAME}:open 10.64.0.9:80 backup",
        "server i-2:80:8:open 10.64.0.9:80 backup",
    ]


def test_https_targets_and_another_check_port_are_options_of_the_server() -> None:
    group = replace(GROUP, protocol="HTTPS", health_check=replace(CHECK, port=8080))
    told = commands([Placed(group, TARGET, PROBING)], {})[0]
    assert "rise 1 port 8080 no-check-ssl ssl verify none; " in told


def test_name_of_a_server_tells_registrations_apart() -> None:
    assert server_name(TARGET) != server_name(replace(TARGET, number=8))
