"""Asks servers by Systems Manager's Run Command: one command for all that are asked the same, and no open port.

A command brings back little: what a server is expected to answer, since another one did, goes there as digests and does not
come back (goldfleet.transport.packing). Outputs are read from pages of fifty servers, and one by one only where they are cut.
"""

import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Protocol

from goldfleet.aws.ec2 import Ec2
from goldfleet.aws.errors import ThingIsGoneError
from goldfleet.aws.model import Instance
from goldfleet.aws.run_command import (
    GOT_CHARACTERS,
    MOST_BYTES,
    MOST_INSTANCE_IDS,
    OVER,
    SHORTEST_DELIVERY_SECONDS,
    UNFINISHED,
    Invocation,
    RunCommand,
)
from goldfleet.aws.session import open_session
from goldfleet.clock import Clock, SystemClock, pauses
from goldfleet.errors import AwsError
from goldfleet.transport.model import Answer, Cost, Limits, Replies, SsmHost
from goldfleet.transport.packing import CutOffError, Packed, packed_command, read_packed
from goldfleet.transport.protocol import GarbageError

LARGEST_SCRIPT = MOST_BYTES - 4096
"""What is left of a document for its own words."""

CALLS_A_SECOND = 5.0
"""How fast pages are read, so that nobody else in the account is throttled: AWS tells no limit of these calls."""

LOOK_SECONDS = 15.0
"""How often it is looked whether instances that have not answered are still there."""

RUNNING = "running"
GONE = "it has not answered, and does not run any more"
TOO_LATE = "its commands were not over within {:.0f} s"
NOT_MANAGED = (
    "it is no managed node of Systems Manager: the SSM agent does not run, does not reach AWS, or the instance's role lacks "
    "what the policy AmazonSSMManagedInstanceCore allows"
)
_EXPLAINED = {
    "DeliveryTimedOut": "the SSM agent did not fetch the command in time, or did not tell what came of it",
    "Undeliverable": "the command could not be delivered: the instance does not answer Systems Manager, or is gone",
    "ExecutionTimedOut": "the commands took too long and were killed",
    "Terminated": "Systems Manager ended the command before it was sent to this instance",
    "Cancelled": "the command was cancelled",
}
"""The states of an invocation that was not run to its end. Source: user guide, "Understanding command statuses"."""


CUT = Answer(128 + signal.SIGKILL, b"", b"", killed="cut")


class Commands(Protocol):
    """Run Command; goldfleet.aws.run_command.RunCommand is it."""

    def send(self, script: str, seconds: int, *, instance_ids: Sequence[str] = (), group: str = "") -> str: ...
    def online(self, instance_ids: Sequence[str]) -> set[str]: ...
    def status(self, command_id: str) -> str: ...
    def page(self, command_id: str, token: str = "") -> tuple[list[Invocation], str]: ...
    def unfinished(self, command_id: str) -> set[str]: ...
    def output(self, command_id: str, instance_id: str) -> str: ...
    def cancel(self, command_id: str) -> None: ...


class Instances(Protocol):
    """EC2; goldfleet.aws.ec2.Ec2 is it."""

    def instances(self, filters: Mapping[str, Sequence[str]]) -> tuple[Instance, ...]: ...


@dataclass
class _Batch:
    """The same questions for some servers, by name."""

    questions: tuple[str, ...]
    names: tuple[str, ...]
    group: str
    command_id: str = ""
    replies: dict[str, Packed] = field(default_factory=dict)
    trouble: dict[str, str] = field(default_factory=dict)


class SsmTransport:
    """Managed nodes of one account and region, by name."""

    asks_one_first = True

    def __init__(
        self, hosts: Mapping[str, SsmHost], limits: Limits, commands: Commands, instances: Instances, clock: Clock
    ) -> None:
        self._hosts = hosts
        self._instances = instances
        self._limits = limits
        self._commands = commands
        self._clock = clock
        self._expected: dict[str, Answer] = {}
        self._running: set[str] = set()
        self._left_alone: set[str] = set()
        self._cost = Cost()
        self._last_call = -1.0

    @property
    def cost(self) -> Cost:
        """What all that was asked so far has taken; connections and sessions are the SSM agents' own."""
        return self._cost

    def ask(self, questions: Mapping[str, Sequence[str]]) -> dict[str, Replies]:
        """Ask each server its questions, all servers at once, and return what each said.

        What one server has answered is what all others are expected to.
        """
        found: dict[str, dict[str, Answer]] = {name: {} for name in questions}
        trouble: dict[str, str] = {}
        pending = [(name, tuple(some)) for name, some in questions.items() if some]
        while pending:
            again: list[tuple[str, tuple[str, ...]]] = []
            for batch in self._ask_batches(pending):
                trouble |= batch.trouble
                for name, packed in batch.replies.items():
                    answers = self._unpack(batch.questions, packed)
                    parts = _parts_of_what_is_cut(batch.questions, answers)
                    again += [(name, part) for part in parts]
                    left = {question for part in parts for question in part}
                    found[name] |= {one: answer for one, answer in answers.items() if one not in left}
            pending = again
        return {name: Replies(found[name], trouble.get(name, "")) for name in questions}

    def close(self) -> None:
        """Cancel what still runs, unless AWS does not have it: it ends by itself when its time is over."""
        for command_id in sorted(self._running):
            with suppress(AwsError):
                self._commands.cancel(command_id)
        self._running.clear()

    def _unpack(self, questions: Sequence[str], packed: Packed) -> dict[str, Answer]:
        self._cost += Cost(server_seconds=packed.seconds + sum(one.seconds for one in packed.answers.values()))
        answers = {questions[number]: answer for number, answer in packed.answers.items()}
        answers |= {questions[number]: self._expected[questions[number]] for number in packed.same}
        for question, answer in answers.items():
            if not answer.killed:
                self._expected.setdefault(question, answer)
        return answers

    def _ask_batches(self, pending: Sequence[tuple[str, tuple[str, ...]]]) -> list[_Batch]:
        """Send what is to be asked, wait until all is over, and read what came of it."""
        alike: dict[tuple[str, ...], list[str]] = {}
        for name, questions in pending:
            alike.setdefault(questions, []).append(name)
        batches = [
            batch
            for questions, names in alike.items()
            for some in self._portions(questions)
            for batch in self._batches(some, names)
        ]
        try:
            for batch in batches:
                self._send(batch)
            self._wait(batches)
            for batch in batches:
                if batch.command_id:
                    self._read(batch)
        except AwsError as error:
            for batch in batches:
                left = [one for one in batch.names if one not in batch.replies and one not in batch.trouble]
                batch.trouble |= dict.fromkeys(left, f"AWS does not run its commands: {error.message}")
        return batches

    def _portions(self, questions: tuple[str, ...]) -> list[tuple[str, ...]]:
        """Return questions in as many parts as fit into a document each."""
        if len(questions) < 2 or len(self._script(questions)) <= LARGEST_SCRIPT:
            return [questions]
        middle = len(questions) // 2
        return [*self._portions(questions[:middle]), *self._portions(questions[middle:])]

    def _script(self, questions: Sequence[str]) -> str:
        return packed_command(questions, self._limits.question_seconds, self._expected, GOT_CHARACTERS)

    def _batches(self, questions: tuple[str, ...], names: Sequence[str]) -> list[_Batch]:
        """Return what is asked of servers as commands: one for as many as can be named, or one for all of a group.

        A group is for more servers than can be named in one command, and most of those that there are; the others of that
        group run it, too, and what they say is not read.
        """
        groups = {self._hosts[name].group for name in names}
        are_most = len(names) > max(MOST_INSTANCE_IDS, len(self._hosts) // 2)
        group = groups.pop() if len(groups) == 1 and are_most else ""
        size = len(names) if group else MOST_INSTANCE_IDS
        starts = range(0, len(names), size)
        return [_Batch(questions, tuple(names[start : start + size]), group) for start in starts]

    def _send(self, batch: _Batch) -> None:
        """Have a batch's servers run its command; where one of them is no managed node, all others."""
        ids = {} if batch.group else {self._hosts[name].instance_id: name for name in batch.names}
        try:
            self._send_to(batch, list(ids))
        except ThingIsGoneError:
            self._call()
            online = self._commands.online(list(ids))
            batch.trouble |= {name: NOT_MANAGED for one, name in ids.items() if one not in online}
            if online:
                self._send_to(batch, [one for one in ids if one in online])

    def _send_to(self, batch: _Batch, instance_ids: Sequence[str]) -> None:
        script, seconds = self._script(batch.questions), int(self._limits.answers_seconds)
        self._cost += Cost(api_calls=1)
        batch.command_id = self._commands.send(script, seconds, instance_ids=instance_ids, group=batch.group)
        self._running.add(batch.command_id)
        self._cost += Cost(bytes_sent=len(script) * len(batch.names))

    def _wait(self, batches: Sequence[_Batch]) -> None:
        """Wait until commands are over, or should be, or run only where nobody is any more."""
        clock = self._clock
        deadline = clock.monotonic() + SHORTEST_DELIVERY_SECONDS + self._limits.answers_seconds
        next_look = clock.monotonic() + LOOK_SECONDS
        waiting = [batch.command_id for batch in batches if batch.command_id]
        for pause in pauses():
            if waiting:
                clock.sleep(pause)
            waiting = [one for one in waiting if self._look(one) not in OVER]
            if clock.monotonic() > next_look:
                self._left_alone |= {one for one in waiting if self._is_left_alone(one)}
                waiting = [one for one in waiting if one not in self._left_alone]
                next_look = clock.monotonic() + LOOK_SECONDS
            if not waiting or clock.monotonic() > deadline:
                return

    def _is_left_alone(self, command_id: str) -> bool:
        """Tell whether a command runs only on instances that do not: what comes of it there, AWS tells much later."""
        for _ in UNFINISHED:
            self._call()
        ids = sorted(self._commands.unfinished(command_id))
        if not ids:
            return False
        self._cost += Cost(api_calls=1)
        found = self._instances.instances({"instance-id": ids})
        return not any(one.state == RUNNING for one in found)

    def _look(self, command_id: str) -> str:
        self._call()
        status = self._commands.status(command_id)
        if status in OVER:
            self._running.discard(command_id)
        return status

    def _read(self, batch: _Batch) -> None:
        names = {self._hosts[name].instance_id: name for name in batch.names}
        token, is_first = "", True
        while token or is_first:
            self._call()
            page, token = self._commands.page(batch.command_id, token)
            is_first = False
            for invocation in page:
                if name := names.pop(invocation.instance_id, ""):  # others are of the same group, and not asked
                    self._take(batch, name, invocation)
        batch.trouble |= {name: NOT_MANAGED for name in names.values() if name not in batch.trouble}

    def _take(self, batch: _Batch, name: str, invocation: Invocation) -> None:
        if invocation.status != "Success":
            is_left_alone = batch.command_id in self._left_alone
            batch.trouble[name] = self._explain(invocation, is_left_alone=is_left_alone)
            return
        try:
            batch.replies[name] = self._packed(batch, invocation.output)
        except CutOffError:
            self._call()
            whole = self._commands.output(batch.command_id, invocation.instance_id)
            try:
                batch.replies[name] = self._packed(batch, whole)
            except CutOffError:  # by a server without Python, which cannot tell what is too much
                batch.replies[name] = Packed(answers=dict.fromkeys(range(len(batch.questions)), CUT))
            except GarbageError as error:
                batch.trouble[name] = str(error)
        except GarbageError as error:
            batch.trouble[name] = str(error)

    def _packed(self, batch: _Batch, output: str) -> Packed:
        self._cost += Cost(bytes_received=len(output))
        return read_packed(output, len(batch.questions))

    def _explain(self, invocation: Invocation, *, is_left_alone: bool) -> str:
        if invocation.status in UNFINISHED:
            return GONE if is_left_alone else TOO_LATE.format(SHORTEST_DELIVERY_SECONDS + self._limits.answers_seconds)
        said = (invocation.output.strip().splitlines() or [""])[-1]
        why = _EXPLAINED.get(invocation.status, f"Run Command ended with {invocation.status}")
        return f"{why}: {said}" if said else why

    def _call(self) -> None:
        """Count a call, and wait until it may be made."""
        self._cost += Cost(api_calls=1)
        left = self._last_call + 1 / CALLS_A_SECOND - self._clock.monotonic()
        if left > 0:
            self._clock.sleep(left)
        self._last_call = self._clock.monotonic()


def _parts_of_what_is_cut(questions: Sequence[str], answers: Mapping[str, Answer]) -> list[tuple[str, ...]]:
    """Return the questions that are asked again, since together their answers were too much, in parts.

    A single one whose answer alone is too much is not.
    """
    left = tuple(one for one in questions if one in answers and answers[one].killed == "cut")
    if len(left) < len(questions):
        return [left] if left else []
    middle = len(left) // 2
    return [left[:middle], left[middle:]] if middle else []


def open_ssm(hosts: Mapping[str, SsmHost], limits: Limits) -> SsmTransport:
    """Return the way to managed nodes, all of one account and region.

    Raises GoldfleetError when AWS's settings are wrong.
    """
    first = next(iter(hosts.values()))
    session = open_session(first.profile or None, first.region or None)
    return SsmTransport(hosts, limits, RunCommand(session.ssm()), Ec2(session.ec2()), SystemClock())
