"""A roll that is killed before any of its calls is taken up from the tags alone, and ends as if nothing had happened."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import pytest

from goldfleet import tags
from goldfleet.errors import RefusedError, StoppedError
from goldfleet.roll import operations
from goldfleet.roll.model import Outcome
from goldfleet.roll.ports import World
from tests.doubles.rolling import NEW, OLD, RollingWorld

MOST_CALLS = 400


def take_up(here: RollingWorld, surge: int) -> Outcome:
    """Do what an operator does: resume, or start again when nothing had begun."""
    if here.roll_tags():
        return operations.resume("web", here.world)
    return operations.start(here.request(surge), here.world)


def each_death(make: Callable[[], RollingWorld], act: Callable[[RollingWorld, World], object]) -> list[RollingWorld]:
    """Return one world for each call before which the act can die."""
    worlds: list[RollingWorld] = []
    for call in range(MOST_CALLS):
        here = make()
        if not here.killed_at(call, partial(act, here)):
            return worlds
        worlds.append(here)
    raise AssertionError(f"the act has not ended after {MOST_CALLS} calls")


def assert_whole(here: RollingWorld, image_id: str, desired: int, maximum: int = 30) -> None:
    here.clock.sleep(60)
    spec = here.group.spec
    assert here.images_here() == {image_id: desired}
    assert (spec.min_size, spec.max_size, spec.desired_capacity) == (1, maximum, desired)
    assert here.roll_tags() == {}
    assert here.lowest_margin >= 0


@pytest.mark.parametrize(("desired", "surge"), [(3, 1), (5, 2)])
def test_roll_killed_before_any_call_is_resumed_to_its_end(desired: int, surge: int) -> None:
    worlds = each_death(lambda: RollingWorld(desired), lambda here, world: operations.start(here.request(surge), world))
    assert len(worlds) > 20
    for here in worlds:
        take_up(here, surge)
        assert_whole(here, NEW, desired)


def test_roll_with_raised_max_killed_before_any_call_puts_it_back() -> None:
    def act(here: RollingWorld, world: World) -> None:
        operations.start(here.request(raise_max=True), world)

    for here in each_death(lambda: RollingWorld(3, 1, 3), act):
        if here.roll_tags():
            operations.resume("web", here.world)
        else:
            operations.start(here.request(raise_max=True), here.world)
        assert_whole(here, NEW, 3, maximum=3)


def test_roll_killed_before_any_call_is_rolled_back() -> None:
    for here in each_death(lambda: RollingWorld(3), lambda here, world: operations.start(here.request(), world)):
        if here.roll_tags():
            assert operations.roll_back(here.request(), here.world).action == "rolled back"
            assert_whole(here, OLD, 3)


def test_roll_killed_before_any_call_is_aborted_with_what_was_proven() -> None:
    for here in each_death(lambda: RollingWorld(3), lambda here, world: operations.start(here.request(), world)):
        if here.roll_tags():
            assert operations.abort("web", here.world).action == "aborted"
            here.clock.sleep(60)
            assert sum(here.images_here().values()) == here.group.spec.desired_capacity == 3
            assert here.roll_tags() == {}
            assert here.group.spec.source.launch_template_version == "1"
            assert here.lowest_margin >= 0


def test_halt_killed_before_any_call_can_be_aborted() -> None:
    def make() -> RollingWorld:
        here = RollingWorld(3)
        here.gate.broken = {NEW}
        return here

    def act(here: RollingWorld, world: World) -> None:
        with suppress(StoppedError):
            operations.start(here.request(), world)

    for here in each_death(make, act):
        with suppress(RefusedError):
            operations.abort("web", here.world)
        assert_whole(here, OLD, 3)


def test_halted_roll_is_resumed_once_its_image_is_good() -> None:
    here = RollingWorld(3)
    here.gate.broken = {NEW}
    with pytest.raises(StoppedError):
        operations.start(here.request(), here.world)
    here.gate.broken = set()
    assert operations.resume("web", here.world).action == "rolled"
    assert_whole(here, NEW, 3)


def test_halted_roll_is_rolled_back_with_no_instance_replaced() -> None:
    here = RollingWorld(3)
    before = [one.instance_id for one in here.group.roster]
    here.gate.broken = {NEW}
    with pytest.raises(StoppedError):
        operations.start(here.request(), here.world)
    outcome = operations.roll_back(here.request(), here.world)
    assert (outcome.action, outcome.replaced) == ("rolled back", 0)
    assert_whole(here, OLD, 3)
    assert [one.instance_id for one in here.group.roster] == before


def test_finished_roll_is_rolled_back_and_forward_again() -> None:
    here = RollingWorld(3)
    operations.start(here.request(), here.world)
    assert operations.roll_back(here.request(), here.world).action == "rolled back"
    assert_whole(here, OLD, 3)
    assert here.fleet.tags[tags.PREVIOUS] == f"{NEW} lt:lt-0abc:2"
    assert operations.roll_back(here.request(), here.world).action == "rolled back"
    assert_whole(here, NEW, 3)


def test_group_that_was_never_rolled_has_nothing_to_go_back_to() -> None:
    here = RollingWorld(3)
    with pytest.raises(RefusedError, match="web has nothing to go back to: it has no tag goldfleet:previous"):
        operations.roll_back(here.request(), here.world)
    assert here.fleet.mutations == []
