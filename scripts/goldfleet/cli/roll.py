"""`goldfleet roll`: plan, start, status, resume, abort, rollback."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from goldfleet.cli.output import (
    JsonOption,
    KeyOption,
    ProfileOption,
    ProjectOption,
    RegionOption,
    make_progress,
)
from goldfleet.cli.roll_report import show_outcome, show_plan, show_status

if TYPE_CHECKING:
    from collections.abc import Callable

    from goldfleet.roll.model import Outcome
    from goldfleet.roll.ports import RollRequest, World

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="A new image through an Auto Scaling group: launch first, one old instance per proven new one.",
)

GroupArgument = Annotated[str, typer.Argument(help="Auto Scaling group.")]
ImageOption = Annotated[str | None, typer.Option(help="AMI; the default is the current one of the group's image.")]
SurgeOption = Annotated[
    str | None, typer.Option(help='Instances to add before old ones go: a number, or a share such as "25%".')
]
WarmUpOption = Annotated[
    int | None, typer.Option(help="Seconds that a new instance must stay healthy before an old one goes.")
]
RaiseMaxOption = Annotated[
    bool, typer.Option("--raise-max", help="Raise max_size for the time of the roll when it leaves no room.")
]


@app.command("plan")
def plan(
    group: GroupArgument,
    *,
    image_id: ImageOption = None,
    surge: SurgeOption = None,
    warm_up: WarmUpOption = None,
    raise_max: RaiseMaxOption = False,
    project: ProjectOption = ".",
    profile: ProfileOption = None,
    region: RegionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what a roll would do, and all that speaks against it; changes nothing."""
    from goldfleet.roll.report import make_plan

    options = _options(
        project, group, image_id=image_id, surge=surge, warm_up_seconds=warm_up, may_raise_max=raise_max
    )  # fmt: skip
    show_plan(_read(options, (profile, region), make_plan), as_json)


@app.command("start")
def start(
    group: GroupArgument,
    *,
    image_id: ImageOption = None,
    surge: SurgeOption = None,
    warm_up: WarmUpOption = None,
    raise_max: RaiseMaxOption = False,
    ssh_private_key: KeyOption = None,
    project: ProjectOption = ".",
    profile: ProfileOption = None,
    region: RegionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Roll an image through a group. Ctrl-C stops at a safe point; `resume` goes on."""
    from goldfleet.roll import operations

    options = _options(
        project, group, image_id=image_id, surge=surge, warm_up_seconds=warm_up, may_raise_max=raise_max,
        ssh_private_key=ssh_private_key,
    )  # fmt: skip
    _act(options, (profile, region), operations.start, as_json)


@app.command("status")
def status(
    group: GroupArgument,
    *,
    project: ProjectOption = ".",
    profile: ProfileOption = None,
    region: RegionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show a group's roll, from its tags and what is seen, and its sizes; also when no roll is in progress."""
    from goldfleet.roll.report import read_status

    options = _options(project, group)
    show_status(_read(options, (profile, region), lambda request, world: read_status(request.group, world)), as_json)


@app.command("resume")
def resume(
    group: GroupArgument,
    *,
    ssh_private_key: KeyOption = None,
    project: ProjectOption = ".",
    profile: ProfileOption = None,
    region: RegionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Go on with a roll that was killed, stopped or halted, from any machine: the group's tags hold it."""
    from goldfleet.roll import operations

    options = _options(project, group, ssh_private_key=ssh_private_key)
    _act(options, (profile, region), lambda request, world: operations.resume(request.group, world), as_json)


@app.command("abort")
def abort(
    group: GroupArgument,
    *,
    ssh_private_key: KeyOption = None,
    project: ProjectOption = ".",
    profile: ProfileOption = None,
    region: RegionOption = None,
    as_json: JsonOption = False,
) -> None:
    """End a roll where it is: what launched before launches again, own surge goes, proven instances stay."""
    from goldfleet.roll import operations

    options = _options(project, group, ssh_private_key=ssh_private_key)
    _act(options, (profile, region), lambda request, world: operations.abort(request.group, world), as_json)


@app.command("rollback")
def roll_back(
    group: GroupArgument,
    *,
    surge: SurgeOption = None,
    warm_up: WarmUpOption = None,
    raise_max: RaiseMaxOption = False,
    ssh_private_key: KeyOption = None,
    project: ProjectOption = ".",
    profile: ProfileOption = None,
    region: RegionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Bring a group back to what it ran before the roll in progress or the last one; exit 7 when it is there."""
    from goldfleet.roll import operations

    options = _options(
        project, group, surge=surge, warm_up_seconds=warm_up, may_raise_max=raise_max, ssh_private_key=ssh_private_key
    )  # fmt: skip
    _act(options, (profile, region), operations.roll_back, as_json)


def _options(project: str, group: str, **given: Any) -> Any:
    """Return what the command line says, as goldfleet.roll.wiring.Options names it."""
    from pathlib import Path

    from goldfleet.roll.wiring import Options

    return Options(Path(project).resolve(), group, **given)


def _read(options: Any, aws: tuple[str | None, str | None], read: "Callable[[RollRequest, World], Any]") -> Any:
    """Return what is read with no progress shown."""
    from goldfleet.aws.session import open_session
    from goldfleet.roll.wiring import build_request, build_world
    from goldfleet.stop import StopFlag

    request = build_request(options)

    def nothing(_line: str) -> None:
        return

    return read(request, build_world(options, open_session(*aws), nothing, nothing, StopFlag()))


def _act(
    options: Any,
    aws: tuple[str | None, str | None],
    act: "Callable[[RollRequest, World], Outcome]",
    as_json: bool,
) -> None:
    """Do something with progress on stderr, and print what came of it.

    Raises UnfinishedError, with exit 7, when the fleet was rolled back.
    """
    from goldfleet.aws.session import open_session
    from goldfleet.roll.wiring import build_request, build_world
    from goldfleet.stop import StopFlag, catch_signals

    request, stop, progress = build_request(options), StopFlag(), make_progress()
    session = open_session(*aws)
    try:
        with catch_signals(stop):
            outcome = act(request, build_world(options, session, progress.note, progress.line, stop))
    finally:
        progress.close()
    show_outcome(outcome, session, as_json)
