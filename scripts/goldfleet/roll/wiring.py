"""Builds the real objects for rolls. Nothing is decided here."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from goldfleet.aws.autoscaling import AutoScaling
from goldfleet.aws.ec2 import Ec2
from goldfleet.aws.elbv2 import Elbv2
from goldfleet.aws.launch_templates import LaunchTemplates
from goldfleet.aws.session import AwsSession
from goldfleet.aws.ssm import Ssm
from goldfleet.clock import SystemClock
from goldfleet.config.overrides import with_options
from goldfleet.config.reading import load_settings
from goldfleet.config.settings import GroupSettings, ImageSettings
from goldfleet.roll.evidence import EvidenceFolder
from goldfleet.roll.failed_units import FailedUnits
from goldfleet.roll.fleet import AwsFleet
from goldfleet.roll.gate import VerifyGate
from goldfleet.roll.launches import AwsImages, AwsLaunches
from goldfleet.roll.model import Policy
from goldfleet.roll.ports import RollRequest, World
from goldfleet.runs import describe_owner, random_hex
from goldfleet.stop import StopFlag, StoppableClock
from goldfleet.verify.wiring import Run, build_fleet_checks, private_key_of


@dataclass(frozen=True)
class Options:
    """What the command line says; None is an option that was not given."""

    project: Path
    group: str
    image_id: str | None = None
    surge: str | None = None
    warm_up_seconds: int | None = None
    may_raise_max: bool = False
    ssh_private_key: str | None = None

    def settings(self) -> tuple[str, GroupSettings, ImageSettings]:
        """Return the group's image, its settings as the command line changes them, and the image's settings.

        Raises UsageError when one of them is wrong.
        """
        settings = load_settings(self.project)
        given = {
            "surge": self.surge, "warm_up_seconds": self.warm_up_seconds, "ssh_private_key": self.ssh_private_key
        }  # fmt: skip
        name, image = settings.pick_image_of(self.group)
        return name, with_options(settings.pick_group(self.group), given), image


def build_request(options: Options) -> RollRequest:
    """Return what is asked for, with goldfleet.toml's settings for what the command line does not say.

    Raises UsageError when the settings or the options are wrong.
    """
    image, group, _ = options.settings()
    policy = Policy(group.surge, group.warm_up_seconds, group.ready_timeout_minutes * 60)
    return RollRequest(options.group, image, policy, options.image_id, options.may_raise_max)


def build_world(
    options: Options, session: AwsSession, note: Callable[[str], None], line: Callable[[str], None], stop: StopFlag
) -> World:
    """Return the real world for commands on one group. `note` gets what the roll says, `line` what its checks say.

    Raises UsageError when the settings are wrong, the group's private key or the specs are not there.
    """
    _, group, image = options.settings()
    groups, machines = AutoScaling(session.autoscaling()), Ec2(session.ec2())
    fleet = AwsFleet(options.group, groups, Elbv2(session.elbv2()), machines)
    clock = SystemClock()

    def make_gate(roll_id: str) -> VerifyGate:
        own_stop = StopFlag()
        checks = build_fleet_checks(Run(options.project, roll_id, own_stop), group, image, session)
        return VerifyGate(checks, own_stop, lambda instance_id, text: line(f"{instance_id} | {text}"))

    def make_witness(roll_id: str) -> EvidenceFolder:
        folder = options.project / ".goldfleet" / "reports" / roll_id
        units = FailedUnits(machines, image.ssh_username, private_key_of(options.project, group))
        return EvidenceFolder(folder, machines.console_output, units.read, fleet.activities)

    return World(
        fleet=fleet,
        launches=AwsLaunches(groups, LaunchTemplates(session.ec2())),
        images=AwsImages(machines),
        parameters=Ssm(session.ssm()),
        clock=StoppableClock(clock, stop),
        patient_clock=clock,
        make_gate=make_gate,
        make_witness=make_witness,
        note=note,
        random_hex=random_hex,
        owner=lambda: describe_owner(session),
        lease_minutes=group.lease_minutes,
    )
