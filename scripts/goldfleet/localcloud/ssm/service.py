"""Run Command: the API's calls, and the course that each command takes.

`call` answers an action as AWS does. Beside it, the schedule sends each command to its nodes: an agent polls, picks the command
up and runs it, outside every lock. Asking `Nodes.reach` may wait for the API's lock, so it is never done under this one's.
"""

import threading
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from goldfleet.localcloud.ssm import answers, constraints, history, limits, nodes, requests
from goldfleet.localcloud.ssm.model import NOT_STARTED, PENDING, Command, Invocation
from goldfleet.localcloud.ssm.ports import Agent, Nodes, OutputStore, Reach, Script
from goldfleet.localcloud.ssm.refusals import CallRefusedError, validation_error
from goldfleet.localcloud.ssm.schedule import Schedule
from goldfleet.localcloud.ssm.throttle import Throttle

Answer = dict[str, Any]


@dataclass(frozen=True)
class Ports:
    """The world that commands run in."""

    nodes: Nodes
    agent: Agent
    store: OutputStore


@dataclass(frozen=True)
class Settings:
    """The emulation's own times, in seconds; AWS publishes none of them.

    pick_up: from a command's sending to its agent's start; retry: between tries of a stopped node; visible_after: how long a
    new command's invocations are not found yet, as callers of AWS have met it (aws/aws-sdk issues 90 and 190).
    """

    pick_up: float = 0.1
    retry: float = 1.0
    visible_after: float = 0.3


@dataclass
class RunCommand:
    """Run Command of one account and region."""

    ports: Ports
    schedule: Schedule
    now: Callable[[], float]
    settings: Settings = field(default_factory=Settings)
    throttle: Throttle = field(default_factory=Throttle)

    def __post_init__(self) -> None:
        self._lock = threading.RLock()
        self._commands: dict[str, Command] = {}
        self._kill: dict[tuple[str, str], threading.Event] = {}
        self.actions: Mapping[str, Callable[[dict[str, Any]], Answer]] = {
            "SendCommand": self._send_command,
            "CancelCommand": self._cancel_command,
            "ListCommands": self._list_commands,
            "ListCommandInvocations": self._list_command_invocations,
            "GetCommandInvocation": self._get_command_invocation,
            "DescribeInstanceInformation": self._describe_instance_information,
        }

    def call(self, action: str, parameters: dict[str, Any]) -> Answer:
        """Answer one call; CallRefusedError is AWS's refusal of it."""
        with self._lock:
            if not self.throttle.admits(action, self.now()):
                raise CallRefusedError("ThrottlingException", "Rate exceeded")
        if action not in self.actions:
            raise CallRefusedError("UnknownOperationException", f"Run Command has no {action}.")
        constraints.check(action, parameters)
        return self.actions[action](parameters)

    # -- calls ------------------------------------------------------------------------------------------------------

    def _send_command(self, parameters: dict[str, Any]) -> Answer:
        spec = requests.command_spec(parameters)
        chosen = nodes.chosen(spec, self.ports.nodes.all())
        command = Command(
            command_id=str(uuid.uuid4()),
            spec=spec,
            requested_at=self.now(),
            invocations={node.instance_id: Invocation(node.instance_id, node.name) for node in chosen},
            max_concurrency=limits.concurrency(spec.max_concurrency, len(chosen)),
            max_errors=limits.errors(spec.max_errors, len(chosen)),
        )
        with self._lock:
            self._commands[command.command_id] = command
            answer = answers.describe_sent(command)
        if chosen:
            self.schedule.at(command.requested_at, partial(self._advance, command))
            self.schedule.at(command.expires_at, partial(self._expire, command))
        else:
            self.schedule.at(command.requested_at + self.settings.visible_after, partial(self._settle, command))
        return {"Command": answer}

    def _cancel_command(self, parameters: dict[str, Any]) -> Answer:
        with self._lock:
            command = self._commands.get(parameters["CommandId"])
            if command is None:
                raise CallRefusedError("InvalidCommandId", "The specified command ID isn't valid.")
            instance_ids = parameters.get("InstanceIds") or ()
            if set(instance_ids) - set(command.invocations):
                raise CallRefusedError("InvalidInstanceId", "The command was not sent to such an instance.")
            for invocation in command.cancel(self.now(), instance_ids):
                if cancelled := self._kill.get(
                    (command.command_id, invocation.instance_id)
                ):  # else its instance is gone
                    cancelled.set()
        return {}

    def _list_commands(self, parameters: dict[str, Any]) -> Answer:
        with self._lock:
            found = [one for one in reversed(self._commands.values()) if history.is_meant(one, parameters)]
            return _page("Commands", found, parameters, answers.describe_command)

    def _list_command_invocations(self, parameters: dict[str, Any]) -> Answer:
        wants_details = bool(parameters.get("Details"))
        with self._lock:
            found = [
                (command, invocation)
                for command in self._asked_for(parameters)
                if self._is_visible(command)
                for invocation in history.invocations_meant(command, parameters)
            ]
            return _page(
                "CommandInvocations", found, parameters,
                lambda pair: answers.describe_invocation(*pair, details=wants_details),
            )  # fmt: skip

    def _asked_for(self, parameters: dict[str, Any]) -> list[Command]:
        """Return the commands that may be meant, newest first; only the one that is named."""
        if "CommandId" in parameters:
            return [one for one in (self._commands.get(parameters["CommandId"]),) if one]
        return list(reversed(self._commands.values()))

    def _get_command_invocation(self, parameters: dict[str, Any]) -> Answer:
        if parameters.get("PluginName") not in (None, answers.PLUGIN):
            raise CallRefusedError("InvalidPluginName", "The plugin name isn't valid.")
        with self._lock:
            command = self._commands.get(parameters["CommandId"])
            invocation = command.invocations.get(parameters["InstanceId"]) if command else None
            if command is None or invocation is None or not self._is_visible(command):
                raise CallRefusedError("InvocationDoesNotExist")
            return answers.get_invocation(command, invocation)

    def _describe_instance_information(self, parameters: dict[str, Any]) -> Answer:
        if not 5 <= int(parameters.get("MaxResults") or 10) <= 50:
            raise validation_error("MaxResults must be between 5 and 50.")
        found = nodes.described(parameters, self.ports.nodes.all())
        now = self.now()
        return _page(
            "InstanceInformationList", found, parameters,
            lambda node: answers.describe_node(node, nodes.PING_STATUS[node.reach], now), default=10,
        )  # fmt: skip

    def _is_visible(self, command: Command) -> bool:
        """Say whether a command's invocations are found: after a moment, and once ListCommands tells of one."""
        return self.now() >= command.requested_at + self.settings.visible_after or command.state != PENDING

    # -- the course of a command ------------------------------------------------------------------------------------

    def _settle(self, command: Command) -> None:
        with self._lock:
            command.settle()

    def _expire(self, command: Command) -> None:
        with self._lock:
            command.expire(self.now())

    def _advance(self, command: Command) -> None:
        """Send the command to whom it may go now; each agent looks for it a moment later."""
        with self._lock:
            sent = command.send(self.now())
        for invocation in sent:
            self._try(command, invocation, self.settings.pick_up)

    def _try(self, command: Command, invocation: Invocation, wait: float) -> None:
        act = partial(self._deliver, command, invocation)
        self.schedule.at(self.now() + wait, partial(self.schedule.spawn, act))

    def _deliver(self, command: Command, invocation: Invocation) -> None:
        """Let a node's agent have the command, if it can be reached, and see it to its end."""
        reach = self.ports.nodes.reach(invocation.instance_id)
        script = _script(command)
        with self._lock:
            if reach is Reach.STOPPED:
                command.delay(invocation)
            elif reach is not Reach.ONLINE:
                command.give_up(invocation, self.now())
            begins = reach is Reach.ONLINE and command.start(invocation, self.now())
            if begins:
                self._kill[command.command_id, invocation.instance_id] = script.cancelled
            waits = invocation.state in NOT_STARTED
        self._advance(command)
        if begins:
            self._run(command, invocation, script)
        elif waits:
            self._try(command, invocation, self.settings.retry)

    def _run(self, command: Command, invocation: Invocation, script: Script) -> None:
        keep_output = bool(command.spec.output_bucket)
        ran = self.ports.agent.run(invocation.instance_id, script, keep_output=keep_output)
        if self.ports.nodes.reach(invocation.instance_id) is not Reach.ONLINE:
            ran = None  # the agent went with the machine before it could answer
        if ran is not None:
            for stream, content in ran.output.items():
                if content:
                    key = answers.output_key(command, invocation.instance_id, stream)
                    self.ports.store.put(command.spec.output_bucket, key, content)
        with self._lock:
            self._kill.pop((command.command_id, invocation.instance_id), None)
            if ran is not None:
                command.finish(invocation, self.now(), ran.result)
        self._advance(command)


def _script(command: Command) -> Script:
    """Return what the agent runs: the commands as lines of one file (amazon-ssm-agent, CreateScriptFile)."""
    spec = command.spec
    return Script(
        command_id=command.command_id,
        text="\n".join(spec.commands) + "\n",
        working_directory=spec.working_directory,
        timeout_seconds=limits.agent_timeout(spec.execution_timeout_seconds),
    )


def _page(
    name: str, found: list[Any], parameters: dict[str, Any], describe: Callable[[Any], Answer], default: int = 50
) -> Answer:
    """Return one page of a list; only what is on it is described."""
    start, count = requests.page(parameters, default)
    answer: Answer = {name: [describe(one) for one in found[start : start + count]]}
    return answer | ({"NextToken": str(start + count)} if start + count < len(found) else {})
