"""Systems Manager's Run Command: one method an API call."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from goldfleet.aws.errors import ThingIsGoneError, explained

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_ssm.type_defs import (
        CommandFilterTypeDef,
        CommandInvocationTypeDef,
        InstanceInformationStringFilterTypeDef,
    )

MOST_INSTANCE_IDS = 50
"""Source: API reference, SendCommand, `InstanceIds`."""

MOST_BYTES = 64 * 1024
"""How large a document may be, what is given for its parameters included. Source: API reference, CreateDocument, `Content`."""

LISTED_CHARACTERS, GOT_CHARACTERS = 2_500, 24_000
"""How much of an output the two calls return. Source: API reference, CommandPlugin and GetCommandInvocation."""

SHORTEST_DELIVERY_SECONDS = 30
"""Source: API reference, SendCommand, `TimeoutSeconds`."""

MOST_A_PAGE = 50
UNFINISHED = ("Pending", "InProgress", "Delayed")
"""In these states of an invocation something may still come of it. Source: as OVER."""

OVER = frozenset({"Success", "Cancelled", "Failed", "TimedOut"})
"""In these states of a command nothing more comes of it. Source: user guide, "Understanding command statuses"."""


@dataclass(frozen=True)
class Invocation:
    """What came of a command on one managed node. `status` is AWS's StatusDetails, without spaces; `output` may be cut off."""

    instance_id: str
    status: str
    output: str


class RunCommand:
    """Commands for managed nodes of one account and region."""

    def __init__(self, client: "SSMClient") -> None:
        self._client = client

    def send(self, script: str, seconds: int, *, instance_ids: "Sequence[str]" = (), group: str = "") -> str:
        """Have nodes run a shell script as root, for so many seconds at most; return the command's id.

        They are named by id, at most MOST_INSTANCE_IDS, or are all of an Auto Scaling group. Whatever it comes to on one node,
        all others run it, too. A node that does not fetch it within SHORTEST_DELIVERY_SECONDS does not run it.

        Raises ThingIsGoneError when one of the ids is none of a managed node: then nobody runs it.
        """
        who = group or f"{len(instance_ids)} instances"
        tag = [{"Key": "tag:aws:autoscaling:groupName", "Values": [group]}]
        by_id = [{"Key": "InstanceIds", "Values": list(instance_ids)}]
        with explained("SendCommand", who):
            answer = self._client.send_command(
                DocumentName="AWS-RunShellScript",
                Comment="goldfleet verify",
                Parameters={"commands": [script], "executionTimeout": [str(seconds)]},
                Targets=tag if group else by_id,  # type: ignore[arg-type]  # the stubs want their own type
                TimeoutSeconds=SHORTEST_DELIVERY_SECONDS,
                MaxConcurrency="100%",
                MaxErrors="100%",
            )
        return answer["Command"]["CommandId"]

    def online(self, instance_ids: "Sequence[str]") -> set[str]:
        """Return those of at most MOST_INSTANCE_IDS nodes whose agent is online."""
        wanted: list[InstanceInformationStringFilterTypeDef] = [
            {"Key": "InstanceIds", "Values": list(instance_ids)},
            {"Key": "PingStatus", "Values": ["Online"]},
        ]
        with explained("DescribeInstanceInformation"):
            answer = self._client.describe_instance_information(Filters=wanted, MaxResults=MOST_A_PAGE)
        return {one["InstanceId"] for one in answer["InstanceInformationList"]}

    def status(self, command_id: str) -> str:
        """Return a command's status, "" where it is not known yet."""
        with explained("ListCommands", command_id):
            found = self._client.list_commands(CommandId=command_id)["Commands"]
        return str(found[0]["Status"]) if found else ""

    def page(self, command_id: str, token: str = "") -> "tuple[list[Invocation], str]":
        """Return what came of a command on MOST_A_PAGE nodes, and the token of the next page, "" when this is the last.

        Outputs are cut at LISTED_CHARACTERS.
        """
        more = {"NextToken": token} if token else {}
        with explained("ListCommandInvocations", command_id):
            answer = self._client.list_command_invocations(
                CommandId=command_id,
                Details=True,
                MaxResults=MOST_A_PAGE,
                **more,  # type: ignore[arg-type]  # mypy takes it for any argument
            )
        return [_invocation(one) for one in answer["CommandInvocations"]], answer.get("NextToken", "")

    def unfinished(self, command_id: str) -> set[str]:
        """Return the ids of nodes on which a command is not over, at most MOST_A_PAGE in each of the states UNFINISHED."""
        found: set[str] = set()
        for status in UNFINISHED:
            wanted: list[CommandFilterTypeDef] = [{"key": "Status", "value": status}]
            with explained("ListCommandInvocations", command_id):
                answer = self._client.list_command_invocations(
                    CommandId=command_id, Filters=wanted, MaxResults=MOST_A_PAGE
                )
            found |= {one.get("InstanceId", "") for one in answer["CommandInvocations"]}
        return found

    def output(self, command_id: str, instance_id: str) -> str:
        """Return what a command said on one node, cut at GOT_CHARACTERS."""
        try:
            with explained("GetCommandInvocation", instance_id):
                answer = self._client.get_command_invocation(CommandId=command_id, InstanceId=instance_id)
        except ThingIsGoneError:
            return ""
        return answer.get("StandardOutputContent", "")

    def cancel(self, command_id: str) -> None:
        """End a command where it still runs or has not begun."""
        with explained("CancelCommand", command_id):
            self._client.cancel_command(CommandId=command_id)


def _invocation(answer: "CommandInvocationTypeDef") -> Invocation:
    output = "".join(plugin.get("Output", "") for plugin in answer.get("CommandPlugins", []))
    status = str(answer.get("StatusDetails") or answer.get("Status", ""))
    return Invocation(answer.get("InstanceId", ""), status.replace(" ", ""), output)
