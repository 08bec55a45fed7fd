"""`goldfleet known-hosts`: pins the SSH host keys of running instances for ansible and ssh."""

from typing import Annotated

import typer

from goldfleet.cli.output import JsonOption, ProfileOption, ProjectOption, RegionOption, print_json, print_table


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
    from dataclasses import asdict
    from pathlib import Path

    from goldfleet.aws.ec2 import Ec2
    from goldfleet.aws.session import open_session
    from goldfleet.clock import SystemClock
    from goldfleet.errors import AwsError, RefusedError
    from goldfleet.ssh.pinning import pin_instances

    filters = {**parse_tags(tag or [], bool(instance_ids)), "instance-state-name": ["running"]}
    cloud = Ec2(open_session(profile, region).ec2())
    instances = cloud.instances(filters, instance_ids or [])
    if not instances:
        raise RefusedError("No running instance matches.", "Check the ids or tags, and the region.")
    file = Path(project).resolve() / ".goldfleet" / "known_hosts"
    pinned = pin_instances(instances, cloud, file, SystemClock(), wait_seconds)
    if as_json:
        print_json([asdict(one) for one in pinned])
    else:
        print_table(("instance", "keys", "names"), ((p.instance_id, str(p.keys), " ".join(p.names)) for p in pinned))
    missing = [one.instance_id for one in pinned if not one.keys]
    if missing:
        raise AwsError(
            f"No SSH host keys on the console of {', '.join(missing)} within {wait_seconds} s.",
            "cloud-init prints them at the first boot; wait longer with --wait-seconds.",
        )


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
