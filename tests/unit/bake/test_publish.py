from datetime import timedelta

import pytest

from goldfleet import tags
from goldfleet.bake.publish import Publisher, roll_back_under_lease
from goldfleet.bake.shelf import read_shelf
from goldfleet.errors import AwsError, RefusedError, StoppedError
from goldfleet.lease import Holder, Lease
from tests.doubles.account import InMemoryAccount
from tests.doubles.clock import VirtualClock
from tests.doubles.parameters import InMemoryParameters

TIME = "2026-11-23T14:15:30Z"
CURRENT, PREVIOUS = tags.current_parameter("app"), tags.previous_parameter("app")


class Counter:
    """Two published images, `old` before `new`, and a way to roll back."""

    def __init__(self) -> None:
        self.account = InMemoryAccount(VirtualClock())
        self.parameters = InMemoryParameters()
        self.old, self.new = (self._publish() for _ in range(2))

    def _publish(self) -> str:
        image_tags = {tags.IMAGE: "app", tags.VERIFIED: TIME}
        image_id = self.account.add_image("goldfleet-app-x", image_tags).image_id
        self.publisher().make_current("app", image_id)
        return image_id

    def publisher(self) -> Publisher:
        return Publisher(self.account, self.parameters, lambda: None)

    def roll_back(self) -> str:
        shelf = read_shelf("app", self.account, self.parameters)
        return self.publisher().roll_back("app", shelf, TIME)

    def lease(self, token: str) -> Lease:
        holder = Holder("somebody", "20261123-141530-a1b2c3", token)
        return Lease(self.parameters, self.account.clock, tags.image_lease("app"), holder, timedelta(minutes=2))

    def roll_back_under_lease(self) -> str:
        return roll_back_under_lease("app", self.publisher(), self.lease("own"), TIME)

    @property
    def pointers(self) -> tuple[str, str]:
        return self.parameters.value(CURRENT), self.parameters.value(PREVIOUS)


@pytest.fixture
def counter() -> Counter:
    return Counter()


def test_rollback_swaps_the_pointers_and_tags_what_was_left(counter: Counter) -> None:
    assert counter.pointers == (counter.new, counter.old)
    assert counter.roll_back() == counter.old
    assert counter.pointers == (counter.old, counter.new)
    assert counter.account.images[counter.new].tags[tags.ROLLED_BACK] == TIME


def test_second_rollback_goes_forward_again_and_moves_the_tag(counter: Counter) -> None:
    counter.roll_back()
    assert counter.roll_back() == counter.new
    assert counter.pointers == (counter.new, counter.old)
    assert tags.ROLLED_BACK not in counter.account.images[counter.new].tags
    assert tags.ROLLED_BACK in counter.account.images[counter.old].tags


@pytest.mark.parametrize(
    "fault", ["CreateTags", f"PutParameter {CURRENT}", f"PutParameter {PREVIOUS}"], ids=["tag", "current", "previous"]
)
def test_rollback_that_was_interrupted_is_completed_by_a_rerun(counter: Counter, fault: str) -> None:
    faults = counter.account.faults if fault == "CreateTags" else counter.parameters.faults
    faults[fault] = AwsError("AWS is down.")
    with pytest.raises(AwsError):
        counter.roll_back()
    assert counter.roll_back() == counter.old
    assert counter.pointers == (counter.old, counter.new)


def test_rollback_without_a_previous_image_is_refused(counter: Counter) -> None:
    del counter.parameters.history[PREVIOUS]
    with pytest.raises(RefusedError, match="Image app has no previous AMI"):
        counter.roll_back()


@pytest.mark.parametrize(("state", "told"), [("", "does not exist any more"), ("disabled", "is in state disabled")])
def test_rollback_to_an_image_that_cannot_be_used_changes_nothing(counter: Counter, state: str, told: str) -> None:
    image = counter.account.images.pop(counter.old)
    if state:
        counter.account.images[counter.old] = type(image)(
            image.image_id, image.name, state, "x86_64", "2026", (), image.tags
        )
    with pytest.raises(RefusedError, match=f"previous AMI {counter.old} of image app {told}"):
        counter.roll_back()
    assert counter.pointers == (counter.new, counter.old)


def test_publishing_the_current_image_again_keeps_previous(counter: Counter) -> None:
    counter.publisher().make_current("app", counter.new)
    assert counter.pointers == (counter.new, counter.old)


def test_nothing_is_written_without_the_lease(counter: Counter) -> None:
    def lost() -> None:
        raise StoppedError("Lease lost.")

    publisher = Publisher(counter.account, counter.parameters, lost)
    with pytest.raises(StoppedError):
        publisher.make_current("app", counter.old)
    with pytest.raises(StoppedError):
        publisher.record_failed(counter.new)
    assert counter.pointers == (counter.new, counter.old)
    assert counter.account.images[counter.new].tags[tags.VERIFIED] == TIME


LEASE = tags.lease_parameter(tags.image_lease("app"))


def test_rollback_under_the_lease_gives_it_back(counter: Counter) -> None:
    assert counter.roll_back_under_lease() == counter.old
    assert counter.pointers == (counter.old, counter.new)
    assert counter.roll_back_under_lease() == counter.new


def test_rollback_that_cannot_be_writes_no_lease(counter: Counter) -> None:
    del counter.parameters.history[PREVIOUS]
    with pytest.raises(RefusedError, match="Image app has no previous AMI"):
        counter.roll_back_under_lease()
    assert LEASE not in counter.parameters.history


def test_rollback_while_somebody_bakes_is_refused(counter: Counter) -> None:
    counter.lease("other").acquire()
    with pytest.raises(RefusedError, match="is held by somebody"):
        counter.roll_back_under_lease()
    assert counter.pointers == (counter.new, counter.old)


def test_rollback_that_fails_gives_the_lease_back(counter: Counter) -> None:
    counter.account.faults["CreateTags"] = AwsError("AWS is down.")
    with pytest.raises(AwsError):
        counter.roll_back_under_lease()
    assert '"released": true' in counter.parameters.value(LEASE)
