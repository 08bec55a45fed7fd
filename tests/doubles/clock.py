"""A clock that moves only when somebody waits."""

from datetime import UTC, datetime, timedelta

START = datetime(2026, 11, 23, 14, 15, 30, tzinfo=UTC)


class VirtualClock:
    """Time stands still until `sleep` or `pass_time` moves it."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds

    def pass_time(self, **duration: float) -> None:
        self.seconds += timedelta(**duration).total_seconds()
