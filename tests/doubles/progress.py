"""A progress port that remembers."""

from goldfleet.bake.model import Stage, StageTime


class RecordingProgress:
    """Keeps stages, notes and lines."""

    def __init__(self) -> None:
        self.times: list[StageTime] = []
        self.notes: list[str] = []
        self.lines: list[str] = []

    def stage_started(self, stage: Stage) -> None:
        self.notes.append(f"started {stage.value}")

    def stage_ended(self, stage: Stage, seconds: float, outcome: str) -> None:
        self.times.append(StageTime(stage, seconds, outcome))

    def note(self, text: str) -> None:
        self.notes.append(text)

    def line(self, text: str) -> None:
        self.lines.append(text)
