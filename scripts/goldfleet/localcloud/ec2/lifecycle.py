"""Instance states as EC2 moves through them, with real machines doing the work.

Every act on an instance is a job; jobs of one instance run in the order they were asked for, those of different instances
side by side. States change under the world's lock, podman works outside it. Source: EC2 user guide, "Amazon EC2 instance
state changes".
"""

import logging
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from goldfleet.errors import GoldfleetError
from goldfleet.localcloud import firewall
from goldfleet.localcloud.ec2.security import filters_of
from goldfleet.localcloud.ec2.world import World
from goldfleet.localcloud.machines import MachineSpec

STATE_CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80}
log = logging.getLogger("goldfleet.localcloud.lifecycle")


class Lifecycle:
    """Runs machines for instances."""

    def __init__(self, world: World, all_instances: Callable[[], list[Any]]) -> None:
        self._world = world
        self._all_instances = all_instances
        self._last_job: dict[str, Future[None]] = {}
        self._enforced: dict[str, str] = {}

    def launch(self, instance: Any, image: str, give_up: Callable[[], object]) -> None:
        """Boot a new instance; it goes from pending to running.

        When it cannot be booted its machine is removed and `give_up` writes moto's record of that.
        """
        set_state(instance, "pending")
        spec = MachineSpec(instance.id, image, instance.private_ip, instance.private_dns_name.partition(".")[0])
        machines = self._world.machines

        def fail() -> None:
            machines.remove(instance.id)
            with self._world.lock:
                give_up()

        self._submit(instance, lambda: self._boot(instance, lambda: machines.create(spec), fail))

    def start(self, instance: Any) -> None:
        """Start a stopped instance; one that cannot be started is stopped again, with its disk."""

        def fail() -> None:
            with self._world.lock:
                set_state(instance, "stopped")

        set_state(instance, "pending")
        self._submit(instance, lambda: self._boot(instance, lambda: None, fail))

    def stop(self, instance: Any, finish: Callable[[], object]) -> None:
        """Shut an instance down; `finish` writes moto's own record of it once the machine has stopped."""
        self._begin_end(instance, "stopping", self._world.machines.stop, finish)

    def terminate(self, instance: Any, finish: Callable[[], object]) -> None:
        """Remove an instance's machine; its address is free only once the machine is gone."""
        self._begin_end(instance, "shutting-down", self._world.machines.remove, finish)

    def reboot(self, instance: Any) -> None:
        """Restart an instance's machine; its state stays running, as on EC2."""

        def work() -> None:
            self._world.machines.stop(instance.id)
            self.restart(instance)

        self._submit(instance, work)

    def restart(self, instance: Any) -> None:
        """Start the machine of an instance that is said to run; only from within a job of that instance."""
        self._world.machines.start(instance.id, self._table(instance))

    def run_after(self, instance: Any, work: Callable[[], None]) -> None:
        """Run a job after all that was asked of the instance before."""
        self._submit(instance, work)

    def refresh_filters(self) -> None:
        """Enforce the security groups as they are now on every running machine whose filters differ."""
        for instance in self._all_instances():
            if instance.state == "running" and self._table_now(instance) != self._enforced.get(instance.id):
                self._submit(instance, lambda target=instance: self._enforce(target))  # type: ignore[misc]

    def machine_ended(self, instance: Any, finish: Callable[[], object]) -> None:
        """Settle what a machine did by itself: `reboot` starts it again, `poweroff` stops or terminates the instance.

        `finish` writes moto's record of the end. Runs as a job, so an end that a job caused itself is over by then.
        """

        def settle() -> None:
            if instance.state != "running" or self._world.machines.is_running(instance.id):
                return
            log.info("%s ended by itself", instance.id)
            if self._world.machines.asked_for_restart(instance.id):
                self.restart(instance)
            elif instance.instance_initiated_shutdown_behavior == "terminate":
                self._end(instance, self._world.machines.remove, finish)
            else:
                self._end(instance, lambda _id: None, finish)

        self._submit(instance, settle)

    def wait_idle(self, timeout_seconds: float) -> None:
        """Wait until no job is left, at most `timeout_seconds`."""
        deadline = time.monotonic() + timeout_seconds
        for job in list(self._last_job.values()):
            job.exception(timeout=max(0.0, deadline - time.monotonic()))

    def _submit(self, instance: Any, work: Callable[[], None]) -> None:
        before = self._last_job.get(instance.id)

        def job() -> None:
            if before is not None:
                before.exception()
            try:
                work()
            except Exception as error:
                log.error("%s: %s", instance.id, error, exc_info=not isinstance(error, GoldfleetError))
                with self._world.lock:
                    instance.state_reason.code, instance.state_reason.message = "Server.InternalError", str(error)

        self._last_job[instance.id] = self._world.workers.submit(job)

    def _boot(self, instance: Any, prepare: Callable[[], None], fail: Callable[[], None]) -> None:
        try:
            prepare()
            self._world.machines.start(instance.id, self._table(instance))
        except Exception:
            fail()
            raise
        with self._world.lock:
            if instance.state == "pending":
                set_state(instance, "running")
            self.refresh_filters()

    def _begin_end(self, instance: Any, state: str, act: Callable[[str], None], finish: Callable[[], object]) -> None:
        """Go into a passing state and submit the end; an end that fails leaves the state from before, to be asked again."""
        previous = instance.state
        set_state(instance, state)

        def work() -> None:
            try:
                self._end(instance, act, finish)
            except Exception:
                with self._world.lock:
                    set_state(instance, "running" if previous == "pending" else previous)
                raise

        self._submit(instance, work)

    def _end(self, instance: Any, act: Callable[[str], None], finish: Callable[[], object]) -> None:
        act(instance.id)
        with self._world.lock:
            finish()
            self._enforced.pop(instance.id, None)
            self.refresh_filters()

    def _enforce(self, instance: Any) -> None:
        self._world.machines.enforce(instance.id, self._table(instance))

    def _table(self, instance: Any) -> str:
        with self._world.lock:
            table = self._table_now(instance)
            self._enforced[instance.id] = table
        return table

    def _table_now(self, instance: Any) -> str:
        everybody = [*self._all_instances(), *self._world.load_balancers()]
        return firewall.render(filters_of(instance, everybody), self._world.state.gateway)


def set_state(instance: Any, name: str) -> None:
    """Write an instance's state with its code."""
    instance._state.name, instance._state.code = name, STATE_CODES[name]
