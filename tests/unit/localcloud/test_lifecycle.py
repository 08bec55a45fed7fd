"""Instance states, with machines that are slow, fail or end by themselves."""

import threading
from types import SimpleNamespace
from typing import Any, cast

from goldfleet.errors import GoldfleetError
from goldfleet.localcloud.ec2.lifecycle import Lifecycle, set_state
from goldfleet.localcloud.ec2.world import World
from goldfleet.localcloud.machines import MachineSpec


class FakeMachines:
    """Machines that do what podman would, in memory, and remember the order of acts."""

    def __init__(self) -> None:
        self.acts: list[str] = []
        self.running: set[str] = set()
        self.restarting: set[str] = set()
        self.may_start = threading.Event()
        self.may_start.set()
        self.failing = ""

    def _act(self, act: str, instance_id: str) -> None:
        self.acts.append(f"{act} {instance_id}")
        if act == self.failing:
            raise GoldfleetError(f"podman could not {act}")

    def create(self, spec: MachineSpec) -> None:
        self._act("create", spec.instance_id)

    def start(self, instance_id: str, table: str) -> None:
        self.may_start.wait(5)
        self._act("start", instance_id)
        self.running.add(instance_id)

    def stop(self, instance_id: str) -> None:
        self._act("stop", instance_id)
        self.running.discard(instance_id)

    def remove(self, instance_id: str) -> None:
        self._act("remove", instance_id)
        self.running.discard(instance_id)

    def enforce(self, instance_id: str, table: str) -> None:
        self._act("enforce", instance_id)

    def is_running(self, instance_id: str) -> bool:
        return instance_id in self.running

    def asked_for_restart(self, instance_id: str) -> bool:
        return instance_id in self.restarting


class Fleet:
    """A lifecycle over instances that the test makes."""

    def __init__(self) -> None:
        self.machines = FakeMachines()
        self.instances: list[Any] = []
        state = cast("Any", SimpleNamespace(gateway="10.64.0.1"))
        self.world = World(state, cast("Any", self.machines))
        self.lifecycle = Lifecycle(self.world, lambda: self.instances)

    def instance(self, instance_id: str = "i-1", behavior: str = "stop") -> Any:
        made = _Instance(instance_id, behavior)
        self.instances.append(made)
        return made

    def settle(self) -> None:
        self.lifecycle.wait_idle(5)
        self.lifecycle.wait_idle(5)


class _Instance:
    def __init__(self, instance_id: str, behavior: str) -> None:
        self.id = instance_id
        self.private_ip = "10.64.0.4"
        self.private_dns_name = "ip-10-64-0-4.ec2.internal"
        self.instance_initiated_shutdown_behavior = behavior
        self.nics: dict[int, Any] = {}
        self.state_reason = SimpleNamespace(code="", message="")
        self._state = SimpleNamespace(name="", code=0)

    @property
    def state(self) -> str:
        return str(self._state.name)

    def becomes(self, state: str) -> Any:
        return lambda: set_state(self, state)


def test_launch_is_pending_until_the_machine_has_started() -> None:
    fleet = Fleet()
    instance = fleet.instance()
    fleet.machines.may_start.clear()
    fleet.lifecycle.launch(instance, "image", instance.becomes("terminated"))
    assert instance.state == "pending"
    fleet.machines.may_start.set()
    fleet.settle()
    assert (instance.state, fleet.machines.acts) == ("running", ["create i-1", "start i-1"])


def test_failed_boot_terminates_with_the_reason_and_leaves_no_machine() -> None:
    fleet = Fleet()
    fleet.machines.failing = "start"
    instance = fleet.instance()
    fleet.lifecycle.launch(instance, "image", instance.becomes("terminated"))
    fleet.settle()
    assert instance.state == "terminated"
    assert (instance.state_reason.code, instance.state_reason.message) == (
        "Server.InternalError",
        "podman could not start",
    )
    assert fleet.machines.acts[-1] == "remove i-1"


def test_failed_start_of_a_stopped_instance_keeps_its_machine() -> None:
    fleet = Fleet()
    instance = fleet.instance()
    set_state(instance, "stopped")
    fleet.machines.failing = "start"
    fleet.lifecycle.start(instance)
    fleet.settle()
    assert (instance.state, "remove i-1" in fleet.machines.acts) == ("stopped", False)


def test_failed_end_may_be_asked_for_again() -> None:
    fleet = Fleet()
    instance = fleet.instance()
    fleet.lifecycle.launch(instance, "image", instance.becomes("terminated"))
    fleet.settle()
    fleet.machines.failing = "remove"
    fleet.lifecycle.terminate(instance, instance.becomes("terminated"))
    fleet.settle()
    assert instance.state == "running"
    fleet.machines.failing = ""
    fleet.lifecycle.terminate(instance, instance.becomes("terminated"))
    fleet.settle()
    assert instance.state == "terminated"


def test_terminate_during_boot_waits_for_it_and_wins() -> None:
    fleet = Fleet()
    instance = fleet.instance()
    fleet.machines.may_start.clear()
    fleet.lifecycle.launch(instance, "image", instance.becomes("terminated"))
    fleet.lifecycle.terminate(instance, instance.becomes("terminated"))
    assert instance.state == "shutting-down"
    fleet.machines.may_start.set()
    fleet.settle()
    assert (instance.state, fleet.machines.acts) == ("terminated", ["create i-1", "start i-1", "remove i-1"])


def test_stop_is_stopping_until_the_machine_has_stopped() -> None:
    fleet = Fleet()
    instance = fleet.instance()
    fleet.lifecycle.launch(instance, "image", instance.becomes("terminated"))
    fleet.settle()
    fleet.lifecycle.stop(instance, instance.becomes("stopped"))
    assert instance.state in ("stopping", "stopped")
    fleet.settle()
    assert (instance.state, fleet.machines.running) == ("stopped", set())


def ended(fleet: Fleet, instance: Any, finished: str) -> None:
    """Let a running instance's machine end by itself."""
    fleet.lifecycle.launch(instance, "image", instance.becomes("terminated"))
    fleet.settle()
    fleet.machines.running.discard(instance.id)
    fleet.lifecycle.machine_ended(instance, instance.becomes(finished))
    fleet.settle()


def test_poweroff_stops_an_instance() -> None:
    fleet = Fleet()
    instance = fleet.instance()
    ended(fleet, instance, "stopped")
    assert (instance.state, "remove i-1" in fleet.machines.acts) == ("stopped", False)


def test_poweroff_terminates_an_instance_that_was_launched_so() -> None:
    fleet = Fleet()
    instance = fleet.instance(behavior="terminate")
    ended(fleet, instance, "terminated")
    assert (instance.state, fleet.machines.acts[-1]) == ("terminated", "remove i-1")


def test_reboot_from_inside_starts_the_machine_again() -> None:
    fleet = Fleet()
    instance = fleet.instance()
    fleet.machines.restarting.add("i-1")
    ended(fleet, instance, "stopped")
    assert (instance.state, fleet.machines.running) == ("running", {"i-1"})


def test_end_that_a_reboot_caused_is_not_taken_for_a_poweroff() -> None:
    fleet = Fleet()
    instance = fleet.instance()
    fleet.lifecycle.launch(instance, "image", instance.becomes("terminated"))
    fleet.settle()
    fleet.lifecycle.reboot(instance)
    fleet.lifecycle.machine_ended(instance, instance.becomes("stopped"))
    fleet.settle()
    assert (instance.state, fleet.machines.running) == ("running", {"i-1"})


def test_filters_are_enforced_again_only_where_they_differ() -> None:
    fleet = Fleet()
    instance = fleet.instance()
    fleet.lifecycle.launch(instance, "image", instance.becomes("terminated"))
    fleet.settle()
    fleet.lifecycle.refresh_filters()
    fleet.settle()
    assert "enforce i-1" not in fleet.machines.acts
    rule = SimpleNamespace(ip_protocol="tcp", from_port=22, to_port=22, cidr_ipv4="0.0.0.0/0", source_group={})
    group = SimpleNamespace(id="sg-1", ingress_rules=[rule], egress_rules=[])
    instance.nics[0] = SimpleNamespace(group_set=[group])
    fleet.lifecycle.refresh_filters()
    fleet.settle()
    assert fleet.machines.acts.count("enforce i-1") == 1
