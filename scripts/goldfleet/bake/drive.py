"""Drives one bake: decide, lease, build, boot a copy, verify, publish, and clean up whatever happens.

All of the outside comes through the ports; what is decided is decided in decide.py. The stages of the making proper are
in make.py.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

from goldfleet import tags
from goldfleet.bake.decide import decide, decide_plain
from goldfleet.bake.inputs import Tree, build_inputs, read_tree
from goldfleet.bake.make import Making, MakingPlan
from goldfleet.bake.model import Bake, Decision, Inputs, NothingToDo, Outcome, Publish, Stage
from goldfleet.bake.ports import BakeRequest, World
from goldfleet.bake.publish import Publisher
from goldfleet.bake.shelf import read_shelf, resolve_source_ami
from goldfleet.bake.stages import Stages
from goldfleet.errors import GoldfleetError
from goldfleet.lease import TOKEN_DIGITS, Holder, Lease, renewed


@dataclass(frozen=True)
class Look:
    """What was seen of project and AWS at one moment, and what follows from it."""

    tree: Tree
    inputs: Inputs
    source_ami: str
    decision: Decision


def bake(request: BakeRequest, world: World) -> Outcome:
    """Bake an image, or, when only asked to if something changed, find out that nothing has to be done.

    Raises UsageError, RefusedError (nothing was changed), AwsError, StoppedError or VerificationError; whichever it is,
    everything temporary is removed, or the error says what is left.
    """
    run = tags.build_run_id(world.clock.now(), world.random_hex(tags.RUN_ID_DIGITS))
    return _Drive(request, world, run).bake()


class _Drive:
    """One bake, with its run id and its stages."""

    def __init__(self, request: BakeRequest, world: World, run: str) -> None:
        self._request = request
        self._world = world
        self._run = run
        self._stages = Stages(world.progress, world.clock)

    def bake(self) -> Outcome:
        """Decide, and do it under the image's lease."""
        if self._request.if_changed:
            look = self._look()
            if isinstance(look.decision, NothingToDo):
                return self._outcome(look, "nothing to do", look.decision.image_id, (look.decision.why,))
        with self._leased() as lease:
            return self._act(self._look(), lease)

    def _look(self) -> Look:
        """Read the project, ask AWS, decide: three calls."""
        request, world = self._request, self._world
        with self._stages.run(Stage.DECIDE):
            tree = read_tree(request.project, request.settings, world.collections_path)
            source_ami = resolve_source_ami(request.settings, world.cloud).image_id
            inputs = build_inputs(tree, request.settings.architecture, source_ami)
            shelf = read_shelf(request.image, world.cloud, world.parameters)
            decision = decide(inputs, shelf) if request.if_changed else decide_plain(inputs, shelf)
        return Look(tree, inputs, source_ami, decision)

    @contextmanager
    def _leased(self) -> Iterator[Lease]:
        """Hold the image's lease inside the block."""
        world, name = self._world, tags.image_lease(self._request.image)
        duration = timedelta(minutes=self._request.settings.lease_minutes)
        with self._stages.run(Stage.LEASE):
            holder = Holder(world.owner(), self._run, world.random_hex(TOKEN_DIGITS))
            lease = Lease(world.parameters, world.patient_clock, name, holder, duration)
            lease.acquire()
        try:
            with renewed(lease):
                yield lease
        finally:
            self._release(lease)

    def _release(self, lease: Lease) -> None:
        """Give the lease up; that this fails must not hide what happened before, for the lease ends by itself."""
        try:
            lease.release()
        except GoldfleetError as error:
            self._world.progress.note(f"The lease could not be released, and ends by itself: {error.message}")

    def _act(self, look: Look, lease: Lease) -> Outcome:
        world, image = self._world, self._request.image
        publisher = Publisher(world.cloud, world.parameters, lease.assert_held)
        match look.decision:
            case NothingToDo(image_id, why):
                return self._outcome(look, "nothing to do", image_id, (why,))
            case Publish(image_id, why):
                with self._stages.run(Stage.PUBLISH):
                    publisher.make_current(image, image_id)
                return self._outcome(look, "published", image_id, (why,))
            case Bake(reasons):
                for reason in reasons:
                    world.progress.note(f"Baking because: {reason}.")
                plan = MakingPlan(self._run, look.tree, look.inputs, look.source_ami)
                made = Making(self._request, world, plan, publisher, self._stages).make()
                outcome = self._outcome(look, "baked", made.image_id, reasons)
                return replace(outcome, checks=made.checks, reports=made.reports, documents=made.documents)

    def _outcome(self, look: Look, action: str, image_id: str, reasons: tuple[str, ...]) -> Outcome:
        return Outcome(
            action=action,
            image=self._request.image,
            image_id=image_id,
            run=self._run,
            fingerprint=look.inputs.fingerprint,
            source_ami=look.source_ami,
            reasons=reasons,
        )
