"""What Auto Scaling answers when it refuses a call, and how a launch fails.

Codes and messages are AWS's own, so that the local cloud can put them on the wire and a client cannot tell the difference.
Source: EC2 Auto Scaling API reference, Common Errors and the errors of each action.
"""

from goldfleet.errors import AwsError, GoldfleetError


class CallRefusedError(AwsError):
    """A call that Auto Scaling refuses; `code` is the error code on the wire (HTTP status 400)."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message, code=code)


class LaunchFailedError(GoldfleetError):
    """EC2 would not launch an instance. Raised by the Machines and Launches ports; becomes a Failed scaling activity."""


def validation_error(message: str) -> CallRefusedError:
    """Return the refusal of a request that cannot be right."""
    return CallRefusedError("ValidationError", message)


def group_not_found(name: str) -> CallRefusedError:
    """Return the refusal of a call about a group that does not exist."""
    return validation_error(f"AutoScalingGroup name not found - AutoScalingGroup '{name}' not found")


def already_exists(name: str) -> CallRefusedError:
    """Return the refusal of a second group of the same name."""
    return CallRefusedError(
        "AlreadyExists", f"AutoScalingGroup by this name already exists - A group with the name {name} already exists"
    )


def in_use() -> CallRefusedError:
    """Return the refusal to delete a group that still has instances."""
    return CallRefusedError(
        "ResourceInUse",
        "You cannot delete an AutoScalingGroup while there are instances or pending Spot instance request(s) still in "
        "the group.",
    )


def activities_in_progress() -> CallRefusedError:
    """Return the refusal to delete a group whose last instances are still being terminated."""
    return CallRefusedError(
        "ScalingActivityInProgress",
        "You cannot delete an AutoScalingGroup while there are scaling activities in progress for that group.",
    )


def cooldown_blocks(activity_id: str) -> CallRefusedError:
    """Return the refusal of a call that honours the cooldown while one runs."""
    message = f"Scaling activity {activity_id} is in progress and blocks this action"
    return CallRefusedError("ScalingActivityInProgress", message)


def limit_exceeded(message: str) -> CallRefusedError:
    """Return the refusal of one more than the quota allows."""
    return CallRefusedError("LimitExceeded", message)
