"""`goldfleet images`: list, show, rollback, gc."""

from typing import TYPE_CHECKING, Annotated, Any

import typer

from goldfleet.cli.output import (
    JsonOption,
    ProfileOption,
    RegionOption,
    UnfinishedError,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from goldfleet.bake.catalog import ImageDetails
    from goldfleet.bake.cleanup import Removed

SHORT = 12

app = typer.Typer(
    rich_markup_mode=None,
    add_completion=False,
    no_args_is_help=True,
    help="What images there are, what they are made of, one back, and what killed bakes left.",
)


@app.command("list")
def list_images(
    image: Annotated[str | None, typer.Argument(help="Only AMIs of this image.")] = None,
    profile: ProfileOption = None,
    region: RegionOption = None,
    as_json: JsonOption = False,
) -> None:
    """List goldfleet's AMIs, the newest first."""
    from dataclasses import asdict

    from goldfleet.bake.wiring import AwsOptions
    from goldfleet.bake.wiring import list_images as read

    entries = read(image, AwsOptions(profile, region))
    if as_json:
        print_json([asdict(entry) for entry in entries])
        return
    print_table(
        ("image", "AMI", "pointer", "state", "verified", "created", "base AMI", "fingerprint"),
        (
            (
                one.image,
                one.image_id,
                one.pointer or "-",
                one.state,
                one.verified,
                one.created,
                one.source_ami,
                one.fingerprint[:SHORT],
            )
            for one in entries
        ),
    )


@app.command("show")
def show_image(
    wanted: Annotated[
        str, typer.Argument(metavar="IMAGE_OR_AMI", help="An AMI's id, or an image for its current AMI.")
    ],
    profile: ProfileOption = None,
    region: RegionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what an AMI is made of, and by what it was verified."""
    from goldfleet.bake.wiring import AwsOptions
    from goldfleet.bake.wiring import show_image as read

    details = read(wanted, AwsOptions(profile, region))
    if as_json:
        print_json(details_document(details))
        return
    print_table(("", ""), _summary(details))
    if details.facts is not None:
        print()
        facts = details.facts
        print_table(
            ("made of", "digest", "value"),
            ((name, digest, facts.shown.get(name, "")) for name, digest in facts.digests.items()),
        )


@app.command("rollback")
def roll_back(
    image: Annotated[str, typer.Argument(help="Image whose pointers go one back.")],
    profile: ProfileOption = None,
    region: RegionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make the previous AMI current again; no schedule undoes this, a plain bake does."""
    from goldfleet.bake.wiring import AwsOptions
    from goldfleet.bake.wiring import roll_back as go_back

    current = go_back(image, AwsOptions(profile, region))
    if as_json:
        print_json({"image": image, "current": current})
    else:
        print(f"{image}: {current} is current again")


@app.command("gc")
def collect_garbage(
    run: Annotated[str | None, typer.Option(help="Only this run, expired or not.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be removed.")] = False,
    profile: ProfileOption = None,
    region: RegionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Remove what killed bakes left: expired, by run tag, and nothing else."""
    from goldfleet.bake.cleanup import DisplayOnlyExecutor, RemovingExecutor
    from goldfleet.bake.wiring import AwsOptions
    from goldfleet.bake.wiring import collect_garbage as collect

    make_executor = (lambda _cleaner: DisplayOnlyExecutor()) if dry_run else RemovingExecutor
    removed = collect(run, make_executor, AwsOptions(profile, region))
    show_removed(removed, "would" if dry_run else "done:", as_json)


def show_removed(removed: "tuple[Removed, ...]", word: str, as_json: bool) -> None:
    """Print what was removed.

    Raises UnfinishedError when something is left.
    """
    from goldfleet.errors import StoppedError

    facts = {"runs": [removed_document(one) for one in removed]}
    if not as_json:
        _print_removed(removed, word)
    if left := [text for one in removed for text in one.left]:
        error = StoppedError(f"Not everything could be removed: {'; '.join(left)}.", "Run the same command again.")
        raise UnfinishedError(error, facts)
    if as_json:
        print_json(facts)


def details_document(details: "ImageDetails") -> dict[str, Any]:
    """Return an image's details as plain JSON values."""
    from dataclasses import asdict

    facts = asdict(details.facts) if details.facts else None
    return {**asdict(details.entry), "facts": facts, "tags": details.tags}


def removed_document(removed: "Removed") -> dict[str, Any]:
    """Return one run's removals as plain JSON values."""
    from goldfleet.bake.janitor import describe

    plan = removed.plan
    return {
        "run": plan.run,
        "expires": plan.expires,
        "removals": [describe(removal) for removal in plan.removals],
        "left": list(removed.left),
    }


def _summary(details: "ImageDetails") -> list[tuple[str, str]]:
    entry, facts = details.entry, details.facts
    checks = f"{facts.checks.passed} checks passed, {facts.checks.skipped} skipped" if facts else "no record"
    return [
        ("image", entry.image),
        ("AMI", f"{entry.image_id} ({entry.name}), {entry.state}"),
        ("pointer", entry.pointer or "neither current nor previous"),
        ("created", entry.created),
        ("verified", f"{entry.verified}; {checks}"),
        ("rolled back", entry.rolled_back or "no"),
        ("base AMI", entry.source_ami),
        ("commit", entry.commit or "none"),
        ("run", entry.run),
        ("fingerprint", entry.fingerprint),
    ]


def _print_removed(removed: "tuple[Removed, ...]", word: str) -> None:
    from goldfleet.bake.janitor import describe

    if not removed:
        print("nothing to remove")
    for one in removed:
        print(f"run {one.plan.run}, expiry {one.plan.expires or 'unreadable'}")
        for removal in () if one.left else one.plan.removals:
            print(f"  {word} {describe(removal)}")
        for text in one.left:
            print(f"  {text}")
