"""What Systems Manager answers when it refuses a call: AWS's own codes. Source: SSM API reference, errors of each action."""

from collections.abc import Iterable

from goldfleet.errors import AwsError
from goldfleet.localcloud.state import ACCOUNT_ID


class CallRefusedError(AwsError):
    """A call that Systems Manager refuses; `code` is the error code on the wire (HTTP status 400)."""

    def __init__(self, code: str, message: str = "") -> None:
        super().__init__(message, code=code)


def validation_error(message: str) -> CallRefusedError:
    """Return the refusal of a request that cannot be right."""
    return CallRefusedError("ValidationException", message)


def not_valid_nodes(instance_ids: Iterable[str]) -> CallRefusedError:
    """Return the refusal of instances that are no managed nodes, in the words that AWS uses for all its reasons."""
    named = ", ".join(instance_ids)
    return CallRefusedError("InvalidInstanceId", f"Instances [[{named}]] not in a valid state for account {ACCOUNT_ID}")


def unsupported(what: str) -> CallRefusedError:
    """Return the refusal of what the local cloud cannot do as AWS does."""
    return CallRefusedError("UnsupportedOperation", f"The local cloud has no {what} for Run Command.")
