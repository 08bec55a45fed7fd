"""The loop that keeps one load balancer's HAProxy as it is wanted: look, decide, tell, publish; every turn anew.

What is wanted is read under the world's lock; podman and HAProxy are asked outside it. HAProxy's configuration names itself
(`show info`), so a turn sees which one runs and loads the wanted one when it is another.
"""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field

from goldfleet.errors import GoldfleetError
from goldfleet.localcloud.balancer import targets
from goldfleet.localcloud.balancer.configuration import certificate_files, digest, render
from goldfleet.localcloud.balancer.machine import BalancerMachine
from goldfleet.localcloud.balancer.model import LoadBalancer, RegisteredTarget, TargetGroup, Wanted
from goldfleet.localcloud.balancer.registrations import Registration, Registrations
from goldfleet.localcloud.balancer.runtime import Runtime
from goldfleet.localcloud.balancer.statistics import (
    Statistics,
    has_old_workers,
    parse_description,
    parse_statistics,
)
from goldfleet.localcloud.balancer.targets import Look, Placed, Progress

TURN_SECONDS = 0.25
FAILED_SECONDS = 1.0
RELOAD_SECONDS = 3.0  # how long a new configuration may take to answer before it is loaded again
log = logging.getLogger("goldfleet.localcloud.balancer")


@dataclass(frozen=True)
class Surroundings:
    """What a worker needs of the rest of the local cloud."""

    look: Callable[[], Wanted | None]  # what is wanted now; None when the load balancer is deleted
    activated: Callable[[], None]  # called when HAProxy runs as wanted
    gone: Callable[[], None]  # called when the machine is removed
    registrations: Registrations
    log_address: str


@dataclass
class Worker:
    """Keeps one load balancer."""

    machine: BalancerMachine
    surroundings: Surroundings
    _progress: dict[int, Progress] = field(default_factory=dict)
    _wake: threading.Event = field(default_factory=threading.Event)
    _is_made: bool = False
    _filters: str = ""
    _asked_reload_at: float = 0.0
    _has_reloaded: bool = False
    _running: str = ""

    def __post_init__(self) -> None:
        self._runtime = Runtime(self.machine.folder)

    def start(self) -> None:
        """Begin to work, in a thread of its own."""
        threading.Thread(target=self._run, name=f"balancer {self.machine.machine_id}", daemon=True).start()

    def wake(self) -> None:
        """Look again at once: something is wanted that was not before."""
        self._wake.set()

    def _run(self) -> None:
        while self._is_wanted():
            self._wake.wait(TURN_SECONDS)
            self._wake.clear()
        try:
            self.machine.remove()
        except GoldfleetError as error:
            log.error("%s: %s", self.machine.machine_id, error)
        self.surroundings.gone()

    def _is_wanted(self) -> bool:
        """Do one turn and say whether there is to be another; a turn that fails is told and the next one tries again."""
        try:
            wanted = self.surroundings.look()
            if wanted is None:
                return False
            if not self._is_made:
                self._make(wanted)
            self._turn(wanted)
        except Exception as error:
            expected = isinstance(error, GoldfleetError | OSError)
            log.error("%s: %s", self.machine.machine_id, error, exc_info=not expected)
            self._is_made = self._is_made and not self.machine.has_ended()
            time.sleep(FAILED_SECONDS)
        return True

    def _make(self, wanted: Wanted) -> None:
        log.info("%s: making its machine", self.machine.machine_id)
        self.machine.podman.remove_containers([self.machine.name])
        self.machine.folder.mkdir(parents=True, exist_ok=True)
        self._write(wanted.load_balancer, self._placed(wanted))
        self.machine.create(wanted.filters)
        self._filters, self._asked_reload_at, self._is_made = wanted.filters, time.monotonic(), True

    def _turn(self, wanted: Wanted) -> None:
        if wanted.filters != self._filters:
            self.machine.enforce(wanted.filters)
            self._filters = wanted.filters
        statistics = self._look_at_haproxy(wanted)
        if statistics is None:
            return
        look = Look(statistics, self._has_old_workers(wanted), time.time())
        placed = self._advance(wanted, look)
        told = targets.commands(placed, statistics)
        for command in told:
            answer = self._runtime.ask(command).strip()
            if answer and "registered" not in answer and "deleted" not in answer and "still has" not in answer:
                log.warning("%s: %s: %s", self.machine.machine_id, command, answer)
        for one in placed:
            self.surroundings.registrations.publish(
                one.group.arn, one.target.number, one.target.target, one.progress.health
            )

    def _look_at_haproxy(self, wanted: Wanted) -> Statistics | None:
        """Return what HAProxy says; None, having asked for it, while it does not run as wanted."""
        try:
            running = parse_description(self._runtime.ask("show info"))
            statistics = parse_statistics(self._runtime.ask("show stat"))
        except OSError:
            if time.monotonic() > self._asked_reload_at + RELOAD_SECONDS:
                raise
            return None
        wanted_digest = digest(wanted.load_balancer, self.surroundings.log_address)
        if running != wanted_digest:
            if running == self._running or time.monotonic() > self._asked_reload_at + RELOAD_SECONDS:
                self._reload(wanted)
            self._running = ""
            return None
        if self._running != running:
            self._running = running
            for command in targets.confirm_health(self._placed(wanted)):
                self._runtime.ask(command)
            self.surroundings.activated()
        return statistics

    def _reload(self, wanted: Wanted) -> None:
        log.info("%s: loading another configuration", self.machine.machine_id)
        self._write(wanted.load_balancer, self._placed(wanted))
        self._asked_reload_at, self._has_reloaded = time.monotonic(), True
        with contextlib.suppress(OSError):  # the master starts anew and may close the connection before it answers
            self._runtime.ask_master("reload")

    def _write(self, balancer: LoadBalancer, placed: list[Placed]) -> None:
        servers = {group.arn: targets.configured_servers(group, placed) for group in balancer.target_groups}
        for name, pem in certificate_files(balancer).items():
            self._write_file(name, pem)
        self._write_file("haproxy.cfg", render(balancer, servers, self.surroundings.log_address))

    def _write_file(self, name: str, content: str) -> None:
        file = self.machine.folder / name
        file.touch(mode=0o600)
        file.write_text(content)

    def _has_old_workers(self, wanted: Wanted) -> bool:
        """Say whether requests may be in flight in a process of an earlier configuration; asked only while a target leaves."""
        leaving = any(one.deregistered_at is not None for many in wanted.registered.values() for one in many)
        if not (leaving and self._has_reloaded):
            return False
        self._has_reloaded = has_old_workers(self._runtime.ask_master("show proc"))
        return self._has_reloaded

    def _placed(self, wanted: Wanted) -> list[Placed]:
        return [
            Placed(group, target, self._progress[target.number])
            for group in wanted.load_balancer.target_groups
            for target in wanted.registered[group.arn]
            if target.number in self._progress
        ]

    def _advance(self, wanted: Wanted, look: Look) -> list[Placed]:
        progress: dict[int, Progress] = {}
        for group in wanted.load_balancer.target_groups:
            for target in wanted.registered[group.arn]:
                now = targets.advance(group, target, self._progress.get(target.number), look)
                if now is None:
                    self._let_go(group, target, look)
                else:
                    progress[target.number] = now
        self._progress = progress
        return self._placed(wanted)

    def _let_go(self, group: TargetGroup, target: RegisteredTarget, look: Look) -> None:
        if targets.is_overdue(group, target, look.now):
            for command in targets.close_connections(group, target, look.statistics):
                self._runtime.ask(command)
        self.surroundings.registrations.remove(group.arn, Registration(target.target, target.number))
