from pathlib import Path

import pytest

from goldfleet.aws.model import Instance
from goldfleet.errors import RefusedError
from goldfleet.ssh.known_hosts import parse_host_keys
from goldfleet.ssh.pinning import choose_instances, names_of, pin_instances
from tests.doubles.account import CONSOLE, Filters
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


class FleetOf:
    """Instances by id, state and tags; knows the filters that `choose_instances` uses, as EC2 does."""

    def __init__(self, *instances: Instance) -> None:
        self._instances = instances

    def instances(self, filters: Filters) -> tuple[Instance, ...]:
        return tuple(
            one for one in self._instances if all(_value(one, name) in values for name, values in filters.items())
        )


def _value(instance: Instance, name: str) -> str:
    known = {"instance-id": instance.instance_id, "instance-state-name": instance.state}
    return known[name] if name in known else instance.tags.get(name.removeprefix("tag:"), "")


STOPPED = Instance("i-2", "stopped", tags={"role": "web"})
FLEET = FleetOf(WEB, STOPPED, Instance("i-3", "running", tags={"role": "web"}))


def test_every_named_instance_that_cannot_be_pinned_is_named_with_its_state() -> None:
    with pytest.raises(RefusedError) as caught:
        choose_instances(FLEET, ["i-1", "i-2", "i-9", "i-9"], {})
    assert caught.value.reasons == ("i-2 is stopped", "i-9 does not exist")
    assert str(caught.value).startswith("2 of 3 instances are not running.")


def test_named_instance_without_the_tag_is_refused() -> None:
    with pytest.raises(RefusedError) as caught:
        choose_instances(FLEET, ["i-1"], {"tag:role": ["web"]})
    assert caught.value.reasons == ("i-1 does not exist with these tags",)


@pytest.mark.parametrize(
    ("ids", "filters", "chosen"),
    [
        (["i-3", "i-1"], {}, {"i-1", "i-3"}),
        ([], {"tag:role": ["web"]}, {"i-3"}),
        (["i-3"], {"tag:role": ["web"]}, {"i-3"}),
    ],
    ids=["ids", "tag", "both"],
)
def test_running_instances_are_chosen_by_id_and_tag(ids: list[str], filters: Filters, chosen: set[str]) -> None:
    assert {one.instance_id for one in choose_instances(FLEET, ids, filters)} == chosen


def test_tag_that_no_running_instance_has_is_refused() -> None:
    with pytest.raises(RefusedError, match="No running instance matches"):
        choose_instances(FLEET, [], {"tag:role": ["db"]})


def test_folder_that_cannot_be_made_is_refused_before_any_wait(tmp_path: Path) -> None:
    clock = VirtualClock()
    (tmp_path / ".goldfleet").write_text("a file")
    with pytest.raises(RefusedError, match=r"known_hosts cannot be written: .*Set rights or free space"):
        pin_instances([WEB], ConsolesThatShowKeysLate(clock, i_1=None), tmp_path / ".goldfleet/known_hosts", clock, 60)
    assert clock.seconds == 0


@pytest.mark.parametrize("content", [None, b"\xff\xfe"], ids=["a folder", "no text"])
def test_known_hosts_that_cannot_be_read_is_refused(tmp_path: Path, content: bytes | None) -> None:
    clock, file = VirtualClock(), tmp_path / "known_hosts"
    file.mkdir() if content is None else file.write_bytes(content)
    with pytest.raises(RefusedError, match="known_hosts cannot be read: "):
        pin_instances([WEB], ConsolesThatShowKeysLate(clock, i_1=0), file, clock, 60)
    assert list(tmp_path.iterdir()) == [file]
