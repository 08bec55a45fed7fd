"""The words of a roll, as frozen values, and the closed union of its steps. Pure: no AWS, no clock.

A roll is what its tags say (`Roll`, see record.py) and what is seen (`Snapshot`). What only the running process knows
(`Progress`, see progress.py) is lost with it, and a resume proves instances anew.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from goldfleet.aws.model import AutoScalingGroup, LaunchSpec, TargetHealth


@dataclass(frozen=True)
class Fit:
    """What instances are launched from: a launch configuration or a template's version, and its AMI."""

    launch: LaunchSpec
    image_id: str


class State(Enum):
    """Where a roll is; the value is what its tag says."""

    ROLLING = "rolling"
    HALTING = "halting"
    HALTED = "halted"
    ABORTING = "aborting"


class Direction(Enum):
    """Whether a roll brings something new or goes back to what was before."""

    FORWARD = "forward"
    BACK = "back"


@dataclass(frozen=True)
class Sizes:
    """A group's sizes when the roll began."""

    min_size: int
    max_size: int
    desired_capacity: int


@dataclass(frozen=True)
class Grow:
    """About to set the desired capacity from `before` to `before` + `count`, which changes own surge; rarely negative."""

    count: int
    before: int


@dataclass(frozen=True)
class Shrink:
    """About to terminate an instance with decrement, the desired capacity being `before`: one own surge less."""

    instance_id: str
    before: int


Intent = Grow | Shrink


@dataclass(frozen=True)
class Policy:
    """What the operator wants. `surge` is a number or a share such as "25%" of the live desired capacity."""

    surge: int | str = 1
    warm_up_seconds: int = 30
    ready_timeout_seconds: int = 900


@dataclass(frozen=True)
class Roll:
    """A roll in progress, as the group's tags hold it.

    `surge` is the part of the desired capacity that is the roll's own, `settled` that desired capacity, None while it is
    not known; `intent` the change that was announced and is not known to have happened. `raised_max` is the maximum size
    that the roll set or will set, None if it leaves it.
    """

    roll_id: str
    target: Fit
    previous: Fit
    sizes: Sizes
    policy: Policy
    state: State = State.ROLLING
    direction: Direction = Direction.FORWARD
    surge: int = 0
    settled: int | None = None
    intent: Intent | None = None
    raised_max: int | None = None
    why: str = ""


@dataclass(frozen=True)
class Snapshot:
    """What one look showed: the group, and by target group the health of each target by instance id."""

    group: AutoScalingGroup
    health: Mapping[str, Mapping[str, TargetHealth]] = field(default_factory=dict)


class GateVerdict(Enum):
    """What the gate says of an instance."""

    GOOD = "good"
    FAILED = "failed"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True)
class GateResult:
    """What `verify` said of one instance: the verdict, the AMI that it runs, and what was wrong."""

    instance_id: str
    verdict: GateVerdict
    image_id: str = ""
    why: str = ""


@dataclass(frozen=True)
class Progress:
    """What the process remembers between looks; times are monotonic seconds.

    `asked` are instances whose end this process asked for: they count as leaving, whatever a late answer of AWS says.
    `proven` were ready once; `first_seen` is when an instance was first seen, or last stopped to be ready.
    `is_sent` tells that the call of the roll's intent was answered, `sent_at` when. `unsettled` is a desired capacity that
    one look showed and nobody announced.
    """

    first_seen: Mapping[str, float] = field(default_factory=dict)
    healthy_since: Mapping[str, float] = field(default_factory=dict)
    gate: Mapping[str, GateResult] = field(default_factory=dict)
    launched_at: Mapping[str, float] = field(default_factory=dict)
    ready: frozenset[str] = frozenset()
    proven: frozenset[str] = frozenset()
    asked: frozenset[str] = frozenset()
    lost: tuple[str, ...] = ()
    owed_since: float | None = None
    changed_at: float = 0.0
    signature: int = 0
    live_desired: int = 0
    is_sent: bool = False
    sent_at: float = 0.0
    unsettled: int | None = None


@dataclass(frozen=True)
class UseLaunch:
    """Have the group launch from something else."""

    fit: Fit
    why: str


@dataclass(frozen=True)
class SetDesiredCapacity:
    """Set the desired capacity; the difference becomes own surge, or stops to be."""

    desired_capacity: int
    why: str


@dataclass(frozen=True)
class TerminateInstance:
    """Terminate one instance; with `decrements` own surge shrinks by it, and the group launches no other."""

    instance_id: str
    decrements: bool
    why: str


@dataclass(frozen=True)
class SetMaxSize:
    """Raise the maximum size for the roll, or put it back."""

    max_size: int
    why: str


@dataclass(frozen=True)
class Wait:
    """Look again later."""

    why: str
    seconds: float = 3.0


@dataclass(frozen=True)
class Halt:
    """Give the new image up for now: evidence, previous launch back, unproven instances away."""

    why: str
    instance_ids: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stop:
    """End here, nothing changed, resumable."""

    why: str


@dataclass(frozen=True)
class Done:
    """Nothing is left to do in the roll's state."""

    why: str


Mutation = UseLaunch | SetDesiredCapacity | TerminateInstance | SetMaxSize
Step = Mutation | Wait | Halt | Stop | Done


@dataclass(frozen=True)
class Count:
    """How many instances there are by what they were launched from; `others` are of neither."""

    target: int = 0
    previous: int = 0
    others: int = 0


@dataclass(frozen=True)
class Outcome:
    """What a command did. `action` is one of rolled, rolled back, aborted, nothing to do."""

    action: str
    group: str
    roll_id: str
    image_id: str
    previous_image_id: str
    launch: str
    replaced: int = 0
    seconds: float = 0.0
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    count: Count = Count()
