"""How things are printed: facts on stdout (JSON when asked for), progress and errors on stderr.

Colours and live progress only on a terminal; plain lines otherwise.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.status import Status

    from goldfleet.bake.model import Stage, StageTime
    from goldfleet.errors import GoldfleetError

PLAIN_WIDTH = 200
LONGEST_LINE = 100

KeyOption = Annotated[
    str | None,
    typer.Option(help="Private key for the servers; the default is the group's in goldfleet.toml, else ssh's own."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print facts as JSON on stdout; progress stays on stderr.")]
ProfileOption = Annotated[str | None, typer.Option(help="AWS profile; the default is AWS_PROFILE's.")]
RegionOption = Annotated[str | None, typer.Option(help="AWS region; the default is AWS_REGION's or the profile's.")]
ProjectOption = Annotated[str, typer.Option(help="Folder with goldfleet.toml.")]


class UnfinishedError(Exception):
    """An error that follows facts: with --json both must be one document, which only cli.app can print."""

    def __init__(self, error: "GoldfleetError", facts: Mapping[str, Any]) -> None:
        super().__init__(str(error))
        self.error = error
        self.facts = facts


def print_json(document: object) -> None:
    """Print a document on stdout."""
    print(json.dumps(document, indent=2))


def print_table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table on stdout; a column whose heading ends in ` s` holds seconds and is aligned right."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in headings:
        table.add_column(heading, justify="right" if heading.endswith(" s") else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    _console(stderr=False).print(table, highlight=False, markup=False)


class Recorder:
    """Keeps the times of stages. The base of both ways to show progress."""

    def __init__(self) -> None:
        self.times: list[StageTime] = []

    def stage_started(self, stage: "Stage") -> None:
        """Show that a stage has begun."""

    def stage_ended(self, stage: "Stage", seconds: float, outcome: str) -> None:
        """Keep how long a stage took."""
        from goldfleet.bake.model import StageTime

        self.times.append(StageTime(stage, seconds, outcome))

    def note(self, text: str) -> None:
        """Show something that people should know."""

    def line(self, text: str) -> None:
        """Show a line of a tool's output."""

    def close(self) -> None:
        """End the display."""


class PlainProgress(Recorder):
    """Prints a line for everything, on stderr; for logs."""

    def stage_started(self, stage: "Stage") -> None:
        """Print that a stage has begun."""
        self._print(f"==> {stage.value}")

    def stage_ended(self, stage: "Stage", seconds: float, outcome: str) -> None:
        """Print how long a stage took."""
        super().stage_ended(stage, seconds, outcome)
        self._print(f"==> {stage.value}: {outcome} in {seconds:.1f} s")

    def note(self, text: str) -> None:
        """Print a note."""
        self._print(f"    {text}")

    def line(self, text: str) -> None:
        """Print a tool's line, set apart."""
        self._print(f"  | {text}")

    def _print(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


class LiveProgress(Recorder):
    """Shows the stage at work with the tool's last line, on a terminal."""

    def __init__(self, console: "Console") -> None:
        super().__init__()
        self._console = console
        self._status: Status | None = None
        self._stage = ""

    def stage_started(self, stage: "Stage") -> None:
        """Show the stage at work."""
        self._stage = stage.value
        self._status = self._console.status(self._stage)
        self._status.start()

    def stage_ended(self, stage: "Stage", seconds: float, outcome: str) -> None:
        """Leave one line for the stage."""
        super().stage_ended(stage, seconds, outcome)
        self.close()
        colour = "green" if outcome == "done" else "red"
        self._console.print(f"[{colour}]{outcome:>6}[/] {stage.value} [dim]{seconds:.1f} s[/]", highlight=False)

    def note(self, text: str) -> None:
        """Leave a note above the stage at work."""
        self._console.print(f"       {text}", highlight=False, markup=False)

    def line(self, text: str) -> None:
        """Show a tool's line beside the stage at work."""
        from rich.markup import escape

        if self._status is not None:
            self._status.update(f"{self._stage} [dim]{escape(text.strip()[:LONGEST_LINE])}[/]")

    def close(self) -> None:
        """End the display."""
        if self._status is not None:
            self._status.stop()
            self._status = None


def make_progress() -> Recorder:
    """Return the way to show progress that suits stderr."""
    if not sys.stderr.isatty():
        return PlainProgress()
    return LiveProgress(_console(stderr=True))


def _console(stderr: bool) -> "Console":
    from rich.console import Console

    stream: Any = sys.stderr if stderr else sys.stdout
    return Console(file=stream, width=None if stream.isatty() else PLAIN_WIDTH)
