"""How long AWS may fail until a roll stops: a failing call says nothing about an instance, and is tried again."""

from goldfleet.clock import Clock, pauses
from goldfleet.errors import AwsError, GoldfleetError, StoppedError

LONGEST_TROUBLE_SECONDS = 300.0
HOPELESS = ("UnauthorizedOperation", "AccessDenied", "AccessDeniedException")


class Patience:
    """Waits after each failure in a row, longer each time, until the time is over."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._since: float | None = None
        self._pauses = pauses()

    def succeeded(self) -> None:
        """End the row of failures."""
        self._since = None
        self._pauses = pauses()

    def failed(self, error: GoldfleetError) -> None:
        """Wait a little, for what was half done to show too.

        Raises StoppedError when it is no use: missing rights or credentials, or trouble for too long.
        """
        now = self._clock.monotonic()
        self._since = now if self._since is None else self._since
        code = error.code if isinstance(error, AwsError) else ""
        if not isinstance(error, AwsError) or code in HOPELESS:
            raise StoppedError(str(error)) from error
        if now - self._since >= LONGEST_TROUBLE_SECONDS:
            raise StoppedError(f"For {LONGEST_TROUBLE_SECONDS:.0f} s: {error.message}") from error
        self._clock.sleep(1.0 + next(self._pauses))
