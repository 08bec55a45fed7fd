"""The only loop of a roll: look, settle what was announced, next_step, check, record, do, wait.

What it knows beyond the tags is in Progress and may be lost at any moment. Whether a step is right is decided in plan.py
and checked in invariants.py; here it is only done, tags first.
"""

from dataclasses import dataclass, replace

from goldfleet import tags
from goldfleet.errors import AwsError, StoppedError, UsageError
from goldfleet.lease import Lease
from goldfleet.roll.classify import describe_health, failing, is_same_launch, is_unannounced, take_census, unready
from goldfleet.roll.invariants import check_step
from goldfleet.roll.model import (
    Done,
    GateVerdict,
    Grow,
    Halt,
    Mutation,
    Progress,
    Roll,
    SetDesiredCapacity,
    SetMaxSize,
    Shrink,
    Snapshot,
    State,
    Stop,
    TerminateInstance,
    UseLaunch,
    Wait,
)
from goldfleet.roll.patience import Patience
from goldfleet.roll.plan import next_step
from goldfleet.roll.ports import Gate, Witness, World
from goldfleet.roll.progress import accept, settle, watch
from goldfleet.roll.record import changed_tags, encode_fit
from goldfleet.roll.render import describe


@dataclass(frozen=True)
class Ended:
    """How a drive ended: the roll as it was, the last look, where evidence is, "" for none, how many old ones went."""

    roll: Roll
    snapshot: Snapshot
    evidence: str
    replaced: int
    why: str


class Drive:
    """Drives one roll, under its lease, to the end that its state asks for."""

    def __init__(self, roll: Roll, world: World, lease: Lease, gate: Gate, witness: Witness) -> None:
        self._roll = roll
        self._world = world
        self._lease = lease
        self._gate = gate
        self._witness = witness
        self._progress = Progress(changed_at=world.clock.monotonic())
        self._reading = Patience(world.clock)
        self._changing = Patience(world.clock)
        self._halt: Halt | None = None
        self._evidence = ""
        self._witnessed: frozenset[str] = frozenset()
        self._replaced = 0
        self._told = ""

    def run(self) -> Ended:
        """Take turns until the roll is done, halted or taken back.

        Raises StoppedError when it has to end before: on a stop, a lost lease, lasting trouble with AWS.
        """
        self._progress = replace(self._progress, launched_at=self._launch_times())
        while True:
            self._world.clock.sleep(0)
            snapshot = self._look()
            if snapshot is None:
                continue
            try:
                ended = self._turn(snapshot)
            except (AwsError, UsageError) as error:
                self._tell(f"AWS: {error}")
                self._changing.failed(error)
                continue
            self._changing.succeeded()
            if ended is not None:
                return ended

    def _launch_times(self) -> dict[str, float]:
        try:
            return dict(self._world.fleet.launch_times())
        except (AwsError, UsageError):  # only the order of those that go depends on it
            return {}

    def _look(self) -> Snapshot | None:
        """Return what is seen now, or None, after a pause, when AWS does not answer."""
        try:
            snapshot = self._world.fleet.look()
        except (AwsError, UsageError) as error:
            self._tell(f"AWS: {error}")
            self._reading.failed(error)
            return None
        self._reading.succeeded()
        if snapshot is None:
            raise StoppedError("The group does not exist any more.")
        return snapshot

    def _turn(self, snapshot: Snapshot) -> Ended | None:
        """Do what is next; return how it ended when it has ended."""
        self._settle(snapshot)
        self._open_gate(snapshot)
        now = self._world.clock.monotonic()
        self._progress = watch(replace(self._progress, gate=self._gate.results()), snapshot, self._roll, now)
        self._witness_failing(snapshot)
        step = next_step(snapshot, self._roll, self._progress, now)
        match step:
            case Wait(_, seconds):
                self._tell(describe(step))
                self._world.clock.sleep(seconds)
            case Stop(why):
                raise StoppedError(f"{why[:1].upper()}{why[1:]}.")
            case Halt(why, _):
                self._tell(describe(step))
                self._save(replace(self._roll, state=State.HALTING, why=why))
                self._halt = step
            case Done(why):
                return self._finish(snapshot, why)
            case _:
                self._do(step, snapshot)
        return None

    def _settle(self, snapshot: Snapshot) -> None:
        """Learn from a look what became of an announced change, and of one that nobody announced when two looks agree."""
        desired = snapshot.group.desired_capacity
        if is_unannounced(snapshot, self._roll):
            if self._progress.unsettled == desired:
                self._tell(f"the desired capacity was set to {desired} by somebody else: it is kept")
                self._save(accept(self._roll, snapshot))
            self._progress = replace(self._progress, unsettled=desired)
            return
        waited = self._world.clock.monotonic() - self._progress.sent_at
        settled = settle(self._roll, snapshot, self._progress.is_sent, waited)
        if settled is not None and settled != self._roll:
            self._save(settled)
        self._progress = replace(self._progress, unsettled=None)

    def _open_gate(self, snapshot: Snapshot) -> None:
        """Have new instances checked as soon as they serve; again those that could not be reached."""
        if self._roll.state is not State.ROLLING:
            return
        census, results = take_census(snapshot, self._roll, self._progress), self._gate.results()
        serving = [one.instance_id for one in census.new if one.instance_id in census.serving]
        wanted = [one for one in serving if one not in results or results[one].verdict is GateVerdict.UNREACHABLE]
        self._gate.begin(wanted)

    def _do(self, step: Mutation, snapshot: Snapshot) -> None:
        """Check a step, announce it in the tags, do it."""
        check_step(step, snapshot, self._roll, self._progress)
        if isinstance(step, TerminateInstance) and self._roll.state is State.HALTING:
            self._keep_evidence(snapshot)
        self._tell(describe(step))
        self._announce(step, snapshot)
        self._lease.assert_held()
        fleet = self._world.fleet
        match step:
            case UseLaunch(fit, _):
                fleet.use_launch(fit.launch)
            case SetDesiredCapacity(desired_capacity, _):
                fleet.set_desired_capacity(desired_capacity)
            case SetMaxSize(max_size, _):
                fleet.set_max_size(max_size)
            case TerminateInstance(instance_id, decrements, _):
                fleet.terminate(instance_id, decrements=decrements)
                self._count(instance_id, snapshot)
        self._changing.succeeded()
        is_sent, now = self._roll.intent is not None, self._world.clock.monotonic()
        self._progress = replace(self._progress, is_sent=is_sent, sent_at=now)

    def _announce(self, step: Mutation, snapshot: Snapshot) -> None:
        """Write the tags that a resume needs if this process dies right after the step."""
        desired = snapshot.group.desired_capacity
        surge = take_census(snapshot, self._roll, self._progress).surge
        match step:
            case SetDesiredCapacity(desired_capacity, _):
                self._save(replace(self._roll, surge=surge, intent=Grow(desired_capacity - desired, desired)))
            case TerminateInstance(instance_id, True, _):
                self._save(replace(self._roll, surge=surge, intent=Shrink(instance_id, desired)))
            case _:
                return

    def _count(self, instance_id: str, snapshot: Snapshot) -> None:
        census = take_census(snapshot, self._roll, self._progress)
        self._replaced += any(one.instance_id == instance_id for one in census.old)
        self._progress = replace(self._progress, asked=self._progress.asked | {instance_id})

    def _save(self, roll: Roll) -> None:
        """Write what differs to the group's tags."""
        changed = changed_tags(self._roll, roll)
        if changed:
            self._lease.assert_held()
            self._world.fleet.set_tags(changed)
        self._roll = roll
        self._progress = replace(self._progress, is_sent=False)

    def _witness_failing(self, snapshot: Snapshot) -> None:
        """Keep evidence of a new instance as soon as it fails: the group may end it before the roll does."""
        if self._roll.state is not State.ROLLING:
            return
        census = take_census(snapshot, self._roll, self._progress)
        now = self._world.clock.monotonic()
        seen = tuple(one for one in failing(census, snapshot, self._progress, now) if one not in self._witnessed)
        if seen:
            self._witnessed |= frozenset(seen)
            self._tell(f"{seen[0]} fails: {describe_health(snapshot, seen[0])}")
            self._witness.keep(self._roll, snapshot, seen, self._gate.results())

    def _keep_evidence(self, snapshot: Snapshot) -> None:
        """Keep the evidence of a halt, once, before the first instance goes."""
        if self._evidence:
            return
        census = take_census(snapshot, self._roll, self._progress)
        failed = self._halt.instance_ids if self._halt else ()
        instance_ids = failed or tuple(one.instance_id for one in unready(census, self._progress))
        self._evidence = self._witness.keep(self._roll, snapshot, instance_ids, self._gate.results())
        self._tell(f"evidence: {self._evidence}")

    def _finish(self, snapshot: Snapshot, why: str) -> Ended:
        """Leave the tags as the roll's end wants them."""
        roll, fleet = self._roll, self._world.fleet
        if roll.state in (State.HALTING, State.HALTED):
            self._keep_evidence(snapshot)
            self._save(replace(roll, state=State.HALTED))
        else:
            self._lease.assert_held()
            if roll.state is State.ROLLING and not is_same_launch(roll.target.launch, roll.previous.launch):
                fleet.set_tags({tags.PREVIOUS: encode_fit(roll.previous)})
            fleet.remove_tags(tags.ROLL_TAGS)
        return Ended(self._roll, snapshot, self._evidence, self._replaced, roll.why or why)

    def _tell(self, line: str) -> None:
        """Show a line, but not the same one again and again."""
        if line != self._told:
            self._told = line
            self._world.note(line)
