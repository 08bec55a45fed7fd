from pathlib import Path

import pytest

from goldfleet.aws.model import Instance
from goldfleet.ssh.known_hosts import parse_host_keys
from goldfleet.ssh.pinning import names_of, pin_instances
from tests.doubles.account import CONSOLE
from tests.doubles.clock import VirtualClock

WEB = Instance("i-1", "running", "ami-1", "10.0.0.1", "203.0.113.7", "ip-10-0-0-1", "ec2-203")
KEY = parse_host_keys(CONSOLE)[0].key


class ConsolesThatShowKeysLate:
    """Each console shows keys a number of seconds after the clock's start; None: never."""

    def __init__(self, clock: VirtualClock, **seconds: float | None) -> None:
        self._clock = clock
        self._seconds = {name.replace("_", "-"): value for name, value in seconds.items()}

    def console_output(self, instance_id: str) -> str:
        after = self._seconds[instance_id]
        return CONSOLE if after is not None and self._clock.seconds >= after else ""


def test_keys_are_pinned_for_every_name(tmp_path: Path) -> None:
    clock, file = VirtualClock(), tmp_path / ".goldfleet" / "known_hosts"
    pinned = pin_instances([WEB], ConsolesThatShowKeysLate(clock, i_1=0), file, clock, 60)
    assert pinned[0].keys == 1
    assert file.read_text() == f"203.0.113.7,10.0.0.1,ec2-203,ip-10-0-0-1,i-1 ssh-ed25519 {KEY}\n"


@pytest.mark.parametrize(("after", "keys"), [(50.0, 1), (70.0, 0), (None, 0)], ids=["in time", "too late", "never"])
def test_keys_are_waited_for_as_long_as_stated(tmp_path: Path, after: float | None, keys: int) -> None:
    clock = VirtualClock()
    pinned = pin_instances([WEB], ConsolesThatShowKeysLate(clock, i_1=after), tmp_path / "k", clock, 60)
    assert pinned[0].keys == keys
    assert clock.seconds <= 60


def test_one_silent_console_does_not_keep_the_others_from_being_pinned(tmp_path: Path) -> None:
    clock, other = VirtualClock(), Instance("i-2", "running", private_ip_address="10.0.0.2")
    consoles = ConsolesThatShowKeysLate(clock, i_1=None, i_2=0)
    assert [one.keys for one in pin_instances([WEB, other], consoles, tmp_path / "k", clock, 60)] == [0, 1]
    assert (tmp_path / "k").read_text().startswith("10.0.0.2,i-2 ")


def test_other_lines_of_the_file_stay(tmp_path: Path) -> None:
    clock, file = VirtualClock(), tmp_path / "known_hosts"
    file.write_text(f"10.9.9.9 ssh-ed25519 {KEY}\n10.0.0.1 ssh-ed25519 old\n")
    pin_instances([WEB], ConsolesThatShowKeysLate(clock, i_1=0), file, clock, 60)
    assert file.read_text().splitlines()[0].startswith("10.9.9.9")
    assert len(file.read_text().splitlines()) == 2
    assert list(tmp_path.iterdir()) == [file]


def test_instance_without_public_names_has_fewer() -> None:
    assert names_of(Instance("i-2", "running", private_ip_address="10.0.0.2")) == ("10.0.0.2", "i-2")
