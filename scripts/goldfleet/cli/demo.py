"""`goldfleet demo`: the whole life of a fleet, told on a local cloud of its own with the real commands.

Starts and removes the local cloud; what is run on it is in goldfleet.demo.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from goldfleet.cli.output import ProjectOption, print_json, print_table

if TYPE_CHECKING:
    from goldfleet.demo.chapters import Telling
    from goldfleet.demo.facts import DemoFacts
    from goldfleet.localcloud.state import StateFolder
    from goldfleet.stop import StopFlag

REPORT = Path(".goldfleet/reports/demo.html")
LAUNCH_KINDS = ("template", "configuration")


def demo(
    keep: Annotated[bool, typer.Option("--keep", help="Leave the local cloud up and say what to try next.")] = False,
    launch_kind: Annotated[
        str,
        typer.Option(help="What the group launches from: template, or configuration (accounts older than 2024-10)."),
    ] = "template",
    project: ProjectOption = ".",
    as_json: Annotated[bool, typer.Option("--json", help="Print the final table as JSON.")] = False,
) -> None:
    """Bake an image, run a fleet on it, roll the next image through it under load, and take that back.

    Ends with a table and a page, .goldfleet/reports/demo.html. Needs no AWS account. Ctrl-C at any moment removes
    everything that was started.
    """
    from goldfleet.demo.chapters import check_promises
    from goldfleet.errors import RefusedError, UsageError
    from goldfleet.localcloud import cloud
    from goldfleet.localcloud.state import default_state_folder
    from goldfleet.stop import StopFlag, catch_signals

    if launch_kind not in LAUNCH_KINDS:
        raise UsageError(f"--launch-kind {launch_kind}: wanted {' or '.join(LAUNCH_KINDS)}.")
    folder, stop, home = default_state_folder(), StopFlag(), Path(project).resolve()
    if folder.load() is not None:
        raise RefusedError("A local cloud of this folder is up already.", "Run `goldfleet local down` first.")
    done = False
    with catch_signals(stop):
        try:
            facts, document = play(folder, home, stop, launch_kind)
            done = True
        finally:
            if not (keep and done):
                cloud.down(folder, lambda text: say(f"  {text}"))
    print_json(document) if as_json else print_summary(document)
    if keep:
        print(NEXT_STEPS.format(image=document["images"][1]["image_id"]))
    check_promises(facts)


NEXT_STEPS = """
The local cloud is still up. Try:
  eval "$(goldfleet local env)"        point this shell at it
  goldfleet roll status web            the group and what it runs
  goldfleet images list                what was baked
  goldfleet images show {image}
  aws autoscaling describe-scaling-activities --auto-scaling-group-name web
  ansible-playbook playbooks/foundation_teardown.yml -e aws_foundation_group=web
  goldfleet local down                 remove everything"""


def play(
    folder: "StateFolder", project: Path, stop: "StopFlag", launch_kind: str
) -> "tuple[DemoFacts, dict[str, Any]]":
    """Start a local cloud, tell the story on it and write the page; return its facts, and those for programs."""
    import os
    import time

    from goldfleet.demo.chapters import Setting, Telling, demo_facts, problem_of, tell
    from goldfleet.demo.report import render
    from goldfleet.demo.story import Story
    from goldfleet.errors import GoldfleetError
    from goldfleet.localcloud import cloud

    story = Story(project, folder.path, {}, stop, say)
    with story.chapter("local cloud up"):
        state = cloud.up(folder, None, lambda text: say(f"  {text}"))
        story.environment = {key: value for key, value in os.environ.items() if key not in cloud.to_unset(os.environ)}
        story.environment |= cloud.environment(state, folder)
    telling = Telling(story, Setting(f"{state.gateway}/32", folder.balancer_events, launch_kind))
    facts = None
    problem = "The story did not come to its end."
    try:
        tell(telling)
        problem = ""
    except GoldfleetError as error:
        problem = problem_of(error)
        raise
    finally:
        story.close()
        if telling.requests.exists():
            telling.load_ended = telling.load_ended or time.time()
            facts = demo_facts(telling, problem)
            write_page(project / REPORT, render(facts))
    if facts is None:
        raise GoldfleetError("The demo ended without a load.", "Please report it.")
    return facts, summary(telling, facts, folder.calls)


def write_page(file: Path, page: str) -> None:
    """Write the page and say where it is."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(page, encoding="utf-8")
    say(f"report: {file}")


def summary(telling: "Telling", facts: "DemoFacts", calls: Path) -> dict[str, Any]:
    """Return what a demo came to, as plain JSON values."""
    passed = sum(count for run in facts.checks for host in run.hosts for name, count in host.counts if name == "passed")
    baked = [telling.documents[f"image {label}"] for label in ("1", "2")]
    return {
        "good": facts.is_good,
        "stages": [{"stage": stage.title, "seconds": round(stage.seconds, 1)} for stage in facts.stages],
        "lowest_healthy": facts.lowest_healthy,
        "servers": facts.servers,
        "requests_sent": facts.requests.sent,
        "requests_failed": facts.requests.failed,
        "load": telling.load_summary,
        "versions": [
            {
                "version": seen.version,
                "requests": seen.count,
                "first": round(seen.first, 1),
                "last": round(seen.last, 1),
            }
            for seen in facts.requests.versions
        ],
        "api_calls": len(calls.read_text().splitlines()),  # the local cloud's own record, a line each
        "checks_passed": passed + sum(bake["checks"]["passed"] for bake in baked),
        "images": [{"image_id": bake["image_id"], "run": bake["run"]} for bake in baked],
        "rebake_without_change": telling.documents["again"]["action"],
        "differences": telling.documents["differences"],
        "report": str(REPORT),
    }


def print_summary(facts: dict[str, Any]) -> None:
    """Print the tables that end the demo."""
    print()
    total = sum(row["seconds"] for row in facts["stages"])
    rows = [(row["stage"], f"{row['seconds']:.1f}") for row in facts["stages"]]
    print_table(("stage", "seconds s"), [*rows, ("total", f"{total:.1f}")])
    print()
    print_table(
        ("promise", "seen"),
        [
            ("healthy servers, at the lowest", f"{facts['lowest_healthy']} of {facts['servers']}"),
            ("requests sent", str(facts["requests_sent"])),
            ("requests failed", str(facts["requests_failed"])),
            ("slowest answer", f"{facts['load']['slowest_seconds']:.3f} s"),
            ("checks passed", str(facts["checks_passed"])),
            ("API calls", str(facts["api_calls"])),
        ],
    )
    print()
    start = min((seen["first"] for seen in facts["versions"]), default=0.0)
    print_table(
        ("version served", "requests", "from s", "to s"),
        [
            (seen["version"], str(seen["requests"]), f"{seen['first'] - start:.1f}", f"{seen['last'] - start:.1f}")
            for seen in facts["versions"]
        ],
    )
    print(f"\nreport: {facts['report']}")


def say(text: str) -> None:
    """Tell the reader something, on stderr."""
    print(f"demo: {text}", file=sys.stderr, flush=True)
