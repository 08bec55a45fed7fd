"""What can go wrong, one class for each thing the operator does next.

Each class carries the exit code of docs/runbooks. A message is a sentence or two: what, which object, seen, wanted;
`next_step` says what to do about it. Nothing here imports anything of goldfleet.
"""


class GoldfleetError(Exception):
    """Base of every error that goldfleet explains to its user; raised itself only for a bug (exit 1)."""

    exit_code = 1

    def __init__(self, message: str, next_step: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.next_step = next_step

    def __str__(self) -> str:
        """Return the message followed by the next step, on a line of its own after a message of several lines."""
        separator = "\n" if "\n" in self.message else " "
        return f"{self.message}{separator}{self.next_step}".strip()


class UsageError(GoldfleetError):
    """The command line or the configuration is wrong; nothing was started."""

    exit_code = 2


class RefusedError(GoldfleetError):
    """A precondition does not hold; nothing was changed. `reasons` holds all of them at once."""

    exit_code = 3

    def __init__(self, message: str, next_step: str = "", reasons: tuple[str, ...] = ()) -> None:
        super().__init__(message, next_step)
        self.reasons = reasons


class AwsError(GoldfleetError):
    """AWS (or a tool that works on AWS) refused or failed; nothing was left half done."""

    exit_code = 4

    def __init__(
        self, message: str, next_step: str = "", *, operation: str = "", code: str = "", request_id: str = ""
    ) -> None:
        super().__init__(message, next_step)
        self.operation = operation
        self.code = code
        self.request_id = request_id


class StoppedError(GoldfleetError):
    """Stopped part-way, safe to run again; the message says what is left and how to go on."""

    exit_code = 5


class VerificationError(GoldfleetError):
    """A check failed, or a host could not be checked."""

    exit_code = 6


class RolledBackError(GoldfleetError):
    """The fleet is back on the previous image."""

    exit_code = 7
