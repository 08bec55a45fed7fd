"""Builds the real objects for checks of a fleet. Nothing is decided here."""

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from pydantic import JsonValue

from goldfleet.aws.autoscaling import AutoScaling
from goldfleet.aws.ec2 import Ec2
from goldfleet.aws.session import AwsSession
from goldfleet.aws.ssm import Ssm
from goldfleet.clock import SystemClock
from goldfleet.config.overrides import with_options
from goldfleet.config.reading import load_settings
from goldfleet.config.settings import FILE_NAME, GroupSettings, ImageSettings
from goldfleet.errors import GoldfleetError, StoppedError, UsageError
from goldfleet.runs import new_run_id
from goldfleet.ssh.login import wait_for_boot_command
from goldfleet.stop import StopFlag, StoppableClock, catch_signals
from goldfleet.transport.model import Limits, LocalHost, SshHost, SsmHost, sudo
from goldfleet.verify.fleet import FleetChecks, WantedSource, World
from goldfleet.verify.history import changes_of
from goldfleet.verify.inventory import read_inventory
from goldfleet.verify.job import Job
from goldfleet.verify.job_process import JobProcess, Specs
from goldfleet.verify.members import ALL, Choice, NotChecked, appeared, choose_members, choose_some
from goldfleet.verify.model import Verdict
from goldfleet.verify.named import check_named
from goldfleet.verify.page import Subject
from goldfleet.verify.reach import Login, Reach, SshReach, SsmReach
from goldfleet.verify.reports import Reporting, report_folder, write_page
from goldfleet.verify.servers import LOCAL, NamedServer, named, parse_servers
from goldfleet.verify.tunnels import MOST_TUNNELS, Tunnels, find_program
from goldfleet.verify.wanted import marker_for

LOGIN_SECONDS = 30.0
"""How long a login is waited for once there are host keys: sshd is up before they are printed."""

BOOT_SECONDS = 55
"""How long the rest of a boot is waited for, less than a question takes; whether it went well is for the specs to say."""


@dataclass(frozen=True)
class Selection:
    """Which checks are run: pytest's -m and -k expressions, "" for all. How verdicts are shared: see goldfleet.verify.job."""

    marker: str = ""
    keyword: str = ""
    is_shared: bool = True
    is_proven: bool = False
    fails_fast: bool = False


EVERYTHING = Selection()


@dataclass(frozen=True)
class GroupRequest:
    """Which group's servers are checked, how they are reached, and with which specs. None is an option that was not given."""

    project: Path
    group: str
    selection: Selection = EVERYTHING
    ssh_private_key: str | None = None
    choice: Choice = ALL
    transport: str | None = None


@dataclass(frozen=True)
class NamedRequest:
    """Which servers are checked that are none of a group, and with which specs.

    `hosts` is a list of servers, or a pattern where there is an `inventory`; with neither it is this server itself. `specs`
    is a file or folder; without it, "", they are the image's: the one that is named, or the only one of goldfleet.toml.
    """

    project: Path
    hosts: str = ""
    inventory: str = ""
    specs: str = ""
    image: str | None = None
    selection: Selection = EVERYTHING
    ssh_private_key: str | None = None

    @property
    def subject(self) -> str:
        """Return what is verified, as reports call it."""
        return self.inventory or self.hosts or LOCAL


@dataclass(frozen=True)
class Report:
    """What was found on servers: those of a group, or those that were named, and then `group` is "".

    `others` were not checked; `error` ended the run before its end, or None.
    """

    group: str
    run: str
    verdict: Verdict
    others: tuple[NotChecked, ...]
    error: GoldfleetError | None = None


@dataclass(frozen=True)
class Run:
    """One run of checks in a project, its id, what ends it, which checks it is about; the rest is the reports': see Verdict.

    `group` is the Auto Scaling group all of which is checked, "" where only some of its instances are.
    """

    project: Path
    run_id: str
    stop: StopFlag
    selection: Selection = EVERYTHING
    subject: str = ""
    is_whole: bool = False
    group: str = ""


def build_fleet_checks(run: Run, group: GroupSettings, image: ImageSettings, session: AwsSession) -> FleetChecks:
    """Return the checks of one run for a group's servers, with the specs of the image.

    Raises UsageError when the group's private key or the specs are not there.
    """
    project, stop, selection = run.project, run.stop, run.selection
    world = build_world(run, group, image, session)
    specs = Specs(
        path=project / image.specs,
        root=project,
        marker=selection.marker,
        keyword=selection.keyword,
        timeout_seconds=group.verify_timeout_minutes * 60,
    )
    if not specs.path.exists():
        raise UsageError(f"{FILE_NAME}: specs: seen {image.specs!r}, which does not exist in {project}.")
    way = Job(
        limits=Limits(login_seconds=LOGIN_SECONDS, sessions=MOST_TUNNELS if group.verify_transport == "eice" else 0),
        first=(wait_for_boot_command(BOOT_SECONDS),),
        is_shared=selection.is_shared,
        is_proven=selection.is_proven,
        fails_fast=selection.fails_fast,
    )
    return FleetChecks(
        world, specs, way, Reporting(report_folder(project, run.run_id), run.subject, run.is_whole), stop
    )


def build_world(run: Run, group: GroupSettings, image: ImageSettings, session: AwsSession) -> World:
    """Return the real world for checks of a group's servers.

    Raises UsageError as build_reach does.
    """
    images = tuple(sorted(load_settings(run.project).images))
    return World(
        machines=Ec2(session.ec2()),
        wanted=WantedSource(Ssm(session.ssm()), images, image.variables),
        reach=build_reach(run, group, image, session),
        jobs=JobProcess(os.environ, run.stop),
    )


def build_reach(run: Run, group: GroupSettings, image: ImageSettings, session: AwsSession) -> Reach:
    """Return how a group's servers are reached, as its settings have it.

    Raises UsageError when the private key is no file, or tunnels have no program.
    """
    profile, region = "" if session.profile == "default" else session.profile, session.region
    if group.verify_transport == "ssm":
        return SsmReach(lambda one: SsmHost(one.instance_id, one.address, run.group, profile, region))
    tunnels = None
    if group.verify_transport == "eice":
        tunnels = Tunnels(find_program(os.environ.get("PATH", "")), profile, region)
    key, known_hosts = checked_private_key(run.project, group), run.project / ".goldfleet" / "known_hosts"
    clock = StoppableClock(SystemClock(), run.stop)
    return SshReach(Login(image.ssh_username, key, known_hosts), Ec2(session.ec2()), clock, tunnels)


def verify_group(
    request: GroupRequest, session: AwsSession, on_line: Callable[[str, str], None], stop: StopFlag | None = None
) -> Report:
    """Check the servers of a group that are in service. SIGINT, SIGTERM and SIGHUP stop it; what was found is kept.

    Raises RefusedError for an unknown group and where no instance is left to check, UsageError for wrong settings.
    """
    stop = stop or StopFlag()
    settings = load_settings(request.project)
    options = {"ssh_private_key": request.ssh_private_key, "verify_transport": request.transport}
    group = with_options(settings.pick_group(request.group), options)
    _, image = settings.pick_image_of(request.group)
    selection = request.selection
    is_whole = not (selection.marker or selection.keyword or selection.fails_fast) and request.choice == ALL
    all_of = request.group if request.choice == ALL else ""
    run = Run(request.project, new_run_id(SystemClock()), stop, selection, request.group, is_whole, all_of)
    checks = build_fleet_checks(run, group, image, session)
    with catch_signals(stop):
        groups = AutoScaling(session.autoscaling())
        found = groups.group(request.group)
        members = choose_members(request.group, found, () if found else groups.group_names())
        images = checks.images(members.checked) if request.choice.image_id else {}
        members = choose_some(request.group, members, request.choice, images)
        error: GoldfleetError | None = None
        others = members.others
        try:
            verdict = checks.check(members.checked, on_line)
            others = (*others, *appeared(members, groups.group(request.group)))
        except GoldfleetError as raised:
            verdict, error = checks.verdict, raised
        write_page(verdict, subject_of(verdict, others))
        return Report(request.group, run.run_id, verdict, others, error)


def verify_named(request: NamedRequest, on_line: Callable[[str, str], None], stop: StopFlag | None = None) -> Report:
    """Check servers that are named by hand or by an inventory. SIGINT, SIGTERM and SIGHUP stop it; what was found is kept.

    Raises UsageError for wrong settings, and RefusedError where no server is left to check.
    """
    stop, selection, project = stop or StopFlag(), request.selection, request.project
    image = _image_of(request)
    path = project / (request.specs or (image.specs if image else ""))
    if not path.exists():
        raise UsageError(f"The specs do not exist: {path}.", "Give --specs, or correct the image's in goldfleet.toml.")
    key = checked_private_key(project, GroupSettings(ssh_private_key=request.ssh_private_key))
    like = SshHost("", image.ssh_username if image else "", private_key=key, become=sudo())
    variables = image.variables if image else {}
    servers = _named_servers(request, like, variables)
    # Whether they were launched from a golden image nobody knows.
    marker = selection.marker or marker_for("", is_golden=False)
    timeout = GroupSettings().verify_timeout_minutes * 60
    specs = Specs(path, project, marker=marker, keyword=selection.keyword, timeout_seconds=timeout)
    way = Job(is_shared=selection.is_shared, is_proven=selection.is_proven, fails_fast=selection.fails_fast)
    is_pattern = bool(request.inventory and request.hosts)
    is_whole = not (selection.marker or selection.keyword or selection.fails_fast or is_pattern)
    run = new_run_id(SystemClock())
    reporting = Reporting(report_folder(project, run), request.subject, is_whole)
    with catch_signals(stop):
        verdict = check_named(servers, specs, way, JobProcess(os.environ, stop), reporting, on_line)
    write_page(verdict, subject_of(verdict, ()))
    error = StoppedError(f"Stopped by {stop.signal_name}.") if stop.is_set else None
    return Report("", run, verdict, (), error)


def _image_of(request: NamedRequest) -> ImageSettings | None:
    """Return the settings of the image that servers are of, None where they are of none."""
    if request.specs and request.image is None:
        return None
    return load_settings(request.project).pick_image(request.image)[1]


def _named_servers(request: NamedRequest, like: SshHost, variables: Mapping[str, JsonValue]) -> Sequence[NamedServer]:
    if request.inventory:
        found = read_inventory(request.inventory, request.hosts, request.project, like)
        return [replace(one, variables={**variables, **one.variables}) for one in found]
    if request.hosts:
        return named(parse_servers(request.hosts), like, variables)
    return [NamedServer(LOCAL, LocalHost(LOCAL, () if os.geteuid() == 0 else sudo()), variables)]


def subject_of(verdict: Verdict, others: Sequence[NotChecked]) -> Subject:
    """Return what a page says of a verification that has just ended, beside its verdict; `others` were not checked."""
    when = f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S} UTC"
    left_out = tuple((one.instance_id, one.why) for one in others)
    return Subject(verdict.subject, when, str(verdict.cost), changes_of(verdict), left_out)


def checked_private_key(project: Path, group: GroupSettings) -> str:
    """Return the file with the key for a group's servers, as private_key_of does.

    Raises UsageError when there is no such file.
    """
    key = private_key_of(project, group)
    if key and not Path(key).is_file():
        raise UsageError(
            f"The private key of the servers is no file: {key}.",
            f"Set ssh_private_key of the group in {FILE_NAME}, or give --ssh-private-key.",
        )
    return key


def private_key_of(project: Path, group: GroupSettings) -> str:
    """Return the file with the key for a group's servers, "" where ssh uses its own keys and agent."""
    return str(project / Path(group.ssh_private_key).expanduser()) if group.ssh_private_key else ""
