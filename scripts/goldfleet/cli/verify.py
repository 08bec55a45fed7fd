"""`goldfleet verify`: is every server of a group what its image promises?"""

import os
import random
import sys
import threading
import time
from typing import TYPE_CHECKING, Annotated, Any

import typer

from goldfleet.cli.output import (
    JsonOption,
    KeyOption,
    ProfileOption,
    ProjectOption,
    RegionOption,
    UnfinishedError,
    print_json,
    print_table,
)

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from goldfleet.errors import GoldfleetError
    from goldfleet.verify.budget import Budget
    from goldfleet.verify.model import HostResult
    from goldfleet.verify.wiring import Report

MOST_CHECKS_NAMED = 20
LONGEST_MESSAGE = 160

_BAD_VERDICTS = ("failed", "unreachable", "not checked")


def verify(
    group: Annotated[str | None, typer.Argument(help="Auto Scaling group whose servers are checked.")] = None,
    *,
    hosts: Annotated[
        str,
        typer.Option(
            metavar="LIST",
            help="Check these servers instead, such as web1,admin@10.0.0.4:2222, with the host keys of known_hosts; with "
            "--inventory, those that this pattern names.",
        ),
    ] = "",
    inventory: Annotated[
        str, typer.Option(metavar="FILE", help="Check the servers of an Ansible inventory, with its variables.")
    ] = "",
    specs: Annotated[
        str, typer.Option(metavar="PATH", help="Specs for servers of no group; the default is the image's.")
    ] = "",
    image: Annotated[
        str | None, typer.Option(metavar="NAME", help="Image of goldfleet.toml that servers of no group are of.")
    ] = None,
    keyword: Annotated[str, typer.Option("-k", help="Only checks whose names match; pytest's -k.")] = "",
    marker: Annotated[str, typer.Option("-m", help="Only checks with these markers; pytest's -m.")] = "",
    only_image: Annotated[str, typer.Option(help="Only servers that were launched from this AMI.")] = "",
    sample: Annotated[
        str | None, typer.Option(metavar="N|N%", help="Only so many servers, or per cent of them, by chance.")
    ] = None,
    junit: Annotated[str | None, typer.Option(help="Write the JUnit file for all servers here, too.")] = None,
    html: Annotated[str | None, typer.Option(help="Write the page (report.html) here, too.")] = None,
    no_memo: Annotated[bool, typer.Option("--no-memo", help="Run each check for each server by itself.")] = False,
    prove: Annotated[
        bool, typer.Option("--prove", help="Afterwards run each check for each server, and fail where it differs.")
    ] = False,
    budget: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=NUMBER,...",
            help="Fail when the run has cost more: connections, sessions, bytes, api_calls a server, server_ms a check.",
        ),
    ] = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="End with the first server that is not good.")] = False,
    transport: Annotated[
        str | None,
        typer.Option(
            metavar="ssh|ssm|eice|local",
            help="How servers are reached: over SSH, by Systems Manager's Run Command, or over SSH through an EC2 Instance "
            "Connect Endpoint; the default is the group's in goldfleet.toml, else ssh. local is this server itself, and no "
            "group.",
        ),
    ] = None,
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


def write_junit(report: "Report", file: "Path") -> None:
    """Write the JUnit file for all servers to a file of the user's choice.

    Raises UsageError when it cannot be written.
    """
    from goldfleet.errors import UsageError
    from goldfleet.verify.junit_report import build_junit

    try:
        file.write_text(build_junit(report.verdict), encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise UsageError(f"--junit {file} cannot be written: {error.strerror or error}.") from error


def write_html(report: "Report", file: "Path") -> None:
    """Copy the page to a file of the user's choice.

    Raises UsageError when it cannot be written.
    """
    from pathlib import Path
    from shutil import copyfile

    from goldfleet.errors import UsageError
    from goldfleet.verify.reports import PAGE

    try:
        copyfile(Path(report.verdict.report_folder) / PAGE, file)
    except OSError as error:
        raise UsageError(f"--html {file} cannot be written: {error.strerror or error}.") from error


def show_report(report: "Report", as_json: bool, budget: "Budget | None" = None) -> None:
    """Print what was found.

    Raises UnfinishedError when a server is not proven, the run ended before its end, or has cost more than it may.
    """
    from goldfleet.verify.budget import exceeded

    over = exceeded(report.verdict, budget or {})
    facts = {**report_document(report), "over_budget": list(over)}
    if not as_json:
        print_report(report)
        for line in over:
            print(f"over budget: {line}")
    if error := what_went_wrong(report, over):
        raise UnfinishedError(error, facts)
    if as_json:
        print_json(facts)


def report_document(report: "Report") -> dict[str, Any]:
    """Return what was found as plain JSON values."""
    from goldfleet.verify.reports import verdict_document

    others = [vars(one) for one in report.others]
    return {
        "group": report.group,
        "run": report.run,
        "report_folder": report.verdict.report_folder,
        **verdict_document(report.verdict),
        "not_checked": others,
    }


def print_report(report: "Report") -> None:
    """Print a table of the servers, what is wrong with each, and who was not checked."""
    from goldfleet.verify.members import not_checked
    from goldfleet.verify.model import CheckOutcome

    hosts = report.verdict.hosts
    headings = ("instance", "address", "image", "verdict", "passed", "failed", "seconds s")
    print_table(
        headings,
        (
            (
                host.instance_id or "-",
                host.host,
                host.image_id or "-",
                host.verdict,
                str(host.count(CheckOutcome.PASSED)),
                str(len(host.bad)),
                f"{host.seconds:.1f}",
            )
            for host in hosts
        ),
    )
    for one in report.others:
        print(f"{one.instance_id}: {not_checked(one)}")
    for note in dict.fromkeys(host.note for host in hosts if host.note):
        print(f"note: {note}")
    for remark in report.verdict.remarks:
        print(f"note: {remark}")
    for line in report.verdict.differing:
        print(f"differs: {line}")
    for host in hosts:
        if why := host.unreachable or host.not_run:
            print(f"{host.instance_id or host.host} {host.verdict}: {why}")
    print_failed_checks(hosts)
    print(f"reports: {report.verdict.report_folder}")


def print_failed_checks(hosts: "Sequence[HostResult]") -> None:
    """Print each check that failed once, with the servers on which it did, and what the first of them said."""
    failed: dict[str, list[tuple[str, str]]] = {}
    for host in hosts:
        for check in host.bad:
            said = (check.message.splitlines() or [check.outcome.value])[0]
            failed.setdefault(check.name, []).append((host.instance_id or host.host, said))
    for name, found in list(failed.items())[:MOST_CHECKS_NAMED]:
        instances = ", ".join(instance_id for instance_id, _ in found)
        print(f"failed: {name} on {instances}:", f"    {found[0][1][:LONGEST_MESSAGE]}", sep="\n")
    if len(failed) > MOST_CHECKS_NAMED:
        print(f"failed: {len(failed) - MOST_CHECKS_NAMED} more checks, see the reports")


def what_went_wrong(report: "Report", over_budget: "Sequence[str]" = ()) -> "GoldfleetError | None":
    """Return the error with which the command ends, or None when every server is proven, at a cost that is allowed."""
    from goldfleet.errors import StoppedError, VerificationError

    hosts = report.verdict.hosts
    servers = f"servers of {report.group}" if report.group else "servers"
    if isinstance(report.error, StoppedError):
        done = f"S{servers[1:]} checked before: {len(hosts)}."
        return StoppedError(f"{report.error.message} {done}", "Their reports are kept; run again for the others.")
    if report.error is not None:
        return report.error
    if report.verdict.is_good:
        return (
            VerificationError(f"The run has cost more than it may: {'; '.join(over_budget)}.") if over_budget else None
        )
    wrong = [host for host in hosts if not host.is_good]
    if not wrong and report.verdict.differing:
        return VerificationError(
            f"Of the verdicts that {servers} shared, {len(report.verdict.differing)} are not what the checks come to by "
            "themselves.",
            "Such a check rests on something that it does not ask its server; see the reports, and run with --no-memo.",
        )
    counts = {verdict: sum(host.verdict == verdict for host in wrong) for verdict in _BAD_VERDICTS}
    told = ", ".join(f"{number} {verdict}" for verdict, number in counts.items() if number)
    return VerificationError(
        f"{len(wrong)} of {len(hosts)} {servers} are not proven: {told}.",
        f"All that they said is in {report.verdict.report_folder}.",
    )
