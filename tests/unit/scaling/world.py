"""A world for Auto Scaling without a machine: time moves when told, machines boot, targets become healthy and drain."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from goldfleet.scaling import service
from goldfleet.scaling.group import Group, World
from goldfleet.scaling.lifecycle import LifecycleState
from goldfleet.scaling.model import (
    Activity,
    GroupSpec,
    Launch,
    LaunchSource,
    MachineState,
    Member,
    Settings,
    TargetState,
    Zone,
)
from goldfleet.scaling.refusals import LaunchFailedError

START = 1_795_443_330.0  # 2026-11-23T14:15:30Z
ZONES = (Zone("us-east-1a", "subnet-a"), Zone("us-east-1b", "subnet-b"), Zone("us-east-1c", "subnet-c"))
TEMPLATE = LaunchSource(launch_template_name="web", launch_template_version="$Latest")
CONFIGURATION = LaunchSource(launch_configuration_name="web-1")


class VirtualClock:
    """Stands still until a test moves it."""

    def __init__(self) -> None:
        self.seconds = START

    def now(self) -> float:
        return self.seconds


class CountedIds:
    """Ids in order."""

    def __init__(self) -> None:
        self.count = 0

    def activity_id(self) -> str:
        self.count += 1
        return f"activity-{self.count}"

    def action_token(self) -> str:
        self.count += 1
        return f"token-{self.count}"


@dataclass
class Machine:
    """One machine: it runs from `runs_at` on, and is gone from `gone_at` on."""

    zone: str
    launch: Launch | None
    runs_at: float
    gone_at: float | None = None
    fault: MachineState | None = None


@dataclass
class MachinesThatBoot:
    """Machines take `boot_seconds` to run and `stop_seconds` to be gone; zones named in `full_zones` have no capacity."""

    clock: VirtualClock
    boot_seconds: float = 3.0
    stop_seconds: float = 2.0
    full_zones: set[str] = field(default_factory=set)
    all: dict[str, Machine] = field(default_factory=dict)
    terminated: list[str] = field(default_factory=list)

    def launch(self, launch: Launch, zone: Zone, group_name: str) -> str:
        if zone.name in self.full_zones:
            raise LaunchFailedError(f"There is no capacity in {zone.name}")
        return self.add(zone.name, launch, self.clock.now() + self.boot_seconds)

    def add(self, zone: str, launch: Launch | None = None, runs_at: float = 0.0) -> str:
        """Start a machine that Auto Scaling did not ask for."""
        instance_id = f"i-{len(self.all) + 1:017x}"
        self.all[instance_id] = Machine(zone, launch, runs_at)
        return instance_id

    def terminate(self, instance_id: str) -> None:
        self.terminated.append(instance_id)
        machine = self.all[instance_id]
        if machine.gone_at is None:
            machine.gone_at = self.clock.now() + self.stop_seconds

    def state(self, instance_id: str) -> MachineState:
        machine = self.all.get(instance_id)
        now = self.clock.now()
        if machine is None:
            return MachineState.TERMINATED
        if machine.gone_at is not None:
            return MachineState.TERMINATED if now >= machine.gone_at else MachineState.SHUTTING_DOWN
        return machine.fault or (MachineState.RUNNING if now >= machine.runs_at else MachineState.PENDING)

    def zone(self, instance_id: str) -> str:
        return self.all[instance_id].zone if instance_id in self.all else ""


@dataclass
class BalancerThatDrains:
    """Targets are healthy `check_seconds` after registration and drain for `delay_seconds`; none is registered twice."""

    clock: VirtualClock
    check_seconds: float = 2.0
    delay_seconds: float = 4.0
    registered: dict[str, dict[str, float]] = field(default_factory=dict)
    draining: dict[str, dict[str, float]] = field(default_factory=dict)
    unhealthy: set[str] = field(default_factory=set)

    def register(self, target_group_arn: str, instance_id: str) -> None:
        targets = self.registered.setdefault(target_group_arn, {})
        assert instance_id not in targets, f"{instance_id} is registered twice"
        targets[instance_id] = self.clock.now() + self.check_seconds

    def deregister(self, target_group_arn: str, instance_id: str) -> None:
        del self.registered[target_group_arn][instance_id]
        self.draining.setdefault(target_group_arn, {})[instance_id] = self.clock.now() + self.delay_seconds

    def health(self, target_group_arn: str) -> Mapping[str, TargetState]:
        now = self.clock.now()
        draining = self.draining.get(target_group_arn, {})
        for instance_id in [instance_id for instance_id, until in draining.items() if now >= until]:
            del draining[instance_id]
        seen = dict.fromkeys(draining, TargetState.DRAINING)
        for instance_id, healthy_at in self.registered.get(target_group_arn, {}).items():
            if instance_id in self.unhealthy:
                seen[instance_id] = TargetState.UNHEALTHY
            else:
                seen[instance_id] = TargetState.HEALTHY if now >= healthy_at else TargetState.INITIAL
        return seen


@dataclass
class LaunchesOfTwoKinds:
    """Launch configurations by name, and versions of the launch template `web`; version n is the image ami-n."""

    configurations: dict[str, float] = field(default_factory=lambda: {"web-1": 1.0, "web-2": 2.0})
    latest: int = 1
    default: int = 1

    def resolve(self, source: LaunchSource) -> Launch:
        if source.launch_configuration_name:
            if source.launch_configuration_name not in self.configurations:
                raise LaunchFailedError(f"Launch configuration name not found - {source.launch_configuration_name}")
            created_at = self.configurations[source.launch_configuration_name]
            return Launch(launch_configuration_name=source.launch_configuration_name, created_at=created_at)
        named = {"$Latest": self.latest, "$Default": self.default}
        version = named.get(source.launch_template_version) or int(source.launch_template_version)
        if not 1 <= version <= self.latest:
            raise LaunchFailedError(f"Launch template version {version} does not exist")
        return Launch(
            launch_template_id=source.launch_template_id,
            launch_template_name=source.launch_template_name,
            launch_template_version=version,
            image_id=f"ami-{version}",
            created_at=10.0,
        )


class Cloud:
    """Auto Scaling in such a world, and short words for what tests do with it."""

    def __init__(self, settings: Settings | None = None) -> None:
        self.clock = VirtualClock()
        self.machines = MachinesThatBoot(self.clock)
        self.balancer = BalancerThatDrains(self.clock)
        self.launches = LaunchesOfTwoKinds()
        self.scaling = service.AutoScaling(
            World(self.clock, self.machines, self.balancer, self.launches, CountedIds(), settings or Settings())
        )

    def create(self, minimum: int = 0, maximum: int = 10, desired: int = 3, **changes: object) -> Group:
        """Make the group `web` and let it act once."""
        spec = GroupSpec("web", minimum, maximum, desired, TEMPLATE, ZONES)
        for name, value in changes.items():
            object.__setattr__(spec, name, value)
        group = self.scaling.create_group(spec)
        self.scaling.tick()
        return group

    def running(self, minimum: int = 0, maximum: int = 10, desired: int = 3, **changes: object) -> Group:
        """Make the group and let it come into service."""
        group = self.create(minimum, maximum, desired, **changes)
        self.pass_time(30)
        return group

    def pass_time(self, seconds: float) -> None:
        """Move the clock, ticking whenever Auto Scaling wants to."""
        end = self.clock.seconds + seconds
        wake = self.scaling.tick()
        while wake is not None and wake <= end:
            assert wake > self.clock.seconds, "a tick must not ask to be called again at once"
            self.clock.seconds = wake
            wake = self.scaling.tick()
        self.clock.seconds = end
        self.scaling.tick()


def states(group: Group) -> dict[str, int]:
    """Return how many members are in each lifecycle state."""
    counts: dict[str, int] = {}
    for member in group.roster:
        counts[str(member.state)] = counts.get(str(member.state), 0) + 1
    return counts


def in_service(group: Group) -> list[Member]:
    """Return the members in service."""
    return group.roster.within(LifecycleState.IN_SERVICE)


def ids(group: Group) -> list[str]:
    """Return the ids of all members, in the order in which they joined."""
    return [member.instance_id for member in group.roster]


def activities(group: Group, start: str = "") -> Iterator[Activity]:
    """Yield the activities whose description starts so, newest first."""
    return (activity for activity in group.journal.newest_first() if activity.description.startswith(start))


def zones(group: Group) -> list[str]:
    """Return the zones of the members in service, sorted, by their last letter."""
    return sorted(member.zone[-1] for member in in_service(group))
