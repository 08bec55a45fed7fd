"""Who is registered, and which events are told."""

from dataclasses import dataclass, field

from goldfleet.localcloud.balancer.health import CHECKING, HEALTHY, NOT_IN_USE
from goldfleet.localcloud.balancer.model import Target
from goldfleet.localcloud.balancer.registrations import Registrations, StateChange

TARGET = Target("i-1", 80)


@dataclass
class Told:
    """Registrations with what they told."""

    changes: list[StateChange] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.registrations = Registrations(self.changes.append, lambda: 5.0)

    @property
    def states(self) -> list[str]:
        """The states told, in order."""
        return [str(change.health.state) if change.health else "gone" for change in self.changes]


def test_registered_target_is_initial_at_once() -> None:
    told = Told()
    told.registrations.register("arn", TARGET, is_in_use=True)
    assert told.registrations.health("arn")[TARGET].reason == "Elb.RegistrationInProgress"
    assert told.states == ["initial"]


def test_target_registered_twice_is_one() -> None:
    told = Told()
    for _ in range(2):
        told.registrations.register("arn", TARGET, is_in_use=True)
    assert len(told.registrations.registered("arn")) == 1
    assert told.states == ["initial"]


def test_same_state_for_another_reason_is_no_event() -> None:
    told = Told()
    told.registrations.register("arn", TARGET, is_in_use=True)
    (registration,) = told.registrations.registered("arn")
    told.registrations.publish("arn", registration.number, TARGET, CHECKING)
    assert told.registrations.health("arn")[TARGET] == CHECKING
    assert told.states == ["initial"]


def test_leaving_target_keeps_the_time_it_was_first_deregistered() -> None:
    told = Told()
    told.registrations.register("arn", TARGET, is_in_use=True)
    told.registrations.deregister("arn", TARGET, is_in_use=True)
    (registration,) = told.registrations.registered("arn")
    assert registration.deregistered_at == 5.0


def test_what_is_seen_of_an_earlier_registration_does_not_count() -> None:
    told = Told()
    told.registrations.register("arn", TARGET, is_in_use=True)
    told.registrations.deregister("arn", TARGET, is_in_use=True)
    (earlier,) = told.registrations.registered("arn")
    told.registrations.register("arn", TARGET, is_in_use=True)
    told.registrations.publish("arn", earlier.number, TARGET, HEALTHY)
    told.registrations.remove("arn", earlier)
    assert told.registrations.health("arn")[TARGET].state == "initial"
    assert told.states == ["initial", "draining", "initial"]


def test_deregistered_target_drains_at_once_whatever_was_seen_before() -> None:
    told = Told()
    told.registrations.register("arn", TARGET, is_in_use=True)
    (registration,) = told.registrations.registered("arn")
    told.registrations.deregister("arn", TARGET, is_in_use=True)
    told.registrations.publish("arn", registration.number, TARGET, HEALTHY)
    assert told.registrations.health("arn")[TARGET].state == "draining"
    assert told.states == ["initial", "draining"]


def test_target_of_a_group_that_nobody_uses_leaves_at_once() -> None:
    told = Told()
    told.registrations.register("arn", TARGET, is_in_use=False)
    told.registrations.deregister("arn", TARGET, is_in_use=False)
    assert told.registrations.registered("arn") == ()
    assert told.states == ["unused", "gone"]


def test_group_that_is_used_no_longer_lets_leaving_targets_go_and_keeps_the_others() -> None:
    told = Told()
    other = Target("i-2", 80)
    for target in (TARGET, other):
        told.registrations.register("arn", target, is_in_use=True)
    told.registrations.deregister("arn", other, is_in_use=True)
    told.registrations.leave_unused("arn")
    assert told.registrations.health("arn") == {TARGET: NOT_IN_USE}
    assert told.states == ["initial", "initial", "draining", "unused", "gone"]
