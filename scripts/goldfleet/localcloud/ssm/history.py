"""Which commands and invocations a listing means: pure. Source: SSM API reference, CommandFilter."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from goldfleet.localcloud.ssm.model import Command, Invocation, State
from goldfleet.localcloud.ssm.refusals import CallRefusedError, validation_error
from goldfleet.localcloud.ssm.requests import DOCUMENT

Parameters = Mapping[str, Any]


def is_meant(command: Command, parameters: Parameters) -> bool:
    """Say whether ListCommands lists a command."""
    filters = _filters(parameters)
    return (
        parameters.get("CommandId") in (None, command.command_id)
        and ("InstanceId" not in parameters or parameters["InstanceId"] in command.invocations)
        and _passes(command, filters)
        and _has_state(command.state, filters)
        and filters.get("ExecutionStage", _stage(command)) == _stage(command)
    )


def invocations_meant(command: Command, parameters: Parameters) -> Iterator[Invocation]:
    """Yield the invocations of a command that ListCommandInvocations lists."""
    filters = _filters(parameters)
    if "ExecutionStage" in filters:
        raise CallRefusedError("InvalidFilterKey", "ExecutionStage can be used with ListCommands only.")
    if not _passes(command, filters):
        return
    for invocation in command.invocations.values():
        if parameters.get("InstanceId") in (None, invocation.instance_id) and _has_state(invocation.state, filters):
            yield invocation


def _filters(parameters: Parameters) -> dict[str, str]:
    return {one["key"]: one["value"] for one in parameters.get("Filters") or ()}


def _passes(command: Command, filters: Mapping[str, str]) -> bool:
    return (
        filters.get("DocumentName", DOCUMENT) == DOCUMENT
        and ("InvokedAfter" not in filters or command.requested_at >= _seconds(filters["InvokedAfter"]))
        and ("InvokedBefore" not in filters or command.requested_at <= _seconds(filters["InvokedBefore"]))
    )


def _has_state(state: State, filters: Mapping[str, str]) -> bool:
    """Say whether a state is the wanted one: of Status or of StatusDetails (TimedOut means both kinds)."""
    return filters.get("Status", state.details) in (state.status, state.details)


def _stage(command: Command) -> str:
    return "Executing" if command.is_open else "Complete"


def _seconds(written: str) -> float:
    try:
        return datetime.fromisoformat(written).timestamp()
    except ValueError as error:
        raise validation_error(f"{written} is not a time such as 2024-07-07T00:00:00Z.") from error
