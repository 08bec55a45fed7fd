"""Acts at their time."""

import threading
import time

import pytest

from goldfleet.localcloud.ssm.schedule import Schedule


def test_acts_are_called_in_the_order_in_which_they_are_due() -> None:
    called: list[str] = []
    done = threading.Event()
    schedule = Schedule(time.time)
    now = time.time()
    for name, wait in (("third", 0.2), ("first", 0.0), ("second", 0.1)):
        schedule.at(now + wait, lambda name=name: called.append(name))  # type: ignore[misc]
    schedule.at(now + 0.3, done.set)
    schedule.start()
    assert done.wait(10)
    schedule.stop()
    assert called == ["first", "second", "third"]
    assert time.time() >= now + 0.3


def test_an_act_that_is_due_sooner_is_not_kept_waiting() -> None:
    schedule, sooner = Schedule(time.time), threading.Event()
    schedule.start()
    schedule.at(time.time() + 60, threading.Event().set)
    schedule.at(time.time() + 0.01, sooner.set)
    assert sooner.wait(10)
    schedule.stop()


def test_a_failing_act_is_told_and_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    schedule, later = Schedule(time.time), threading.Event()

    def fails() -> None:
        raise ValueError("a fault of mine")

    schedule.at(0.0, fails)
    schedule.at(0.1, later.set)
    schedule.start()
    assert later.wait(10)
    schedule.stop()
    assert "a fault of mine" in caplog.text


def test_what_takes_long_is_done_beside_the_rest_and_nothing_is_called_after_stop() -> None:
    schedule, free, next_one, late = Schedule(time.time), threading.Event(), threading.Event(), threading.Event()

    def waits() -> None:
        free.wait(10)

    schedule.start()
    schedule.spawn(waits)
    schedule.at(0.0, next_one.set)
    assert next_one.wait(10)
    free.set()
    schedule.stop()
    schedule.at(0.0, late.set)
    assert not late.wait(0.2)
