"""Builds the real objects for bakes and for the image commands. Nothing is decided here."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from goldfleet import tags
from goldfleet.aws.ec2 import Ec2
from goldfleet.aws.session import AwsSession, open_session
from goldfleet.aws.ssm import Ssm
from goldfleet.bake import catalog, cleanup
from goldfleet.bake.checks import SshChecks
from goldfleet.bake.collections import default_search_path
from goldfleet.bake.commit import read_commit
from goldfleet.bake.drive import bake
from goldfleet.bake.model import Outcome
from goldfleet.bake.packer import Packer, packer_environment
from goldfleet.bake.ports import BakeRequest, Progress, World
from goldfleet.bake.publish import Publisher, roll_back_under_lease
from goldfleet.clock import SystemClock
from goldfleet.config.overrides import check_image_name
from goldfleet.lease import TOKEN_DIGITS, Holder, Lease
from goldfleet.runs import describe_owner, new_run_id, random_hex
from goldfleet.ssh.keys import make_key_pair
from goldfleet.ssh.sockets import control_folder
from goldfleet.stop import StopFlag, StoppableClock, catch_signals

ROLLBACK_LEASE = timedelta(minutes=2)
GC_TIMEOUT_SECONDS = 300


@dataclass(frozen=True)
class AwsOptions:
    """Which profile and region; None for what the environment says."""

    profile: str | None = None
    region: str | None = None


@dataclass(frozen=True)
class BakeReport:
    """What a bake did, and which API calls of goldfleet's own (not Packer's) it took."""

    outcome: Outcome
    aws_calls: dict[str, int] = field(default_factory=dict)

    @property
    def aws_calls_total(self) -> int:
        """Return how many API calls there were."""
        return sum(self.aws_calls.values())


@dataclass(frozen=True)
class _Tools:
    progress: Progress
    stop: StopFlag
    sockets: Path


def run_bake(request: BakeRequest, aws: AwsOptions, progress: Progress, stop: StopFlag | None = None) -> BakeReport:
    """Bake with the real AWS, Packer and SSH. SIGINT, SIGTERM and SIGHUP stop it in an orderly way.

    Raises what goldfleet.bake.drive.bake raises.
    """
    stop = stop or StopFlag()
    with catch_signals(stop), control_folder() as sockets:
        session = open_session(aws.profile, aws.region)
        tools = _Tools(progress, stop, sockets)
        outcome = bake(request, _build_world(request, session, aws.profile, tools))
        return BakeReport(outcome, session.counter.by_operation())


def _build_world(request: BakeRequest, session: AwsSession, profile: str | None, tools: _Tools) -> World:
    collections_path = default_search_path(request.project)
    environment = packer_environment(os.environ, session.region, profile, collections_path)
    patient_clock = SystemClock()
    clock = StoppableClock(patient_clock, tools.stop)
    return World(
        cloud=Ec2(session.ec2()),
        parameters=Ssm(session.ssm()),
        builder=Packer(environment, session.region, tools.stop, request.settings.stop_timeout_seconds),
        checks=SshChecks(request.project, request.settings, os.environ, clock, tools.stop, tools.sockets),
        progress=tools.progress,
        clock=clock,
        patient_clock=patient_clock,
        make_key_pair=make_key_pair,
        random_hex=random_hex,
        owner=lambda: describe_owner(session),
        commit=lambda: read_commit(request.project),
        collections_path=collections_path,
    )


def list_images(image: str | None, aws: AwsOptions) -> tuple[catalog.CatalogEntry, ...]:
    """Return goldfleet's AMIs; see catalog.list_images."""
    session = open_session(aws.profile, aws.region)
    return catalog.list_images(image, Ec2(session.ec2()), Ssm(session.ssm()))


def show_image(wanted: str, aws: AwsOptions) -> catalog.ImageDetails:
    """Return all that is known of an AMI; see catalog.show_image."""
    session = open_session(aws.profile, aws.region)
    return catalog.show_image(wanted, Ec2(session.ec2()), Ssm(session.ssm()))


def roll_back(image: str, aws: AwsOptions) -> str:
    """Make an image's previous AMI current, under the image's lease, and return its id.

    Raises UsageError for an impossible name, RefusedError when there is no such AMI, it cannot be used, or somebody is
    baking the image.
    """
    check_image_name(image)
    session = open_session(aws.profile, aws.region)
    cloud, parameters, clock = Ec2(session.ec2()), Ssm(session.ssm()), SystemClock()
    run = new_run_id(clock)
    holder = Holder(describe_owner(session), run, random_hex(TOKEN_DIGITS))
    lease = Lease(parameters, clock, tags.image_lease(image), holder, ROLLBACK_LEASE)
    publisher = Publisher(cloud, parameters, lease.assert_held)
    return roll_back_under_lease(image, publisher, lease, tags.format_time(clock.now()))


def collect_garbage(
    only_run: str | None, make_executor: Callable[[cleanup.Cleaner], cleanup.Executor], aws: AwsOptions
) -> tuple[cleanup.Removed, ...]:
    """Plan what dead runs left, and give the plan to the executor.

    Raises UsageError when `only_run` is no run id, RefusedError when that run is still at work.
    """
    if only_run is not None:
        tags.check_run_id(only_run)
    session = open_session(aws.profile, aws.region)
    cloud, parameters, clock = Ec2(session.ec2()), Ssm(session.ssm()), SystemClock()
    runs = cleanup.choose_runs(cloud, parameters, clock, only_run)
    cleaner = cleanup.Cleaner(cloud, clock, GC_TIMEOUT_SECONDS)
    cleaner = cleanup.protecting_published(cleaner, runs, parameters)
    return cleanup.collect_garbage(cleanup.plan_removals(cleaner, runs), make_executor(cleaner))
