"""What happens to a target next, and what HAProxy must be told for it. Pure: looks in, commands out, every turn anew.

A target is probed first, in a backend that no traffic reaches, about twice a second: one passed check makes it healthy,
failures over interval x unhealthy threshold make it unhealthy. Only then it becomes a server of the backend with traffic,
because HAProxy takes a server that it has not checked yet for fit. Beside it stands a backup server at the same address without
checks: when every server is down, HAProxy uses the backups, which is the load balancer's fail-open. A target that leaves goes
into maintenance, which lets its requests finish, and is deleted when none is left.
Source: Application Load Balancer user guide, "Health checks for your target groups" and "Deregistration delay".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from goldfleet.localcloud.balancer.health import CHECKING, DRAINING, HEALTHY, invalid_state, unhealthy
from goldfleet.localcloud.balancer.model import RegisteredTarget, TargetGroup, TargetHealth
from goldfleet.localcloud.balancer.statistics import Statistics

PROBE_MILLISECONDS = 500
PROBES = ":probes"  # what a target group's backend without traffic is called after it
BACKUP = ":open"  # what a server's backup is called after it


class Phase(StrEnum):
    """Which servers of HAProxy stand for a target."""

    OUT = "out"  # none: there is nobody at the address
    PROBING = "probing"
    SERVING = "serving"
    DRAINING = "draining"


@dataclass(frozen=True)
class Progress:
    """Where a target is."""

    phase: Phase
    since: float
    health: TargetHealth


@dataclass(frozen=True)
class Placed:
    """A target of a target group, and where it is."""

    group: TargetGroup
    target: RegisteredTarget
    progress: Progress


@dataclass(frozen=True)
class Look:
    """What was seen of HAProxy this turn."""

    statistics: Statistics
    has_old_workers: bool
    now: float


def server_name(target: RegisteredTarget) -> str:
    """Return the name of a target's server; `log_target` reads the instance id out of it again."""
    return f"{target.target.instance_id}:{target.target.port}:{target.number}"


def advance(group: TargetGroup, target: RegisteredTarget, before: Progress | None, look: Look) -> Progress | None:
    """Return where a target is now; None when it has left."""
    if target.deregistered_at is not None:
        return _leave(group, target, before, look)
    if not target.is_running:
        return Progress(Phase.OUT, look.now, invalid_state(target.instance_state))
    if before is None or before.phase not in (Phase.PROBING, Phase.SERVING):
        return Progress(Phase.PROBING, look.now, CHECKING)
    return _judge(group, target, before, look) if before.phase is Phase.PROBING else _watch(group, target, before, look)


def is_overdue(group: TargetGroup, target: RegisteredTarget, now: float) -> bool:
    """Say whether a leaving target's deregistration delay has passed; its last connections are closed then."""
    return target.deregistered_at is not None and now >= target.deregistered_at + group.deregistration_delay_seconds


def commands(placed: Sequence[Placed], statistics: Statistics) -> list[str]:
    """Return what HAProxy must be told so that its servers are those that the targets need; nothing when they are."""
    told: list[str] = []
    kept: set[tuple[str, str]] = set()
    for one in placed:
        backend, name = one.group.name, server_name(one.target)
        if one.progress.phase is Phase.PROBING:
            kept.add((backend + PROBES, name))
            if (backend + PROBES, name) not in statistics:
                told.append(_add_probe(one.group, one.target))
        elif one.progress.phase is Phase.SERVING:
            kept |= {(backend, name), (backend, name + BACKUP)}
            told += _add_servers(one, statistics)
        elif one.progress.phase is Phase.DRAINING:
            kept |= {(backend, name), (backend, name + BACKUP)}
            told += _close(backend, name, statistics)
    return told + list(_remove(statistics, kept))


def close_connections(group: TargetGroup, target: RegisteredTarget, statistics: Statistics) -> list[str]:
    """Return what ends the requests that a target still answers."""
    servers = [(group.name, name) for name in (server_name(target), server_name(target) + BACKUP)]
    return [f"shutdown sessions server {'/'.join(one)}" for one in servers if one in statistics]


def configured_servers(group: TargetGroup, placed: Sequence[Placed]) -> list[str]:
    """Return a target group's server lines for HAProxy's configuration, so that a reload loses no server.

    Unhealthy targets have only their backup there; `commands` adds the other, as unhealthy.
    """
    lines = []
    for one in placed:
        if one.group.arn == group.arn and one.progress.phase is Phase.SERVING:
            name, endpoint = server_name(one.target), _endpoint(one.target)
            if one.progress.health == HEALTHY:
                lines.append(f"server {name} {endpoint} {_options(group)}")
            lines.append(f"server {name}{BACKUP} {endpoint} backup{_server_options(group)}")
    return lines


def confirm_health(placed: Sequence[Placed]) -> list[str]:
    """Return what makes the servers of a new configuration as healthy as they were: HAProxy trusts them less at first."""
    return [
        f"set server {one.group.name}/{server_name(one.target)} health up"
        for one in placed
        if one.progress.phase is Phase.SERVING and one.progress.health == HEALTHY
    ]


def _leave(group: TargetGroup, target: RegisteredTarget, before: Progress | None, look: Look) -> Progress | None:
    """Return whether a target still drains: until no request is in flight, at most for the deregistration delay."""
    if before is None or before.phase is Phase.OUT or is_overdue(group, target, look.now) or not target.is_running:
        return None
    if before.phase is not Phase.DRAINING:
        return Progress(Phase.DRAINING, look.now, DRAINING)
    name = server_name(target)
    servers = [look.statistics.get((group.name, one)) for one in (name, name + BACKUP)]
    is_busy = any(one is not None and (one.sessions > 0 or not one.is_in_maintenance) for one in servers)
    return before if is_busy or look.has_old_workers else None


def _judge(group: TargetGroup, target: RegisteredTarget, before: Progress, look: Look) -> Progress:
    """Return the first verdict on a target, or that there is none yet."""
    statistic = look.statistics.get((group.name + PROBES, server_name(target)))
    if statistic is None or not statistic.has_been_checked:
        return before
    if statistic.is_up and statistic.has_passed:
        return Progress(Phase.SERVING, look.now, HEALTHY)
    check = group.health_check
    if look.now - before.since >= check.interval_seconds * check.unhealthy_threshold and not statistic.has_passed:
        return Progress(Phase.SERVING, look.now, unhealthy(statistic))
    return before


def _watch(group: TargetGroup, target: RegisteredTarget, before: Progress, look: Look) -> Progress:
    """Return what the checks of a serving target say now."""
    statistic = look.statistics.get((group.name, server_name(target)))
    if statistic is None or not statistic.has_been_checked:
        return before
    if statistic.is_up:
        return replace(before, health=HEALTHY)
    if statistic.status.startswith("DOWN") and not statistic.has_passed:
        return replace(before, health=unhealthy(statistic))
    return before


def _add_servers(one: Placed, statistics: Statistics) -> Iterator[str]:
    """Yield what makes a target a server with the health it has, and its backup, as far as they are not there.

    The health is set while the server drains: on the way out of maintenance HAProxy would take it for fit.
    """
    group, server = one.group, f"{one.group.name}/{server_name(one.target)}"
    health = "up" if one.progress.health == HEALTHY else "down"
    if (group.name, server_name(one.target)) not in statistics:
        yield (
            f"add server {server} {_endpoint(one.target)} {_options(group)}; set server {server} state drain; "
            f"enable health {server}; set server {server} health {health}; set server {server} state ready"
        )
    if (group.name, server_name(one.target) + BACKUP) not in statistics:
        backup = f"{server}{BACKUP}"
        yield f"add server {backup} {_endpoint(one.target)} backup{_server_options(group)}; enable server {backup}"


def _add_probe(group: TargetGroup, target: RegisteredTarget) -> str:
    server = f"{group.name}{PROBES}/{server_name(target)}"
    options = f"check inter {PROBE_MILLISECONDS}ms fall 1 rise 1{_check_options(group)}{_server_options(group)}"
    return f"add server {server} {_endpoint(target)} {options}; enable health {server}; enable server {server}"


def _close(backend: str, name: str, statistics: Statistics) -> Iterator[str]:
    for server in (name, name + BACKUP):
        statistic = statistics.get((backend, server))
        if statistic is not None and not statistic.is_in_maintenance:
            yield f"set server {backend}/{server} state maint"


def _remove(statistics: Statistics, kept: set[tuple[str, str]]) -> Iterator[str]:
    """Yield what deletes every server that stands for no target; one that is still busy is tried again next turn."""
    for backend, server in statistics:
        if (backend, server) not in kept:
            yield f"set server {backend}/{server} state maint; del server {backend}/{server}"


def _endpoint(target: RegisteredTarget) -> str:
    return f"{target.address}:{target.target.port}"


def _options(group: TargetGroup) -> str:
    check = group.health_check
    thresholds = f"fall {check.unhealthy_threshold} rise {check.healthy_threshold}"
    return f"check inter {check.interval_seconds}s {thresholds}{_check_options(group)}{_server_options(group)}"


def _server_options(group: TargetGroup) -> str:
    return " ssl verify none" if group.protocol == "HTTPS" else ""


def _check_options(group: TargetGroup) -> str:
    options = "" if group.health_check.port is None else f" port {group.health_check.port}"
    if group.health_check.protocol == "HTTPS" and group.protocol != "HTTPS":
        options += " check-ssl verify none"
    if group.health_check.protocol != "HTTPS" and group.protocol == "HTTPS":
        options += " no-check-ssl"
    return options
