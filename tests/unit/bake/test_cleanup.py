"""Garbage collection in an account that also holds other people's things."""

import pytest

from goldfleet import tags
from goldfleet.aws.model import KeyPair, Launch, SecurityGroup
from goldfleet.bake.cleanup import (
    Cleaner,
    DisplayOnlyExecutor,
    Executor,
    RemovingExecutor,
    choose_runs,
    collect_garbage,
    plan_removals,
    protecting_published,
)
from goldfleet.errors import AwsError, RefusedError
from goldfleet.lease import Holder, Lease
from tests.doubles.account import InMemoryAccount
from tests.doubles.clock import START, VirtualClock
from tests.doubles.parameters import InMemoryParameters

DEAD, FRESH = "20261123-101530-dead00", "20261123-141530-aaaaaa"
PAST, FUTURE = "2026-11-23T12:15:30Z", "2026-11-23T16:15:30Z"


class Yard:
    """An account with a dead run's leftovers, a fresh run's things, and foreign ones."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.account = InMemoryAccount(self.clock)
        self.parameters = InMemoryParameters()
        self.dead = self.leave(DEAD, PAST)
        self.fresh = self.leave(FRESH, FUTURE)
        foreign = {"Name": "mine", "goldfleet:image": "app"}
        self.account.pairs["mine"] = KeyPair("key-mine", "mine", foreign)
        self.account.groups["sg-mine"] = SecurityGroup("sg-mine", "mine", {tags.RUN: DEAD})
        self.foreign = {
            self.account.start_machine(Launch("ami-x", "t3.small", "mine", ("sg-mine",), None, {tags.RUN: DEAD}, "")),
            self.account.add_image(f"somebodys-app-{DEAD}", {}).image_id,
            "mine",
            "sg-mine",
        }

    def leave(self, run: str, expires: str) -> set[str]:
        """Leave what a bake that was killed at its worst moment leaves; return the ids."""
        both = tags.temporary_tags("app", run, expires)
        self.account.pairs[run] = KeyPair(f"key-{run}", run, both)
        self.account.groups[f"sg-{run}"] = SecurityGroup(f"sg-{run}", run, both)
        builder = self.account.start_machine(Launch("ami-x", "t3.small", run, (f"sg-{run}",), None, both, ""))
        image = self.account.add_image(tags.ami_name("app", run), {})
        return {run, f"sg-{run}", builder, image.image_id, *image.snapshot_ids}

    def things(self) -> set[str]:
        return self.account.temporary_things() | set(self.account.images) | set(self.account.snapshots)

    def collect(self, only_run: str | None = None, show: bool = False) -> list[str]:
        cleaner = Cleaner(self.account, self.clock, timeout_seconds=120)
        runs = choose_runs(self.account, self.parameters, self.clock, only_run)
        cleaner = protecting_published(cleaner, runs, self.parameters)
        executor: Executor = DisplayOnlyExecutor() if show else RemovingExecutor(cleaner)
        removed = collect_garbage(plan_removals(cleaner, runs), executor)
        self.left = [text for one in removed for text in one.left]
        return [one.plan.run for one in removed]


@pytest.fixture
def yard() -> Yard:
    return Yard()


def test_only_the_expired_runs_things_go(yard: Yard) -> None:
    before = yard.things()
    assert yard.collect() == [DEAD]
    assert before - yard.things() == yard.dead
    assert yard.left == []


def test_second_collection_finds_nothing(yard: Yard) -> None:
    yard.collect()
    assert yard.collect() == []


def test_showing_removes_nothing(yard: Yard) -> None:
    before = yard.things()
    assert yard.collect(show=True) == [DEAD]
    assert yard.things() == before


def test_named_run_goes_before_its_expiry(yard: Yard) -> None:
    before = yard.things()
    assert yard.collect(FRESH) == [FRESH]
    assert before - yard.things() == yard.fresh


def test_named_run_that_is_at_work_is_refused_and_a_sweep_spares_it(yard: Yard) -> None:
    yard.clock.pass_time(hours=5)
    holder = Holder("ann", FRESH, "token")
    Lease(yard.parameters, yard.clock, "image-app", holder, duration=(START - START.replace(hour=0))).acquire()
    with pytest.raises(RefusedError, match="still at work"):
        yard.collect(FRESH)
    assert yard.collect() == [DEAD]


def test_verified_ami_of_a_dead_run_stays_with_its_snapshot(yard: Yard) -> None:
    image = next(image for image in yard.account.images.values() if image.image_id in yard.dead)
    yard.account.set_tags(image.image_id, {tags.VERIFIED: PAST})
    yard.account.set_tags(image.snapshot_ids[0], {tags.RUN: DEAD})  # as Packer does
    yard.collect()
    assert image.image_id in yard.things()
    assert set(image.snapshot_ids) <= yard.things()
    assert DEAD not in yard.things()


def test_ami_that_a_pointer_names_stays_whatever_its_tags_say(yard: Yard) -> None:
    image = next(image for image in yard.account.images.values() if image.image_id in yard.dead)
    yard.parameters.put(tags.previous_parameter("app"), image.image_id)
    yard.collect()
    assert image.image_id in yard.things()


def test_snapshot_whose_ami_is_gone_already_goes_too(yard: Yard) -> None:
    image = next(image for image in yard.account.images.values() if image.image_id in yard.dead)
    yard.account.deregister_image(image.image_id)
    snapshot = yard.account.snapshots[image.snapshot_ids[0]]
    yard.account.snapshots[image.snapshot_ids[0]] = type(snapshot)(snapshot.snapshot_id, {tags.RUN: DEAD})
    yard.collect()
    assert yard.dead.isdisjoint(yard.things())


@pytest.mark.parametrize("operation", ["DescribeInstances", "DeregisterImage", "DeleteSnapshot", "DeleteSecurityGroup"])
def test_refused_call_is_tried_again(yard: Yard, operation: str) -> None:
    cleaner = Cleaner(yard.account, yard.clock, timeout_seconds=120)
    yard.account.faults[operation] = AwsError("Throttled.")
    assert cleaner.remove(DEAD) == ()
    assert yard.dead.isdisjoint(yard.things())


def test_removal_that_never_succeeds_ends_in_time_and_is_named(yard: Yard) -> None:
    class AccountThatKeepsItsSnapshots(InMemoryAccount):
        def delete_snapshot(self, snapshot_id: str) -> None:
            raise AwsError(f"AWS refused DeleteSnapshot of {snapshot_id}.")

    yard.account.__class__ = AccountThatKeepsItsSnapshots
    left = Cleaner(yard.account, yard.clock, timeout_seconds=120).remove(DEAD)
    assert yard.clock.seconds <= 125
    assert left[0].startswith("could not delete snapshot")
    assert left[-1].startswith("AWS refused DeleteSnapshot")
    assert DEAD in yard.account.pairs, "the key pair still stands for the run"
