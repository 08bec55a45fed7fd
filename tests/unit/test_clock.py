from itertools import islice

from goldfleet.clock import LONGEST_PAUSE_SECONDS, pauses, wait_until
from tests.doubles.clock import VirtualClock


def test_pauses_grow_up_to_a_limit() -> None:
    seen = list(islice(pauses(), 30))
    assert seen == sorted(seen)
    assert seen[0] < 0.5
    assert seen[-1] == LONGEST_PAUSE_SECONDS


def test_something_there_at_once_needs_no_wait() -> None:
    clock = VirtualClock()
    assert wait_until(lambda: "x", clock, 0) == "x"
    assert clock.seconds == 0


def test_something_that_comes_later_is_seen_soon_after() -> None:
    clock = VirtualClock()
    assert wait_until(lambda: True if clock.seconds >= 30 else None, clock, 60)
    assert 30 <= clock.seconds <= 30 + LONGEST_PAUSE_SECONDS


def test_something_that_comes_at_the_very_end_is_still_seen() -> None:
    clock = VirtualClock()
    assert wait_until(lambda: True if clock.seconds >= 60 else None, clock, 60)


def test_something_that_never_comes_ends_with_the_time() -> None:
    clock = VirtualClock()
    assert wait_until(lambda: None, clock, 60) is None
    assert clock.seconds == 60
