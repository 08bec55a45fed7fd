"""Times the stages of a bake and tells the progress port."""

from collections.abc import Iterator
from contextlib import contextmanager

from goldfleet.bake.model import Stage
from goldfleet.bake.ports import Progress
from goldfleet.clock import Clock

DONE = "done"
FAILED = "failed"


class Stages:
    """Runs stages one after another."""

    def __init__(self, progress: Progress, clock: Clock) -> None:
        self._progress = progress
        self._clock = clock

    @contextmanager
    def run(self, stage: Stage) -> Iterator[None]:
        """Run the block as a stage. A stop that was asked for is obeyed here, except by the clean-up."""
        if stage is not Stage.CLEAN_UP:
            self._clock.sleep(0)
        self._progress.stage_started(stage)
        started = self._clock.monotonic()
        outcome = FAILED
        try:
            yield
            outcome = DONE
        finally:
            self._progress.stage_ended(stage, self._clock.monotonic() - started, outcome)
