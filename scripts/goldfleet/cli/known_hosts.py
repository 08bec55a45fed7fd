"""`goldfleet known-hosts`: pins the SSH host keys of running instances for ansible and ssh."""

from typing import TYPE_CHECKING, Annotated

import typer

from goldfleet.cli.output import (
    JsonOption,
    ProfileOption,
    ProjectOption,
    RegionOption,
    UnfinishedError,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from goldfleet.ssh.pinning import Pinned


def known_hosts(
    instance_ids: Annotated[list[str] | None, typer.Argument(metavar="[INSTANCE_ID]...", help="Instances.")] = None,
    *,
    tag: Annotated[list[str] | None, typer.Option(help="key=value: all running instances with this tag.")] = None,
    wait_seconds: Annotated[int, typer.Option(help="How long to wait for keys on the consoles.", min=0)] = 60,
    project: ProjectOption = ".",
    profile: ProfileOption = None,
    region: RegionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Pin host keys from the console output of running instances in .goldfleet/known_hosts."""
    from pathlib import Path

    from goldfleet.aws.ec2 import Ec2
    from goldfleet.aws.session import open_session
    from goldfleet.clock import SystemClock
    from goldfleet.ssh.pinning import choose_instances, pin_instances

    filters = parse_tags(tag or [], bool(instance_ids))
    cloud = Ec2(open_session(profile, region).ec2())
    instances = choose_instances(cloud, instance_ids or [], filters)
    file = Path(project).resolve() / ".goldfleet" / "known_hosts"
    show_pinned(pin_instances(instances, cloud, file, SystemClock(), wait_seconds), wait_seconds, as_json)


def show_pinned(pinned: "Sequence[Pinned]", wait_seconds: int, as_json: bool) -> None:
    """Print what was pinned.

    Raises UnfinishedError when an instance showed no keys.
    """
    from dataclasses import asdict

    from goldfleet.errors import AwsError

    facts = {"instances": [asdict(one) for one in pinned]}
    if not as_json:
        print_table(("instance", "keys", "names"), ((p.instance_id, str(p.keys), " ".join(p.names)) for p in pinned))
    if missing := [one.instance_id for one in pinned if not one.keys]:
        error = AwsError(
            f"No SSH host keys on the console of {', '.join(missing)} within {wait_seconds} s.",
            "cloud-init prints them at the first boot; wait longer with --wait-seconds.",
        )
        raise UnfinishedError(error, facts)
    if as_json:
        print_json(facts)


def parse_tags(pairs: list[str], has_ids: bool) -> dict[str, list[str]]:
    """Return `key=value` texts as EC2 filters.

    Raises UsageError for a text with no `=`, and when nothing at all says which instances are meant.
    """
    from goldfleet.errors import UsageError

    if not pairs and not has_ids:
        raise UsageError("No instance was named.", "Give instance ids, or --tag key=value.")
    filters: dict[str, list[str]] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise UsageError(f"--tag {pair}: wanted key=value.")
        filters.setdefault(f"tag:{key}", []).append(value)
    return filters
