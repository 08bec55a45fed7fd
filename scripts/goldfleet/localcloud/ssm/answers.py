"""The model's values as Systems Manager describes them: pure. Source: SSM API reference, data types."""

from datetime import UTC, datetime
from typing import Any

from goldfleet.localcloud.ssm.model import NOT_RUN, Command, Invocation, State, Status
from goldfleet.localcloud.ssm.output import plugin_output
from goldfleet.localcloud.ssm.ports import Node
from goldfleet.localcloud.ssm.requests import DOCUMENT
from goldfleet.localcloud.state import REGION

PLUGIN = "aws:runShellScript"
# The emulated agent's own; a version that AWS has published, and the distribution of the base image.
AGENT_VERSION = "3.3.1611.0"
PLATFORM = {"PlatformType": "Linux", "PlatformName": "Debian GNU/Linux", "PlatformVersion": "12"}
NO_NOTIFICATIONS: dict[str, Any] = {"NotificationArn": "", "NotificationEvents": [], "NotificationType": ""}
NO_LOG = {"CloudWatchLogGroupName": "", "CloudWatchOutputEnabled": False}


def moment(seconds: float) -> datetime:
    """Return a time as answers hold it, to the millisecond."""
    return datetime.fromtimestamp(round(seconds, 3), UTC)


def describe_sent(command: Command) -> dict[str, Any]:
    """Return a Command as SendCommand answers: nothing is counted yet, and nodes that are meant by targets not even found."""
    counts = {"TargetCount": len(command.spec.instance_ids), "CompletedCount": 0, "ErrorCount": 0}
    return describe_command(command) | counts | {"Status": "Pending", "StatusDetails": "Pending"}


def describe_command(command: Command) -> dict[str, Any]:
    """Return a Command."""
    spec = command.spec
    return {
        "CommandId": command.command_id,
        "DocumentName": DOCUMENT,
        "DocumentVersion": spec.document_version,
        "Comment": spec.comment,
        "ExpiresAfter": moment(command.expires_at),
        "Parameters": dict(spec.parameters),
        "InstanceIds": list(spec.instance_ids),
        "Targets": [{"Key": one.key, "Values": list(one.values)} for one in spec.targets],
        "RequestedDateTime": moment(command.requested_at),
        **_state(command.state),
        "OutputS3BucketName": spec.output_bucket,
        "OutputS3KeyPrefix": spec.output_prefix,
        "MaxConcurrency": spec.max_concurrency,
        "MaxErrors": spec.max_errors,
        "TargetCount": len(command.invocations),
        "CompletedCount": command.completed,
        "ErrorCount": command.errors,
        "DeliveryTimedOutCount": command.delivery_timed_out,
        "ServiceRole": "",
        "NotificationConfig": NO_NOTIFICATIONS,
        "CloudWatchOutputConfig": NO_LOG,
        "TimeoutSeconds": spec.timeout_seconds,
    }


def describe_invocation(command: Command, invocation: Invocation, *, details: bool) -> dict[str, Any]:
    """Return a CommandInvocation, with its plugin and the beginning of its output if details are wanted."""
    return {
        "CommandId": command.command_id,
        "InstanceId": invocation.instance_id,
        "InstanceName": invocation.node_name,
        "Comment": command.spec.comment,
        "DocumentName": DOCUMENT,
        "DocumentVersion": command.spec.document_version,
        "RequestedDateTime": moment(command.requested_at),
        **_state(invocation.state),
        **_urls(command, invocation),
        "CommandPlugins": [_describe_plugin(command, invocation)] if details else [],
        "ServiceRole": "",
        "NotificationConfig": NO_NOTIFICATIONS,
        "CloudWatchOutputConfig": NO_LOG,
    }


def _describe_plugin(command: Command, invocation: Invocation) -> dict[str, Any]:
    result = invocation.result
    plugin: dict[str, Any] = {
        "Name": PLUGIN,
        **_state(_plugin_state(invocation.state)),
        "ResponseCode": result.code if result else NOT_RUN,
        "Output": plugin_output(result.stdout, result.stderr) if result else "",
        **_urls(command, invocation),
        "OutputS3Region": REGION,
        "OutputS3BucketName": command.spec.output_bucket,
        "OutputS3KeyPrefix": command.spec.output_prefix,
    }
    if invocation.started_at is not None:
        plugin["ResponseStartDateTime"] = moment(invocation.started_at)
    if invocation.ended_at is not None:
        plugin["ResponseFinishDateTime"] = moment(invocation.ended_at)
    return plugin


def _plugin_state(state: State) -> State:
    """Return an invocation's state as its plugin has it; CommandPluginStatus has neither Delayed nor Cancelling."""
    plugin = {Status.DELAYED: Status.PENDING, Status.CANCELLING: Status.IN_PROGRESS}
    return State(plugin[state.status], plugin[state.status]) if state.status in plugin else state


def get_invocation(command: Command, invocation: Invocation) -> dict[str, Any]:
    """Return GetCommandInvocation's answer. Outputs are empty until the command has finished; times are ISO 8601."""
    result, start, end = invocation.result, invocation.started_at, invocation.ended_at
    has_run = start is not None and end is not None
    return {
        "CommandId": command.command_id,
        "InstanceId": invocation.instance_id,
        "Comment": command.spec.comment,
        "DocumentName": DOCUMENT,
        "DocumentVersion": command.spec.document_version,
        "PluginName": PLUGIN,
        "ResponseCode": result.code if result else NOT_RUN,
        "ExecutionStartDateTime": _iso(start),
        "ExecutionElapsedTime": f"PT{end - start:.3f}S" if has_run and start is not None and end is not None else "",
        "ExecutionEndDateTime": _iso(end) if has_run else "",
        **_state(invocation.state),
        "StandardOutputContent": result.stdout if result else "",
        "StandardErrorContent": result.stderr if result else "",
        **_urls(command, invocation),
        "CloudWatchOutputConfig": NO_LOG,
    }


def _iso(seconds: float | None) -> str:
    return "" if seconds is None else moment(seconds).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def _state(state: State) -> dict[str, str]:
    return {"Status": str(state.status), "StatusDetails": state.details}


def output_key(command: Command, instance_id: str, stream: str) -> str:
    """Return where an output is kept in its bucket. Source: user guide, "Run Command", output in S3; CommandPlugin."""
    folder = (command.spec.output_prefix, command.command_id, instance_id, "awsrunShellScript", "0.awsrunShellScript")
    return "/".join(part for part in (*folder, stream) if part)


def _urls(command: Command, invocation: Invocation) -> dict[str, str]:
    names = {"StandardOutputUrl": "stdout", "StandardErrorUrl": "stderr"}
    if not command.spec.output_bucket:
        return dict.fromkeys(names, "")
    base = f"https://s3.{REGION}.amazonaws.com/{command.spec.output_bucket}"
    return {name: f"{base}/{output_key(command, invocation.instance_id, stream)}" for name, stream in names.items()}


def describe_node(node: Node, ping_status: str, now: float) -> dict[str, Any]:
    """Return an InstanceInformation."""
    return {
        "InstanceId": node.instance_id,
        "PingStatus": ping_status,
        "LastPingDateTime": moment(now),
        "AgentVersion": AGENT_VERSION,
        "IsLatestVersion": True,
        **PLATFORM,
        "RegistrationDate": moment(node.registered_at),
        "ResourceType": "EC2Instance",
        "IPAddress": node.address,
        "ComputerName": node.name,
        "SourceId": node.instance_id,
        "SourceType": "AWS::EC2::Instance",
    }
