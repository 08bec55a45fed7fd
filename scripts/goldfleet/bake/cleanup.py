"""Removes what a run left in AWS: after each bake for its own run, and in `goldfleet images gc` for dead ones.

It looks again at every turn, so that it can be cut off anywhere and started again. It knows runs only by their tags.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Protocol, assert_never

from goldfleet import tags
from goldfleet.aws.model import Instance
from goldfleet.bake.janitor import (
    GOING,
    DeleteKeyPair,
    DeleteSecurityGroup,
    DeleteSnapshot,
    DeregisterImage,
    Removal,
    RunLeftovers,
    RunPlan,
    RunSeen,
    TerminateInstance,
    describe,
    is_unverified,
    removals,
    runs_seen,
    runs_to_remove,
)
from goldfleet.bake.ports import Cloud, Parameters
from goldfleet.bake.shelf import read_pointers
from goldfleet.clock import Clock, wait_until
from goldfleet.errors import GoldfleetError
from goldfleet.lease import parse_record

NOT_GONE = ("pending", "running", "shutting-down", "stopping", "stopped")


@dataclass(frozen=True)
class Cleaner:
    """Removes the leftovers of runs, in bounded time. AMIs in `protected` stay, whatever their tags say."""

    cloud: Cloud
    clock: Clock
    timeout_seconds: float
    protected: frozenset[str] = frozenset()

    def look(self, run: str) -> RunLeftovers:
        """Return what AWS holds of a run now."""
        of_run = {f"tag:{tags.RUN}": [run]}
        named = self.cloud.own_images({"name": [f"goldfleet-*-{run}"]})
        unverified = tuple(image for image in named if is_unverified(image, run, self.protected))
        return RunLeftovers(
            run=run,
            instances=self._instances(run),
            images=unverified,
            snapshots=() if len(unverified) < len(named) else self.cloud.own_snapshots(of_run),
            security_groups=tuple(one for one in self.cloud.security_groups(of_run) if tags.is_temporary(one.tags)),
            key_pairs=tuple(one for one in self.cloud.key_pairs(of_run) if tags.is_temporary(one.tags)),
        )

    def remove(self, run: str) -> tuple[str, ...]:
        """Remove all that a run left; return, in words, what could not be removed and why.

        It raises no GoldfleetError: what fails is tried again until the time is over.
        """
        trouble = ""

        def turn() -> bool | None:
            nonlocal trouble
            try:
                return True if self._turn(run) else None
            except GoldfleetError as error:
                trouble = error.message
                return None

        if wait_until(turn, self.clock, self.timeout_seconds):
            return ()
        return (*self._still_there(run), *([trouble] if trouble else []))

    def _turn(self, run: str) -> bool:
        """Do what can be done now; tell whether nothing is left. A machine that is ending is only waited for."""
        instances = self._instances(run)
        for instance in instances:
            if instance.state not in GOING:
                self.cloud.terminate_instance(instance.instance_id)
        if instances:
            return False
        for removal in removals(self.look(run)):
            apply(removal, self.cloud)
        return True

    def _instances(self, run: str) -> tuple[Instance, ...]:
        found = self.cloud.instances({f"tag:{tags.RUN}": [run], "instance-state-name": NOT_GONE})
        return tuple(instance for instance in found if tags.is_temporary(instance.tags))

    def _still_there(self, run: str) -> tuple[str, ...]:
        try:
            return tuple(f"could not {describe(removal)}" for removal in removals(self.look(run)))
        except GoldfleetError as error:
            return (f"could not look at what run {run} left: {error.message}",)


def apply(removal: Removal, cloud: Cloud) -> None:
    """Do one removal; that the thing is gone already is fine."""
    match removal:
        case TerminateInstance():
            cloud.terminate_instance(removal.instance_id)
        case DeregisterImage():
            for snapshot_id in removal.snapshot_ids:
                cloud.set_tags(snapshot_id, {tags.RUN: removal.run})
            cloud.deregister_image(removal.image_id)
        case DeleteSnapshot():
            cloud.delete_snapshot(removal.snapshot_id)
        case DeleteSecurityGroup():
            cloud.delete_security_group(removal.group_id)
        case DeleteKeyPair():
            cloud.delete_key_pair(removal.name)
        case _:
            assert_never(removal)


@dataclass(frozen=True)
class Removed:
    """What became of one run's leftovers; `left` says what could not be removed, in words."""

    plan: RunPlan
    left: tuple[str, ...] = ()


class Executor(Protocol):
    """Does what a plan says, or only shows it."""

    def execute(self, plan: RunPlan) -> Removed: ...


@dataclass(frozen=True)
class RemovingExecutor:
    """Removes."""

    cleaner: Cleaner

    def execute(self, plan: RunPlan) -> Removed:
        """Remove what the plan's run left."""
        return Removed(plan, self.cleaner.remove(plan.run))


class DisplayOnlyExecutor:
    """Removes nothing: the plan is what is shown."""

    def execute(self, plan: RunPlan) -> Removed:
        """Return the plan as it is."""
        return Removed(plan)


def choose_runs(cloud: Cloud, parameters: Parameters, clock: Clock, only_run: str | None) -> tuple[RunSeen, ...]:
    """Return the runs whose leftovers `images gc` may remove.

    Raises RefusedError when the run that is named is still at work.
    """
    return runs_to_remove(_see_runs(cloud), clock.now(), _live_runs(parameters, clock), only_run)


def protecting_published(cleaner: Cleaner, runs: Iterable[RunSeen], parameters: Parameters) -> Cleaner:
    """Return a cleaner that also spares every AMI that a pointer names."""
    names = [f"goldfleet-*-{one.run}" for one in runs]
    images = {tags.image_of_ami_name(one.name) for one in cleaner.cloud.own_images({"name": names})} if names else set()
    pointers = [read_pointers(image, parameters) for image in sorted(images - {""})]
    published = {image_id for one in pointers for image_id in (one.current, one.previous) if image_id}
    return replace(cleaner, protected=cleaner.protected | published)


def plan_removals(cleaner: Cleaner, runs: Iterable[RunSeen]) -> tuple[RunPlan, ...]:
    """Return what there is to remove of each run."""
    return tuple(RunPlan(one.run, one.expires, removals(cleaner.look(one.run))) for one in runs)


def collect_garbage(plans: Iterable[RunPlan], executor: Executor) -> tuple[Removed, ...]:
    """Give each plan to the executor."""
    return tuple(executor.execute(plan) for plan in plans)


def _see_runs(cloud: Cloud) -> tuple[RunSeen, ...]:
    """Return the runs of which temporary resources exist."""
    tagged = {"tag-key": [tags.RUN]}
    return runs_seen(
        [
            *(one.tags for one in cloud.key_pairs(tagged)),
            *(one.tags for one in cloud.security_groups(tagged)),
            *(one.tags for one in cloud.instances({**tagged, "instance-state-name": NOT_GONE})),
        ]
    )


def _live_runs(parameters: Parameters, clock: Clock) -> frozenset[str]:
    records = map(parse_record, parameters.get_below(tags.LEASES_PATH).values())
    return frozenset(record.run for record in records if record.is_live(clock.now()))
