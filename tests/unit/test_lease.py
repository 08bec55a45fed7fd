"""The lease: tables for one holder, and every interleaving of contenders that hypothesis comes up with."""

import json
import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from goldfleet import tags
from goldfleet.aws.model import Parameter
from goldfleet.errors import AwsError, GoldfleetError, RefusedError, StoppedError
from goldfleet.lease import Holder, Lease, ParameterStore, parse_record, renewed
from tests.doubles.clock import VirtualClock
from tests.doubles.parameters import InMemoryParameters

NAME = tags.lease_parameter("image-app")
MINUTES = timedelta(minutes=5)
Answer = TypeVar("Answer")


def lease_of(name: str, store: ParameterStore, clock: VirtualClock) -> Lease:
    return Lease(store, clock, "image-app", Holder(f"{name}@host", f"run-{name}", f"token-{name}"), MINUTES)


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock()


@pytest.fixture
def store() -> InMemoryParameters:
    return InMemoryParameters()


def test_free_lease_is_taken_and_held(store: InMemoryParameters, clock: VirtualClock) -> None:
    lease = lease_of("ann", store, clock)
    lease.acquire()
    lease.assert_held()
    assert json.loads(store.value(NAME))["expires_at"] == "2026-11-23T14:20:30Z"


def test_held_lease_is_refused_with_owner_and_times(store: InMemoryParameters, clock: VirtualClock) -> None:
    lease_of("ann", store, clock).acquire()
    with pytest.raises(RefusedError) as caught:
        lease_of("bob", store, clock).acquire()
    assert str(caught.value).startswith(
        "Lease image-app is held by ann@host (run run-ann), since 2026-11-23T14:15:30Z, until 2026-11-23T14:20:30Z"
    )


def test_released_lease_is_free_at_once(store: InMemoryParameters, clock: VirtualClock) -> None:
    ann, bob = lease_of("ann", store, clock), lease_of("bob", store, clock)
    ann.acquire()
    ann.release()
    bob.acquire()
    bob.assert_held()
    with pytest.raises(StoppedError):
        ann.assert_held()


def test_second_release_does_nothing(store: InMemoryParameters, clock: VirtualClock) -> None:
    ann, bob = lease_of("ann", store, clock), lease_of("bob", store, clock)
    ann.acquire()
    ann.release()
    bob.acquire()
    ann.release()
    bob.assert_held()


@pytest.mark.parametrize(
    ("later", "taken"),
    [
        (timedelta(minutes=5), False),
        (timedelta(minutes=5, seconds=29), False),
        (timedelta(minutes=5, seconds=30), True),
    ],
    ids=["at its end", "within clock skew", "after clock skew"],
)
def test_expired_lease_is_taken_over_after_the_clock_skew(
    store: InMemoryParameters, clock: VirtualClock, later: timedelta, taken: bool
) -> None:
    ann, bob = lease_of("ann", store, clock), lease_of("bob", store, clock)
    ann.acquire()
    clock.pass_time(seconds=later.total_seconds())
    with pytest.raises(StoppedError, match="no longer held"):
        ann.assert_held()
    if taken:
        bob.acquire()
        bob.assert_held()
    else:
        with pytest.raises(RefusedError):
            bob.acquire()


def test_renewed_lease_outlives_its_first_end(store: InMemoryParameters, clock: VirtualClock) -> None:
    ann = lease_of("ann", store, clock)
    ann.acquire()
    for _ in range(10):
        clock.pass_time(minutes=4)
        ann.renew()
    ann.assert_held()
    assert json.loads(store.value(NAME))["taken_at"] == "2026-11-23T14:15:30Z"


def test_expired_lease_cannot_be_renewed(store: InMemoryParameters, clock: VirtualClock) -> None:
    ann = lease_of("ann", store, clock)
    ann.acquire()
    clock.pass_time(minutes=6)
    with pytest.raises(StoppedError):
        ann.renew()


def test_foreign_text_in_the_parameter_is_refused(store: InMemoryParameters, clock: VirtualClock) -> None:
    store.put(NAME, "mine!")
    with pytest.raises(RefusedError, match="should hold a lease, but holds 'mine!'"):
        lease_of("ann", store, clock).acquire()


class StoreThatLosesAnswers(InMemoryParameters):
    """Each write is done twice, as botocore does when the first answer was lost."""

    def create(self, name: str, value: str) -> int | None:
        super().create(name, value)
        return super().create(name, value)

    def put(self, name: str, value: str) -> int:
        super().put(name, value)
        return super().put(name, value)


def test_writes_that_botocore_repeats_are_still_the_holders(clock: VirtualClock) -> None:
    store = StoreThatLosesAnswers()
    ann = lease_of("ann", store, clock)
    ann.acquire()
    ann.renew()
    ann.assert_held()
    ann.release()
    bob = lease_of("bob", store, clock)
    bob.acquire()
    bob.assert_held()


def test_lease_is_renewed_from_a_thread(store: InMemoryParameters, clock: VirtualClock) -> None:
    renewals = threading.Semaphore(0)

    class LeaseThatCounts(Lease):
        renewal_seconds = 0.001

        def renew(self) -> None:
            super().renew()
            renewals.release()

    lease = LeaseThatCounts(store, clock, "image-app", Holder("a", "r", "t"), MINUTES)
    lease.acquire()
    store.faults["GetParameter*"] = AwsError("Throttled.")
    with renewed(lease):
        assert renewals.acquire(timeout=5), "a renewal that AWS refused once is tried again"
        assert renewals.acquire(timeout=5)
    count = len(store.history[NAME])
    lease.assert_held()
    assert len(store.history[NAME]) == count, "nothing renews after the block"


class TurnTakingStore:
    """Lets threads make one call at a time, in the order that a schedule gives; then in turn."""

    def __init__(self, store: InMemoryParameters, schedule: list[int], contenders: int) -> None:
        self._store = store
        self._schedule = [turn % contenders for turn in schedule]
        self._alive = set(range(contenders))
        self._condition = threading.Condition()
        self._local = threading.local()

    def join(self, number: int) -> None:
        self._local.number = number

    def leave(self) -> None:
        with self._condition:
            self._alive.discard(self._local.number)
            self._condition.notify_all()

    def wait_for_the_others(self) -> None:
        with self._condition:
            number = self._local.number
            self._alive.discard(number)
            self._condition.notify_all()
            self._condition.wait_for(lambda: not self._alive, timeout=5)
            self._alive.add(number)

    def get(self, name: str) -> Parameter | None:
        return self._in_turn(lambda: self._store.get(name))

    def create(self, name: str, value: str) -> int | None:
        return self._in_turn(lambda: self._store.create(name, value))

    def put(self, name: str, value: str) -> int:
        return self._in_turn(lambda: self._store.put(name, value))

    def _in_turn(self, call: Callable[[], Answer]) -> Answer:
        with self._condition:
            assert self._condition.wait_for(self._is_my_turn, timeout=5)
            answer = call()
            if self._schedule:
                self._schedule.pop(0)
            self._condition.notify_all()
            return answer

    def _is_my_turn(self) -> bool:
        while self._schedule and self._schedule[0] not in self._alive:
            self._schedule.pop(0)
        return bool(self._local.number == (self._schedule[0] if self._schedule else min(self._alive)))


class ClockOfContenders(VirtualClock):
    """A wait of seconds is long enough for everybody else's calls."""

    def __init__(self) -> None:
        super().__init__()
        self.store: TurnTakingStore | None = None

    def sleep(self, seconds: float) -> None:
        assert self.store is not None
        self.store.wait_for_the_others()


def holders_after(start: str, schedule: list[int], contenders: int) -> set[int]:
    """Let contenders try to take the lease, interleaved, and return those that believe that they hold it."""
    clock, memory = ClockOfContenders(), InMemoryParameters()
    if start != "never held":
        before = lease_of("before", memory, clock)
        before.acquire()
        if start == "released":
            before.release()
        elif start == "expired":
            clock.pass_time(hours=1)
    store = clock.store = TurnTakingStore(memory, schedule, contenders)
    holders: set[int] = set()

    def contend(number: int) -> None:
        store.join(number)
        lease = lease_of(str(number), store, clock)
        try:
            lease.acquire()
            lease.assert_held()
            holders.add(number)
        except GoldfleetError:
            pass
        finally:
            store.leave()

    threads = [threading.Thread(target=contend, args=[number]) for number in range(contenders)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return holders


SCHEDULES = st.lists(st.integers(0, 5), max_size=16)
FREE = st.sampled_from(["never held", "released", "expired"])


@settings(max_examples=100, deadline=None)
@given(FREE, SCHEDULES)
def test_exactly_one_of_two_contenders_gets_a_free_lease(start: str, schedule: list[int]) -> None:
    assert len(holders_after(start, schedule, 2)) == 1


@settings(max_examples=100, deadline=None)
@given(FREE, SCHEDULES)
def test_never_more_than_one_of_three_contenders_gets_a_free_lease(start: str, schedule: list[int]) -> None:
    assert len(holders_after(start, schedule, 3)) <= 1


@settings(max_examples=30, deadline=None)
@given(SCHEDULES)
def test_nobody_gets_a_lease_that_is_held(schedule: list[int]) -> None:
    assert holders_after("held", schedule, 2) == set()


def test_record_in_the_store_is_readable_json(store: InMemoryParameters, clock: VirtualClock) -> None:
    lease_of("ann", store, clock).acquire()
    parameter = store.get(NAME)
    assert parameter is not None
    assert parse_record(parameter).owner == "ann@host"
