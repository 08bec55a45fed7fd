"""A command, its invocations, and the states that they move through: pure, told what happens and when.

Every step costs the same whatever the number of invocations. Source: Systems Manager user guide, "Understanding command
statuses" (what the states mean and what they make of the command) and "Run commands at scale" (concurrency and errors); API
reference, Command and CommandInvocation. Where the guide says of a command "the value of MaxErrors or more", the API reference
says "one more time beyond the value of MaxErrors"; that holds here, since MaxErrors 0 would fail every command otherwise.
"""

from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Status(StrEnum):
    """What Status says. Source: API reference, CommandInvocation (a Command is never Delayed)."""

    PENDING = "Pending"
    IN_PROGRESS = "InProgress"
    DELAYED = "Delayed"
    SUCCESS = "Success"
    CANCELLED = "Cancelled"
    TIMED_OUT = "TimedOut"
    FAILED = "Failed"
    CANCELLING = "Cancelling"


@dataclass(frozen=True)
class State:
    """Status and StatusDetails."""

    status: Status
    details: str


PENDING = State(Status.PENDING, "Pending")
IN_PROGRESS = State(Status.IN_PROGRESS, "InProgress")
DELAYED = State(Status.DELAYED, "Delayed")
CANCELLING = State(Status.CANCELLING, "Cancelling")
SUCCESS = State(Status.SUCCESS, "Success")
FAILED = State(Status.FAILED, "Failed")
CANCELLED = State(Status.CANCELLED, "Cancelled")
TERMINATED = State(Status.CANCELLED, "Terminated")
UNDELIVERABLE = State(Status.FAILED, "Undeliverable")
DELIVERY_TIMED_OUT = State(Status.TIMED_OUT, "DeliveryTimedOut")
EXECUTION_TIMED_OUT = State(Status.TIMED_OUT, "ExecutionTimedOut")
# Of commands only. AWS was seen to answer the first; the Status of the second is published nowhere.
NO_INSTANCES_IN_TAG = State(Status.SUCCESS, "NoInstancesInTag")
INCOMPLETE = State(Status.FAILED, "Incomplete")

OPEN = frozenset({PENDING, IN_PROGRESS, DELAYED, CANCELLING})
NOT_STARTED = frozenset({PENDING, DELAYED})
ERRORS = frozenset({FAILED, EXECUTION_TIMED_OUT})  # what counts against MaxErrors, and is ErrorCount
NOT_RUN = -1  # ResponseCode of what did not start (API reference, GetCommandInvocation)


@dataclass(frozen=True)
class Target:
    """One of a command's targets: a key, and the values of which one must be met."""

    key: str
    values: tuple[str, ...]


@dataclass(frozen=True)
class CommandSpec:
    """What SendCommand asked for; limits are still as written ("50", "10%")."""

    commands: tuple[str, ...]
    parameters: Mapping[str, list[str]] = field(default_factory=dict)
    instance_ids: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    document_version: str = "$DEFAULT"
    comment: str = ""
    working_directory: str = ""
    execution_timeout_seconds: int = 3600
    timeout_seconds: int = 3600
    max_concurrency: str = "50"
    max_errors: str = "0"
    output_bucket: str = ""
    output_prefix: str = ""


@dataclass(frozen=True)
class Result:
    """How a script ended on a node; outputs are cut as the agent cuts them. The code of one that was killed is 137."""

    code: int
    stdout: str
    stderr: str
    timed_out: bool = False
    cancelled: bool = False

    @property
    def state(self) -> State:
        """The state of the invocation that ended so."""
        if self.cancelled:
            return CANCELLED
        if self.timed_out:
            return EXECUTION_TIMED_OUT
        return SUCCESS if self.code == 0 else FAILED


@dataclass
class Invocation:
    """One command on one node. Times are seconds since the epoch, None before they come."""

    instance_id: str
    node_name: str = ""
    state: State = PENDING
    started_at: float | None = None
    ended_at: float | None = None
    result: Result | None = None

    @property
    def is_open(self) -> bool:
        """Whether it may still change."""
        return self.state in OPEN


@dataclass
class Command:
    """One command. Change it through its methods only: they keep count.

    max_concurrency is how many nodes may run it at once, max_errors how many errors it bears.
    """

    command_id: str
    spec: CommandSpec
    requested_at: float
    invocations: dict[str, Invocation]
    max_concurrency: int
    max_errors: int
    is_settled: bool = False
    """Whether it has been seen that there is no target; of a command without invocations only."""

    def __post_init__(self) -> None:
        self._waiting = deque(self.invocations.values())
        self._tally = Counter(one.state for one in self.invocations.values())
        self._in_flight: set[str] = set()
        self._sent = self._tried = 0
        self._is_cancelled = False

    @property
    def deliver_by(self) -> float:
        """When it starts on no further node (API reference, SendCommand, TimeoutSeconds)."""
        return self.requested_at + self.spec.timeout_seconds

    @property
    def expires_at(self) -> float:
        """When every invocation without an answer is over (user guide, "Understanding command timeout values")."""
        return self.deliver_by + self.spec.execution_timeout_seconds

    @property
    def errors(self) -> int:
        """How many invocations count against MaxErrors."""
        return self.count(ERRORS)

    @property
    def completed(self) -> int:
        """How many invocations are over."""
        return len(self.invocations) - self.count(OPEN)

    @property
    def delivery_timed_out(self) -> int:
        """How many invocations were never answered."""
        return self._tally[DELIVERY_TIMED_OUT]

    @property
    def is_open(self) -> bool:
        """Whether the command may still change."""
        return self.count(OPEN) > 0 or not (self.invocations or self.is_settled)

    def count(self, states: Iterable[State]) -> int:
        """Return how many invocations are in one of some states."""
        return sum(self._tally[state] for state in states)

    def send(self, now: float) -> list[Invocation]:
        """Return the invocations that go out to their nodes now; call it after every change.

        Past MaxErrors nothing goes out any more, and what waits is terminated. It begins with one node, and each one that has
        it lets it go to two more, until MaxConcurrency is met (user guide, "Run commands at scale": exponentially).
        """
        if self.errors > self.max_errors:
            self._drop_waiting(TERMINATED, now)
        sent = []
        while self._waiting and now < self.deliver_by and self._has_room():
            invocation = self._waiting.popleft()
            if invocation.is_open:
                self._in_flight.add(invocation.instance_id)
                self._sent += 1
                sent.append(invocation)
        return sent

    def _has_room(self) -> bool:
        return len(self._in_flight) < self.max_concurrency and self._sent < 1 + 2 * self._tried

    def delay(self, invocation: Invocation) -> None:
        """The node was not there; it will be tried again."""
        if invocation.state == PENDING:
            self._move(invocation, DELAYED)

    def start(self, invocation: Invocation, now: float) -> bool:
        """The node's agent has the command; False when it must not run it, because it is over or too late."""
        if invocation.state not in NOT_STARTED or now >= self.deliver_by:
            return False
        invocation.started_at = now
        self._move(invocation, IN_PROGRESS)
        return True

    def finish(self, invocation: Invocation, now: float, result: Result) -> None:
        """The node's agent has answered. An answer to what is over is not heard."""
        if invocation.is_open:
            invocation.result = result
            self._end(invocation, result.state, now)

    def give_up(self, invocation: Invocation, now: float) -> None:
        """The node does not exist any more, or does not respond."""
        if invocation.state in NOT_STARTED:
            self._end(invocation, UNDELIVERABLE, now)

    def expire(self, now: float) -> None:
        """The command is too old: what is still open, running or not, was not delivered as far as AWS can tell."""
        for invocation in self.invocations.values():
            if invocation.is_open:
                self._end(invocation, DELIVERY_TIMED_OUT, now)

    def cancel(self, now: float, instance_ids: Collection[str] = ()) -> list[Invocation]:
        """Cancel it on some nodes, or on all; return the invocations that run and must be killed."""
        self._is_cancelled = True
        running = []
        for instance_id in instance_ids or self.invocations:
            invocation = self.invocations[instance_id]
            if invocation.state in NOT_STARTED:
                self._end(invocation, CANCELLED, now)
            elif invocation.state == IN_PROGRESS:
                self._move(invocation, CANCELLING)
                running.append(invocation)
        return running

    def settle(self) -> None:
        """Nothing was found to run on."""
        self.is_settled = True

    @property
    def state(self) -> State:
        """What the invocations make of the command."""
        if not self.invocations:
            return NO_INSTANCES_IN_TAG if self.is_settled else PENDING
        if self.count(OPEN):
            return self._open_state()
        return self._limit_passed() or self._mixed_state()

    def _open_state(self) -> State:
        if self._is_cancelled and self._tally[CANCELLING]:
            return CANCELLING
        if self._tally[PENDING] == len(self.invocations):
            return PENDING
        return IN_PROGRESS

    def _limit_passed(self) -> State | None:
        if self.errors > self.max_errors:
            return EXECUTION_TIMED_OUT if not self._tally[FAILED] else FAILED
        if self._tally[DELIVERY_TIMED_OUT] > self.max_errors:
            return DELIVERY_TIMED_OUT
        return None

    def _mixed_state(self) -> State:
        """Return what invocations that are all over mean within the limits.

        Undeliverable ones beside a successful one leave the command a success; alone they fail it (user guide).
        """
        total = len(self.invocations)
        if self._tally[CANCELLED]:
            return CANCELLED
        if self._tally[UNDELIVERABLE] == total:
            return FAILED
        return SUCCESS if self._tally[SUCCESS] + self._tally[UNDELIVERABLE] == total else INCOMPLETE

    def _drop_waiting(self, state: State, now: float) -> None:
        while self._waiting:
            invocation = self._waiting.popleft()
            if invocation.is_open:
                self._end(invocation, state, now)

    def _end(self, invocation: Invocation, state: State, now: float) -> None:
        invocation.ended_at = now
        self._move(invocation, state)
        self._in_flight.discard(invocation.instance_id)

    def _move(self, invocation: Invocation, state: State) -> None:
        if invocation.state == PENDING and invocation.instance_id in self._in_flight:
            self._tried += 1
        self._tally[invocation.state] -= 1
        self._tally[state] += 1
        invocation.state = state
