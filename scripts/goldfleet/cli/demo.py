"""`goldfleet demo`: the story of a golden image, told on the local cloud with the real commands.

Every step runs the command that a user would run, in a process of its own, with the environment of `goldfleet local env`;
nothing here knows more than they print with --json.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from goldfleet.cli.output import ProjectOption, print_json, print_table

if TYPE_CHECKING:
    from goldfleet.errors import GoldfleetError
    from goldfleet.localcloud.state import StateFolder
    from goldfleet.stop import StopFlag

CHANGED_VARIABLE = "web_stack_greeting"
CHANGED_VALUE = "Hello from image 2."
GRACE_SECONDS = 180.0  # a bake lets Packer clean up for two minutes, and then cleans up itself


@dataclass
class Story:
    """One telling: what runs it, what has been measured so far."""

    folder: "StateFolder"
    project: Path
    stop: "StopFlag"
    rows: list[tuple[str, float]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=lambda: dict(os.environ))

    @contextmanager
    def chapter(self, title: str) -> Iterator[None]:
        """Announce a step and keep its seconds."""
        self.stop.check()
        say(f"{title} ...")
        started = time.monotonic()
        yield
        self.rows.append((title, time.monotonic() - started))
        say(f"{title}: {self.rows[-1][1]:.1f} s")

    def goldfleet(self, *arguments: str, log_name: str) -> Any:
        """Run a goldfleet command with --json and return what it printed; its progress goes to the terminal and a log.

        Raises StoppedError when a stop was asked for, GoldfleetError with the command's own exit code when it fails.
        """
        command = [sys.executable, "-m", "goldfleet", *arguments, "--json"]
        log = self.folder.path / f"{log_name}.log"
        with log.open("w") as stream:
            process = subprocess.Popen(
                command,
                env=self.environment,
                cwd=self.project,
                stdout=subprocess.PIPE,
                stderr=stream,
                stdin=subprocess.DEVNULL,
                text=True,
                start_new_session=True,
            )
            printed = wait_for(process, log, self.stop)
        if process.returncode != 0:
            self.stop.check()
            raise step_failed(arguments, process.returncode, log)
        return json.loads(printed)


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the local cloud up and say what to try next.")] = False,
    project: ProjectOption = ".",
    as_json: Annotated[bool, typer.Option("--json", help="Print the final table as JSON.")] = False,
) -> None:
    """Bake, prove and publish a golden image on the local cloud, twice; ends with a table.

    Needs no AWS account. Ctrl-C at any moment removes everything that was started.
    """
    from goldfleet.errors import RefusedError
    from goldfleet.localcloud import cloud
    from goldfleet.localcloud.state import default_state_folder
    from goldfleet.stop import StopFlag, catch_signals

    folder, stop = default_state_folder(), StopFlag()
    if folder.load() is not None:
        raise RefusedError("A local cloud of this folder is up already.", "Run `goldfleet local down` first.")
    story = Story(folder, Path(project).resolve(), stop)
    done = False
    with catch_signals(stop):
        try:
            facts = tell(story)
            done = True
        finally:
            if not (keep and done):
                cloud.down(folder, lambda text: say(f"  {text}"))
    if as_json:
        print_json(facts)
    else:
        print_summary(facts)
    if keep:
        print(NEXT_STEPS.format(image=facts["images"][1]["image_id"]))


NEXT_STEPS = """
The local cloud is still up. Try:
  eval "$(goldfleet local env)"        point this shell at it
  goldfleet images list                what was baked
  goldfleet images show {image}
  goldfleet images rollback app        the first image is current again
  aws ec2 run-instances --image-id {image} --instance-type t3.small
  goldfleet local down                 remove everything"""


def tell(story: Story) -> dict[str, Any]:
    """Run the whole story and return its facts."""
    from goldfleet.localcloud import cloud

    with story.chapter("local cloud up"):
        state = cloud.up(story.folder, None, lambda text: say(f"  {text}"))
        story.environment = {key: value for key, value in os.environ.items() if key not in cloud.to_unset(os.environ)}
        story.environment |= cloud.environment(state, story.folder)
    with story.chapter("bake image 1"):
        first = story.goldfleet("bake", log_name="bake-1")
    tell_bake(story, "bake image 1", first)
    with story.chapter("bake again, nothing changed"):
        again = story.goldfleet("bake", "--if-changed", log_name="bake-unchanged")
    say(f"  {again['action']}: {again['reasons'][0]} ({again['aws_calls']} AWS calls)")
    with story.chapter(f"change {CHANGED_VARIABLE}, bake image 2"):
        changed = f"{CHANGED_VARIABLE}={CHANGED_VALUE}"
        second = story.goldfleet("bake", "--if-changed", "--var", changed, log_name="bake-2")
    tell_bake(story, "bake image 2", second)
    shown = [story.goldfleet("images", "show", bake["image_id"], log_name="show") for bake in (first, second)]
    differences = differing(*shown)
    for difference in differences:
        say(f"  differs: {difference}")
    return {
        "stages": [{"stage": title, "seconds": round(seconds, 1)} for title, seconds in story.rows],
        "ec2_calls": count_ec2_calls(story.folder.calls),
        "checks_passed": first["checks"]["passed"] + second["checks"]["passed"],
        "images": [{"image_id": bake["image_id"], "run": bake["run"]} for bake in (first, second)],
        "rebake_without_change": again["action"],
        "differences": differences,
    }


def step_failed(arguments: Sequence[str], code: int, log: Path) -> "GoldfleetError":
    """Return the error of a step: the command, its exit code and the end of its progress."""
    from goldfleet.errors import GoldfleetError

    tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    error = GoldfleetError(f"`goldfleet {' '.join(arguments)}` exited with {code}:\n{tail}", f"See {log}.")
    error.exit_code = code
    return error


def tell_bake(story: Story, title: str, bake: dict[str, Any]) -> None:
    """Say why a bake happened, and keep the seconds of its stages."""
    for reason in bake["reasons"]:
        say(f"  because: {reason}")
    say(f"  {bake['image_id']} {bake['action']}, {bake['checks']['passed']} checks passed on a booted copy")
    for stage in bake["stages"]:
        story.rows.append((f"  {title.removeprefix('bake ')}: {stage['stage']}", stage["seconds"]))


def differing(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    """Return the inputs in which two images differ, in words."""
    before, after = first["facts"], second["facts"]
    found = []
    for name in sorted(set(before["digests"]) | set(after["digests"])):
        if before["digests"].get(name) != after["digests"].get(name):
            values = [facts["shown"].get(name) for facts in (before, after)]
            found.append(f"{name}: {values[0] or '(default)'} -> {values[1] or '(default)'}" if any(values) else name)
    return found


def count_ec2_calls(calls: Path) -> int:
    """Return how many EC2 calls the local cloud answered, from its own record."""
    return sum(json.loads(line)["service"] == "ec2" for line in calls.read_text().splitlines())


def print_summary(facts: dict[str, Any]) -> None:
    """Print the table that ends the demo."""
    print()
    print_table(("stage", "seconds s"), [(row["stage"], f"{row['seconds']:.1f}") for row in facts["stages"]])
    images = ", ".join(image["image_id"] for image in facts["images"])
    print(f"\nEC2 calls: {facts['ec2_calls']}   checks passed: {facts['checks_passed']}   images: {images}")


def wait_for(process: "subprocess.Popen[str]", log: Path, stop: "StopFlag") -> str:
    """Wait for a command, showing the stage lines of its progress; on a stop pass it on and give it time to clean up."""
    shown, deadline = 0, float("inf")
    while True:
        try:
            return process.communicate(timeout=0.3)[0]
        except subprocess.TimeoutExpired:
            shown = show_progress(log, shown, say)
        if stop.is_set and deadline == float("inf"):
            say("stopping ...")
            process.terminate()
            deadline = time.monotonic() + GRACE_SECONDS
        if time.monotonic() > deadline:
            process.kill()


def show_progress(log: Path, shown: int, show: Callable[[str], None]) -> int:
    """Show the stage lines that came since `shown` lines; return how many lines have been seen."""
    lines = log.read_text(errors="replace").splitlines()
    for line in lines[shown:]:
        if line.startswith("==> ") and ":" in line:
            show(f"  {line.removeprefix('==> ')}")
    return len(lines)


def say(text: str) -> None:
    """Tell the reader something, on stderr."""
    print(f"demo: {text}", file=sys.stderr, flush=True)
