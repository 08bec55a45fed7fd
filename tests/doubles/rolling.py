"""A world for rolls without a machine: goldfleet.scaling's model behind the ports, on a virtual clock that watches the floor.

Whenever time passes, the number of instances that serve is looked at: at no moment of the model's may it be lower than
the roll's floor, whatever the driver saw.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from goldfleet import tags
from goldfleet.aws.model import Image, LaunchSpec
from goldfleet.roll.model import Fit, GateResult, GateVerdict, Policy, Roll, Snapshot
from goldfleet.roll.ports import RollRequest, World
from goldfleet.scaling import health, sizes
from goldfleet.scaling.lifecycle import LifecycleState
from goldfleet.scaling.model import Launch, LaunchSource
from tests.doubles.clock import VirtualClock
from tests.doubles.modelled_fleet import CloudClock, Killed, ModelledFleet, ParametersThatDie
from tests.unit.scaling.world import Cloud

TEMPLATE_ID = "lt-0abc"
ARN = "tg-1"
LEASE_IS_OVER_SECONDS = 160
OLD, NEW = "ami-1", "ami-2"


class VersionsByNumber:
    """Launch template versions: version n launches ami-n; a launch configuration web-n too."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.made: list[str] = []

    def pin(self, launch: LaunchSpec) -> Fit:
        if not launch.is_template:
            return Fit(launch, f"ami-{launch.launch_configuration_name.rpartition('-')[2]}")
        named = {"$Latest": self.cloud.launches.latest, "$Default": self.cloud.launches.default}
        number = named.get(launch.version) or int(launch.version)
        return Fit(LaunchSpec("", launch.launch_template_id, "", str(number)), f"ami-{number}")

    def find(self, current: LaunchSpec, image_id: str) -> Fit | None:
        number = int(image_id.removeprefix("ami-"))
        if not current.is_template:
            is_there = f"web-{number}" in self.cloud.launches.configurations
            return Fit(LaunchSpec(f"web-{number}"), image_id) if is_there else None
        if number > self.cloud.launches.latest:
            return None
        return Fit(LaunchSpec("", TEMPLATE_ID, "", str(number)), image_id)

    def make(self, current: LaunchSpec, image_id: str, roll_id: str) -> Fit:
        found = self.find(current, image_id)
        if found:
            return found
        self.made.append(image_id)
        self.cloud.launches.latest = max(self.cloud.launches.latest, int(image_id.removeprefix("ami-")))
        made = self.find(current, image_id)
        assert made is not None
        return made

    def snapshots(self, launch: LaunchSpec) -> frozenset[str]:
        return frozenset()

    def exists(self, launch: LaunchSpec) -> bool:
        return not launch.is_template or int(launch.version) <= self.cloud.launches.latest


@dataclass
class ImagesOfOneArchitecture:
    """AMIs that are there: all that are not in `gone`; `states` and `architectures` say what is not as usual."""

    gone: set[str] = field(default_factory=set)
    states: dict[str, str] = field(default_factory=dict)
    architectures: dict[str, str] = field(default_factory=dict)

    def image(self, image_id: str) -> Image | None:
        if image_id in self.gone:
            return None
        state = self.states.get(image_id, "available")
        return Image(image_id, image_id, state, self.architectures.get(image_id, "x86_64"), "2026-11-23")


@dataclass
class GateOfTheModel:
    """Finds every instance good at once, but those of AMIs in `broken` failed, and those in `unreachable` so often."""

    fleet: ModelledFleet
    broken: set[str] = field(default_factory=set)
    unreachable: dict[str, int] = field(default_factory=dict)
    begun: list[str] = field(default_factory=list)
    found: dict[str, GateResult] = field(default_factory=dict)
    is_closed: bool = False

    def begin(self, instance_ids: Sequence[str]) -> None:
        for one in instance_ids:
            self.begun.append(one)
            member = self.fleet.group.roster.get(one)
            image = self.image_of(member.launch if member else None)
            if self.unreachable.get(image, 0):
                self.unreachable[image] -= 1
                self.found[one] = GateResult(one, GateVerdict.UNREACHABLE, image, "unreachable: no route")
            elif image in self.broken:
                self.found[one] = GateResult(one, GateVerdict.FAILED, image, "test_web_stack::test_nginx_is_running")
            else:
                self.found[one] = GateResult(one, GateVerdict.GOOD, image)

    @staticmethod
    def image_of(launch: Launch | None) -> str:
        if launch is None:
            return ""
        return launch.image_id or f"ami-{launch.launch_configuration_name.rpartition('-')[2]}"

    def results(self) -> Mapping[str, GateResult]:
        return dict(self.found)

    def close(self) -> None:
        self.is_closed = True


@dataclass
class WitnessThatRemembers:
    """Keeps whose evidence was asked for, and whether the instance was there still."""

    kept: list[tuple[str, ...]] = field(default_factory=list)
    were_here: list[bool] = field(default_factory=list)

    def keep(
        self, roll: Roll, snapshot: Snapshot, instance_ids: Sequence[str], results: Mapping[str, GateResult]
    ) -> str:
        here = {one.instance_id for one in snapshot.group.instances if not one.lifecycle_state.startswith("Term")}
        self.kept.append(tuple(instance_ids))
        self.were_here += [one in here for one in instance_ids]
        return f".goldfleet/reports/{roll.roll_id}"


class RollingWorld:
    """A group `web` in service, ready to be rolled, and the words that tests use."""

    def __init__(self, desired: int = 3, minimum: int = 1, maximum: int = 30, **changes: object) -> None:
        self.cloud = Cloud()
        self.cloud.launches.latest = 2
        source = changes.pop("source", LaunchSource(launch_template_id=TEMPLATE_ID, launch_template_version="1"))
        usual: dict[str, object] = {
            "source": source,
            "target_group_arns": (ARN,),
            "health_check_types": frozenset({"EC2", "ELB"}),
        }
        self.group = self.cloud.running(minimum, maximum, desired, **{**usual, **changes})
        self.fleet = ModelledFleet(self.cloud)
        self.clock = CloudClock(self.cloud)
        self.lease_clock = VirtualClock()  # leases are renewed by a thread, in the machine's own time
        self.clock.watchers.append(self.watch_floor)
        self.launches = VersionsByNumber(self.cloud)
        self.images = ImagesOfOneArchitecture()
        self.parameters = ParametersThatDie()
        self.fleet.on_death = lambda: setattr(self.parameters, "is_dead", True)
        self.parameters.put(tags.current_parameter("app"), NEW)
        self.gate = GateOfTheModel(self.fleet)
        self.witness = WitnessThatRemembers()
        self.notes: list[str] = []
        self.original = self.wanted = self.floor = desired
        self.lowest_margin = 10**6
        self.runs = 0

    @property
    def world(self) -> World:
        """Return the ports for one command; each has a gate and a lease of its own."""
        self.runs += 1
        self.parameters.is_dead = False
        return World(
            fleet=self.fleet,
            launches=self.launches,
            images=self.images,
            parameters=self.parameters,
            clock=self.clock,
            patient_clock=self.lease_clock,
            make_gate=lambda _roll: self.gate,
            make_witness=lambda _roll: self.witness,
            note=self.notes.append,
            random_hex=lambda digits: f"{self.runs:0{digits}x}",
            owner=lambda: f"ann@host{self.runs}",
            lease_minutes=2,
        )

    def killed_at(self, call: int, act: Callable[[World], object]) -> bool:
        """Do something that dies before so many calls from now; tell whether it died. The lease has run out afterwards."""
        self.fleet.dies_at = len(self.fleet.calls) + call
        try:
            act(self.world)
        except Killed:
            self.clock.sleep(LEASE_IS_OVER_SECONDS)
            self.lease_clock.pass_time(seconds=LEASE_IS_OVER_SECONDS)
            return True
        finally:
            self.fleet.dies_at = None
        return False

    def request(self, surge: int | str = 1, image_id: str | None = None, *, raise_max: bool = False) -> RollRequest:
        """Return a request for the group."""
        return RollRequest("web", "app", Policy(surge, 10, 300), image_id, raise_max)

    def serving(self) -> int:
        """Return how many instances serve at this moment of the model."""
        healthy = self.cloud.balancer.health(ARN)
        members = self.group.roster.within(LifecycleState.IN_SERVICE)
        return sum(one.health_status == "Healthy" and str(healthy.get(one.instance_id)) == "healthy" for one in members)

    def watch_floor(self) -> None:
        """Keep how near the serving came to the floor: what people wanted, or want since they wanted less."""
        self.lowest_margin = min(self.lowest_margin, self.serving() - self.floor)

    def scale(self, change: int) -> None:
        """Change the desired capacity as people or alarms do: by so many from what is there, which is then what is wanted.

        Whom a scale-in takes is Auto Scaling's choice, old ones first: one that serves, though others do not yet.
        """
        if change < 0:
            self.floor = max(0, min(self.floor, self.serving()) + change)
        sizes.set_desired_capacity(self.group, self.group.spec.desired_capacity + change)
        self.wanted = self.group.spec.desired_capacity
        self.floor = min(self.floor, self.wanted)

    def set_to(self, desired: int) -> None:
        """Set the desired capacity to a number, as terraform or a schedule does, whatever is there."""
        self.scale(desired - self.group.spec.desired_capacity)

    def images_here(self) -> dict[str, int]:
        """Return how many instances that count run each AMI."""
        counts: dict[str, int] = {}
        counted = ("Pending", "Pending:Wait", "Pending:Proceed", "InService", "Standby")
        for one in self.group.roster:
            if str(one.state) in counted:
                image = GateOfTheModel.image_of(one.launch)
                counts[image] = counts.get(image, 0) + 1
        return counts

    def roll_tags(self) -> dict[str, str]:
        """Return the tags of a roll in progress."""
        return {key: value for key, value in self.fleet.tags.items() if key.startswith(tags.ROLL_PREFIX)}

    def lose(self, number: int) -> None:
        """Have a member fail; the floor is lower from now on, for nobody can serve in its place at once."""
        member = list(self.group.roster)[number % len(self.group.roster)]
        if member.state is LifecycleState.IN_SERVICE:
            self.floor -= 1
            health.set_instance_health(self.group, member, "Unhealthy")

    def lose_new(self) -> None:
        """Have the newest member fail, if it is of the new image."""
        member = list(self.group.roster)[-1]
        if GateOfTheModel.image_of(member.launch) == NEW and member.state is LifecycleState.IN_SERVICE:
            health.set_instance_health(self.group, member, "Unhealthy")
