import os
import signal
import threading

import pytest

from goldfleet.errors import StoppedError
from goldfleet.stop import StopFlag, StoppableClock, catch_signals
from tests.doubles.clock import VirtualClock


def test_flag_keeps_the_first_signal() -> None:
    stop = StopFlag()
    stop.set("SIGINT")
    stop.set("SIGTERM")
    assert (stop.is_set, stop.signal_name) == (True, "SIGINT")


def test_sleep_after_a_stop_raises() -> None:
    stop = StopFlag()
    clock = StoppableClock(VirtualClock(), stop)
    clock.sleep(0)
    stop.set("SIGTERM")
    with pytest.raises(StoppedError, match="Stopped by SIGTERM"):
        clock.sleep(3600)


def test_sleep_ends_when_the_stop_comes_meanwhile() -> None:
    stop = StopFlag()
    threading.Timer(0.01, stop.set, ["SIGINT"]).start()
    with pytest.raises(StoppedError):
        StoppableClock(VirtualClock(), stop).sleep(3600)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_signals_set_the_flag_and_old_handlers_return(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    stop = StopFlag()
    with catch_signals(stop):
        os.kill(os.getpid(), number)
        assert stop.wait(1)
    assert stop.signal_name == number.name
    assert signal.getsignal(number) is before


def test_outside_the_main_thread_nothing_is_caught() -> None:
    seen = []

    def enter() -> None:
        with catch_signals(StopFlag()):
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    assert seen == [signal.getsignal(signal.SIGTERM)]
