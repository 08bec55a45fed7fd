"""`goldfleet verify`: is every server of a group what its image promises?"""

import os
import random
import sys
import threading
import time
from typing import Annotated

import typer

from goldfleet.cli.output import JsonOption, KeyOption, ProfileOption, ProjectOption, RegionOption

GroupArgument = Annotated[str | None, typer.Argument(help="Auto Scaling group whose servers are checked.")]
HostsOption = Annotated[
    str,
    typer.Option(
        metavar="LIST",
        help="Check these servers instead, such as web1,admin@10.0.0.4:2222, with the host keys of known_hosts; with "
        "--inventory, those that this pattern names.",
    ),
]
InventoryOption = Annotated[
    str, typer.Option(metavar="FILE", help="Check the servers of an Ansible inventory, with its variables.")
]
SpecsOption = Annotated[
    str, typer.Option(metavar="PATH", help="Specs for servers of no group; the default is the image's.")
]
ImageOption = Annotated[
    str | None, typer.Option(metavar="NAME", help="Image of goldfleet.toml that servers of no group are of.")
]
KeywordOption = Annotated[str, typer.Option("-k", help="Only checks whose names match; pytest's -k.")]
MarkerOption = Annotated[str, typer.Option("-m", help="Only checks with these markers; pytest's -m.")]
OnlyImageOption = Annotated[str, typer.Option(help="Only servers that were launched from this AMI.")]
SampleOption = Annotated[
    str | None, typer.Option(metavar="N|N%", help="Only so many servers, or per cent of them, by chance.")
]
JunitOption = Annotated[str | None, typer.Option(help="Write the JUnit file for all servers here, too.")]
HtmlOption = Annotated[str | None, typer.Option(help="Write the page (report.html) here, too.")]
NoMemoOption = Annotated[bool, typer.Option("--no-memo", help="Run each check for each server by itself.")]
ProveOption = Annotated[
    bool, typer.Option("--prove", help="Afterwards run each check for each server, and fail where it differs.")
]
BudgetOption = Annotated[
    str | None,
    typer.Option(
        metavar="NAME=NUMBER,...",
        help="Fail when the run has cost more: connections, sessions, bytes, api_calls a server, server_ms a check.",
    ),
]
FailFastOption = Annotated[bool, typer.Option("--fail-fast", help="End with the first server that is not good.")]
TransportOption = Annotated[
    str | None,
    typer.Option(
        metavar="ssh|ssm|eice|local",
        help="How servers are reached: over SSH, by Systems Manager's Run Command, or over SSH through an EC2 Instance "
        "Connect Endpoint; the default is the group's in goldfleet.toml, else ssh. local is this server itself, and no "
        "group.",
    ),
]


def verify(
    group: GroupArgument = None,
    *,
    hosts: HostsOption = "",
    inventory: InventoryOption = "",
    specs: SpecsOption = "",
    image: ImageOption = None,
    keyword: KeywordOption = "",
    marker: MarkerOption = "",
    only_image: OnlyImageOption = "",
    sample: SampleOption = None,
    junit: JunitOption = None,
    html: HtmlOption = None,
    no_memo: NoMemoOption = False,
    prove: ProveOption = False,
    budget: BudgetOption = None,
    fail_fast: FailFastOption = False,
    transport: TransportOption = None,
    ssh_private_key: KeyOption = None,
    project: ProjectOption = ".",
    profile: ProfileOption = None,
    region: RegionOption = None,
    as_json: JsonOption = False,
) -> None:
    """Check the servers of a group that are in service, or servers that are named, with the image's specs.

    All servers are asked at once, by one session each. A check is run once for all servers that answer alike in what it
    looks at.

    SSH's host keys are pinned from each console, never trusted on first use. Ctrl-C keeps the reports of what was done.
    """
    from pathlib import Path

    from goldfleet.aws.session import open_session
    from goldfleet.cli.verify_report import show_report, write_html, write_junit
    from goldfleet.verify.budget import parse_budget
    from goldfleet.verify.members import ALL, Choice, parse_sample
    from goldfleet.verify.telemetry import send_spans
    from goldfleet.verify.wiring import GroupRequest, NamedRequest, Selection, verify_group, verify_named

    began = time.monotonic()
    most = parse_budget(budget) if budget is not None else {}
    wanted = parse_sample(sample) if sample is not None else None
    choice = Choice(only_image, wanted, random.SystemRandom().sample) if only_image or wanted else ALL
    selection = Selection(marker, keyword, is_shared=not no_memo, is_proven=prove, fails_fast=fail_fast)
    check_servers_are_named_once(group, hosts or inventory, transport, choice == ALL, specs or image)
    folder = Path(project).resolve()
    if group is not None:
        request = GroupRequest(folder, group, selection, ssh_private_key, choice, transport)
        report = verify_group(request, open_session(profile, region), print_line)
    else:
        report = verify_named(
            NamedRequest(folder, hosts, inventory, specs, image, selection, ssh_private_key), print_line
        )
    if junit is not None:
        write_junit(report, Path(junit))
    if html is not None:
        write_html(report, Path(html))
    if note := send_spans(report.verdict, report.run, time.monotonic() - began, os.environ):
        print(f"note: {note}", file=sys.stderr)
    show_report(report, as_json, most)


def check_servers_are_named_once(
    group: str | None, named: str, transport: str | None, is_all: bool, only_named: str | None
) -> None:
    """Raise UsageError unless the servers are those of a group, or those that are named, or this one; and nothing of both."""
    from goldfleet.errors import UsageError

    is_local = transport == "local"
    if [group is not None, bool(named), is_local].count(True) != 1:
        raise UsageError(
            "Wanted one of: an Auto Scaling group, --hosts or --inventory, --transport local.",
            "See `goldfleet verify --help`.",
        )
    if group is not None and only_named:
        raise UsageError("--specs and --image are for servers of no group: a group's are those of goldfleet.toml.")
    if group is None and not is_all:
        raise UsageError("--only-image and --sample are for the servers of a group.")
    if named and transport not in (None, "ssh"):
        raise UsageError(f"--transport {transport} is for the servers of a group: others are reached over SSH.")


_lock = threading.Lock()


def print_line(instance_id: str, line: str) -> None:
    """Print a line about one server on stderr; lines of several servers do not mix."""
    with _lock:
        print(f"{instance_id} | {line}", file=sys.stderr, flush=True)
