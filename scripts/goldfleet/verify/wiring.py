"""Builds the real objects for checks of a fleet. Nothing is decided here."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from goldfleet.aws.autoscaling import AutoScaling
from goldfleet.aws.ec2 import Ec2
from goldfleet.aws.model import GroupInstance
from goldfleet.aws.session import AwsSession
from goldfleet.aws.ssm import Ssm
from goldfleet.clock import SystemClock
from goldfleet.config.overrides import with_options
from goldfleet.config.reading import load_settings
from goldfleet.config.settings import FILE_NAME, GroupSettings, ImageSettings
from goldfleet.errors import GoldfleetError, UsageError
from goldfleet.runs import new_run_id
from goldfleet.stop import StopFlag, StoppableClock, catch_signals
from goldfleet.verify.fleet import FleetChecks, WantedSource
from goldfleet.verify.host import EVERYTHING, HostChecks, Selection, SpecSettings
from goldfleet.verify.members import choose_members
from goldfleet.verify.model import Verdict
from goldfleet.verify.reports import report_folder


@dataclass(frozen=True)
class GroupRequest:
    """Which group's servers are checked, and with which specs."""

    project: Path
    group: str
    selection: Selection = EVERYTHING
    ssh_private_key: str | None = None


@dataclass(frozen=True)
class GroupReport:
    """What was found on a group's servers. `others` were not checked; `error` ended the run before its end, or None."""

    group: str
    run: str
    verdict: Verdict
    others: tuple[GroupInstance, ...]
    error: GoldfleetError | None = None


def build_fleet_checks(
    project: Path, group: GroupSettings, image: ImageSettings, session: AwsSession, stop: StopFlag, run_id: str
) -> FleetChecks:
    """Return the checks of one run for a group's servers, with all specs of the image.

    Raises UsageError when the group's private key or the specs are not there.
    """
    settings = spec_settings(project, group, image, EVERYTHING)
    return _build(settings, image, session, stop, run_id)


def verify_group(
    request: GroupRequest, session: AwsSession, on_line: Callable[[str, str], None], stop: StopFlag | None = None
) -> GroupReport:
    """Check every server of a group that is in service. SIGINT, SIGTERM and SIGHUP stop it; what was found is kept.

    Raises RefusedError for an unknown group and for one with no instance in service, UsageError for wrong settings.
    """
    stop = stop or StopFlag()
    settings = load_settings(request.project)
    group = with_options(settings.pick_group(request.group), {"ssh_private_key": request.ssh_private_key})
    _, image = settings.pick_image_of(request.group)
    specs = spec_settings(request.project, group, image, request.selection)
    run_id = new_run_id(SystemClock())
    with catch_signals(stop):
        groups = AutoScaling(session.autoscaling())
        found = groups.group(request.group)
        members = choose_members(request.group, found, () if found else groups.group_names())
        checks = _build(specs, image, session, stop, run_id)
        try:
            return GroupReport(request.group, run_id, checks.check(members.checked, on_line), members.others)
        except GoldfleetError as error:
            return GroupReport(request.group, run_id, checks.verdict, members.others, error)


def spec_settings(project: Path, group: GroupSettings, image: ImageSettings, selection: Selection) -> SpecSettings:
    """Return which specs are run and how hosts are reached.

    Raises UsageError when the group's private key or the specs are not there.
    """
    key = private_key_of(project, group)
    if key and not Path(key).is_file():
        raise UsageError(
            f"The private key of the group's servers is no file: {key}.",
            f"Set ssh_private_key in {FILE_NAME}, or give --ssh-private-key.",
        )
    if not (project / image.specs).exists():
        raise UsageError(f"{FILE_NAME}: specs: seen {image.specs!r}, which does not exist in {project}.")
    return SpecSettings(
        project=project,
        specs=image.specs,
        user=image.ssh_username,
        private_key=key,
        known_hosts=project / ".goldfleet" / "known_hosts",
        timeout_seconds=group.verify_timeout_minutes * 60,
        selection=selection,
    )


def private_key_of(project: Path, group: GroupSettings) -> str:
    """Return the file with the key for a group's servers, "" where ssh uses its own keys and agent."""
    return str(project / Path(group.ssh_private_key).expanduser()) if group.ssh_private_key else ""


def _build(specs: SpecSettings, image: ImageSettings, session: AwsSession, stop: StopFlag, run_id: str) -> FleetChecks:
    machines = Ec2(session.ec2())
    images = tuple(sorted(load_settings(specs.project).images))
    hosts = HostChecks(specs, machines, StoppableClock(SystemClock(), stop), stop, os.environ)
    wanted = WantedSource(Ssm(session.ssm()), images, image.variables)
    return FleetChecks(machines, wanted, hosts, report_folder(specs.project, run_id), stop)
