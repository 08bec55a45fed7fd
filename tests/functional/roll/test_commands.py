"""What each command refuses, reads and says, on the working model."""

from dataclasses import replace

import pytest

from goldfleet.errors import AwsError, RefusedError, StoppedError
from goldfleet.roll import operations
from goldfleet.roll.model import State
from goldfleet.roll.report import make_plan, read_status
from goldfleet.scaling import membership, processes, sizes
from goldfleet.scaling.lifecycle import LifecycleState
from goldfleet.scaling.model import GroupUpdate
from tests.doubles.rolling import NEW, OLD, RollingWorld


def test_unknown_group_is_refused_with_those_that_exist() -> None:
    here = RollingWorld(3)
    here.fleet.look = lambda: None  # type: ignore[method-assign]
    with pytest.raises(RefusedError, match="Auto Scaling group web does not exist; there are web"):
        operations.start(here.request(), here.world)


def test_image_that_was_never_baked_is_refused() -> None:
    here = RollingWorld(3)
    here.parameters.history.clear()
    with pytest.raises(RefusedError, match="Image app has no current AMI") as caught:
        operations.start(here.request(), here.world)
    assert "goldfleet bake app" in caught.value.next_step


def test_all_obstacles_come_at_once_and_nothing_is_changed() -> None:
    here = RollingWorld(3, 1, 3)
    processes.suspend(here.group, ["Launch"])
    here.images.architectures = {NEW: "arm64"}
    with pytest.raises(RefusedError) as caught:
        operations.start(here.request(), here.world)
    told = " ".join(caught.value.reasons)
    assert len(caught.value.reasons) == 3
    assert all(word in told for word in ("Launch suspended", "architecture arm64", "max_size is 3"))
    assert (here.fleet.mutations, here.launches.made) == ([], [])


def test_group_that_became_unfit_before_the_lease_is_refused_under_it() -> None:
    here = RollingWorld(3)

    def suspend_and_tell() -> str:
        processes.suspend(here.group, ["Terminate"])
        return "ann"

    with pytest.raises(RefusedError):
        operations.start(here.request(), replace(here.world, owner=suspend_and_tell))
    assert here.fleet.mutations == []


def test_named_image_is_rolled_instead_of_the_current_one() -> None:
    here = RollingWorld(3)
    outcome = operations.start(here.request(image_id="ami-3"), here.world)
    assert (outcome.image_id, here.launches.made) == ("ami-3", ["ami-3"])
    assert here.images_here() == {"ami-3": 3}


@pytest.mark.parametrize("command", [operations.resume, operations.abort])
def test_group_without_a_roll_has_nothing_to_go_on_with(command: object) -> None:
    here = RollingWorld(3)
    with pytest.raises(RefusedError, match="web has no roll in progress"):
        command("web", here.world)  # type: ignore[operator]
    assert here.fleet.mutations == []


def test_rollback_is_refused_when_what_was_before_is_gone() -> None:
    here = RollingWorld(3)
    operations.start(here.request(), here.world)
    here.images.gone = {OLD}
    with pytest.raises(RefusedError) as caught:
        operations.roll_back(here.request(), here.world)
    assert any("AMI ami-1 does not exist any more" in reason for reason in caught.value.reasons)
    assert here.images_here() == {NEW: 3}


def test_rollback_of_a_rollback_that_was_killed_goes_on_with_it() -> None:
    here = RollingWorld(3)
    operations.start(here.request(), here.world)
    assert here.killed_at(25, lambda world: operations.roll_back(here.request(), world))
    assert operations.roll_back(here.request(), here.world).action == "rolled back"
    assert here.images_here() == {OLD: 3}


def test_resume_of_a_killed_rollback_ends_as_a_rollback() -> None:
    here = RollingWorld(3)
    operations.start(here.request(), here.world)
    assert here.killed_at(25, lambda world: operations.roll_back(here.request(), world))
    assert operations.resume("web", here.world).action == "rolled back"


def test_abort_of_a_mixed_fleet_says_how_to_make_it_whole() -> None:
    here = RollingWorld(3)
    here.clock.later.append((40, lambda: here.fleet.faults.update({"*": AwsError("no", code="AccessDenied")})))
    with pytest.raises(StoppedError):
        operations.start(here.request(), here.world)
    outcome = operations.abort("web", here.world)
    assert outcome.count.target >= 1
    assert outcome.count.previous >= 1
    assert "The fleet is mixed" in outcome.notes[-1]


def test_answer_of_the_first_tags_that_is_lost_says_that_a_roll_may_have_begun() -> None:
    here = RollingWorld(3)
    here.fleet.faults["lost CreateOrUpdateTags*"] = AwsError("connection reset.")
    with pytest.raises(StoppedError, match="Whether the roll's tags were written is not known"):
        operations.start(here.request(), here.world)
    assert operations.resume("web", here.world).action == "rolled"


def test_status_without_a_roll_shows_sizes_and_who_serves() -> None:
    here = RollingWorld(3)
    seen = read_status("web", here.world)
    assert (seen.roll, seen.serving, seen.desired_capacity, seen.previous, seen.holder) == (None, 3, 3, None, "")


def test_status_of_a_killed_roll_shows_it_and_who_held_the_lease() -> None:
    here = RollingWorld(3)
    here.killed_at(20, lambda world: operations.start(here.request(), world))
    here.lease_clock.seconds = 0
    seen = read_status("web", here.world)
    assert seen.roll is not None
    assert seen.roll.state is State.ROLLING
    assert (seen.count.target + seen.count.previous, seen.count.others) == (4, 0)
    assert seen.holder == ""  # the world's clock says that the lease has ended


def test_plan_changes_nothing_and_ends_well() -> None:
    here = RollingWorld(3)
    made = make_plan(here.request(image_id="ami-3"), here.world)
    assert (made.target, made.obstacles, here.launches.made) == (None, (), [])
    assert [type(step).__name__ for step in made.steps] == [
        "UseLaunch", "SetDesiredCapacity", "TerminateInstance", "TerminateInstance", "TerminateInstance", "Done",
    ]  # fmt: skip
    assert here.fleet.mutations == []


def test_plan_tells_obstacles_and_skipped_instances() -> None:
    here = RollingWorld(3)
    first = next(iter(here.group.roster)).instance_id
    membership.set_protection(here.group, [first], is_protected=True)
    sizes.update_group(here.group, GroupUpdate(max_size=3))
    made = make_plan(here.request(), here.world)
    assert (len(made.obstacles), made.steps) == (1, ())
    assert made.notes == (f"Protected from scale-in, so skipped: {first}.",)


def test_gate_is_closed_however_a_roll_ends() -> None:
    here = RollingWorld(3)
    here.gate.broken = {NEW}
    with pytest.raises(StoppedError):
        operations.start(here.request(), here.world)
    assert here.gate.is_closed


def test_plan_for_what_runs_already_has_no_step_and_no_obstacle_even_when_a_server_is_ill() -> None:
    here = RollingWorld(3)
    here.cloud.balancer.unhealthy.add(here.group.roster.within(LifecycleState.IN_SERVICE)[0].instance_id)
    made = make_plan(replace(here.request(), image_id=OLD), here.world)
    assert (made.steps, made.obstacles) == ((), ())
