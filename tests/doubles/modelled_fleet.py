"""An Auto Scaling group of goldfleet.scaling's model behind the Fleet port, whose caller may die before any call."""

import fnmatch
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from goldfleet.aws.model import Activity, AutoScalingGroup, GroupInstance, LaunchSpec, TargetHealth
from goldfleet.roll.model import Snapshot
from goldfleet.scaling import membership, sizes
from goldfleet.scaling.model import GroupUpdate, Launch, LaunchSource
from tests.doubles.parameters import InMemoryParameters
from tests.unit.scaling.world import Cloud


class Killed(BaseException):
    """The process dies: nothing after this runs, not even what catches errors."""


class ParametersThatDie(InMemoryParameters):
    """Parameters whose caller dies with the process: a killed process does not release its lease."""

    is_dead = False

    def _called(self, operation: str, name: str = "") -> None:
        if self.is_dead:
            raise Killed
        super()._called(operation, name)


class CloudClock:
    """The model's clock; sleeping lets the model act. `later` are things that happen at a time."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.later: list[tuple[float, Callable[[], None]]] = []
        self.watchers: list[Callable[[], None]] = []
        self.began = cloud.clock.seconds

    def now(self) -> datetime:
        return datetime.fromtimestamp(self.cloud.clock.seconds, UTC)

    def monotonic(self) -> float:
        return self.cloud.clock.seconds

    def sleep(self, seconds: float) -> None:
        end = self.cloud.clock.seconds + seconds
        while self.cloud.clock.seconds < end:
            self.cloud.pass_time(min(0.5, end - self.cloud.clock.seconds))
            for due in [one for one in self.later if one[0] <= self.cloud.clock.seconds - self.began]:
                self.later.remove(due)
                due[1]()
            for watch in self.watchers:
                watch()


class ModelledFleet:
    """A group of the model. `faults` maps patterns of "Operation argument" to an error that the next such call raises,
    before it is done, or, with a leading `lost `, after it. `dies_at` is the call before which the process dies.
    """

    def __init__(self, cloud: Cloud, name: str = "web") -> None:
        self.cloud = cloud
        self.group = cloud.scaling.groups[name]
        self.tags: dict[str, str] = {}
        self.calls: list[str] = []
        self.faults: dict[str, Exception] = {}
        self.dies_at: int | None = None
        self.on_death: Callable[[], None] = lambda: None
        self.lag_looks = 0  # how many looks after a change of the desired capacity still show the number from before
        self._stale: tuple[int, int] = (0, 0)  # looks left, the number

    @property
    def mutations(self) -> list[str]:
        """Return the calls that change something."""
        reads = ("DescribeAutoScalingGroups", "DescribeTargetHealth", "DescribeInstances", "DescribeScalingActivities")
        return [one for one in self.calls if not one.startswith(reads)]

    def look(self) -> Snapshot | None:
        self._called("DescribeAutoScalingGroups")
        self.cloud.scaling.tick()
        spec, source = self.group.spec, self.group.spec.source
        seen = AutoScalingGroup(
            name=spec.name,
            min_size=spec.min_size,
            max_size=spec.max_size,
            desired_capacity=self._desired_shown(),
            launch=LaunchSpec(
                source.launch_configuration_name,
                source.launch_template_id,
                source.launch_template_name,
                source.launch_template_version if source.launch_template_id else "",
            ),
            instances=tuple(
                GroupInstance(
                    one.instance_id, str(one.state), one.health_status, spec_of(one.launch), one.zone, one.is_protected
                )
                for one in self.group.roster
            ),
            target_group_arns=spec.target_group_arns,
            suspended=dict(self.group.suspended),
            tags=dict(self.tags),
        )
        return Snapshot(seen, {arn: self._health(arn) for arn in spec.target_group_arns})

    def _desired_shown(self) -> int:
        left, number = self._stale
        self._stale = (max(0, left - 1), number)
        return number if left else self.group.spec.desired_capacity

    def _changes_desired(self) -> None:
        self._stale = (self.lag_looks, self.group.spec.desired_capacity)

    def _health(self, arn: str) -> dict[str, TargetHealth]:
        self._called("DescribeTargetHealth")
        found = self.cloud.balancer.health(arn)
        return {instance_id: TargetHealth(instance_id, str(state)) for instance_id, state in found.items()}

    def launch_times(self) -> Mapping[str, float]:
        self._called("DescribeInstances")
        return {one.instance_id: one.launched_at for one in self.group.roster}

    def names(self) -> tuple[str, ...]:
        return tuple(self.cloud.scaling.groups)

    def activities(self) -> tuple[Activity, ...]:
        self._called("DescribeScalingActivities")
        seen = self.group.journal.newest_first()
        return tuple(Activity(one.activity_id, one.description, one.cause, one.status_code) for one in seen)

    def use_launch(self, launch: LaunchSpec) -> None:
        source = LaunchSource(launch.launch_configuration_name, launch.launch_template_id, "", launch.version)
        self._do(f"UpdateAutoScalingGroup {launch}", lambda: sizes.update_group(self.group, GroupUpdate(source=source)))

    def set_max_size(self, max_size: int) -> None:
        update = GroupUpdate(max_size=max_size)
        self._do(f"UpdateAutoScalingGroup MaxSize={max_size}", lambda: sizes.update_group(self.group, update))

    def set_desired_capacity(self, desired_capacity: int) -> None:
        self._changes_desired()
        self._do(
            f"SetDesiredCapacity {desired_capacity}", lambda: sizes.set_desired_capacity(self.group, desired_capacity)
        )

    def terminate(self, instance_id: str, *, decrements: bool) -> None:
        if decrements:
            self._changes_desired()

        def act() -> None:
            if self.group.roster.get(instance_id):
                membership.terminate_instance(*self.cloud.scaling.member(instance_id), decrements=decrements)

        self._do(f"TerminateInstanceInAutoScalingGroup {instance_id} {decrements}", act)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        assert all(0 < len(value) <= 256 for value in tags.values()), tags
        self._do(f"CreateOrUpdateTags {tags}", lambda: self.tags.update(tags))

    def remove_tags(self, keys: Sequence[str]) -> None:
        self._do("DeleteTags", lambda: [self.tags.pop(key, None) for key in keys])

    def _do(self, call: str, act: Callable[[], object]) -> None:
        self._called(call)
        act()
        self.cloud.scaling.tick()
        self._raise_fault(f"lost {call}")

    def _called(self, call: str) -> None:
        if self.dies_at is not None and len(self.calls) >= self.dies_at:
            self.on_death()
            raise Killed
        self.calls.append(call)
        self._raise_fault(call)

    def _raise_fault(self, call: str) -> None:
        for pattern in list(self.faults):
            if fnmatch.fnmatchcase(call, pattern):
                raise self.faults.pop(pattern)


def spec_of(launch: Launch | None) -> LaunchSpec:
    """Return what an instance was launched from, as AWS tells it."""
    if launch is None:
        return LaunchSpec()
    if launch.launch_configuration_name:
        return LaunchSpec(launch.launch_configuration_name)
    return LaunchSpec("", launch.launch_template_id, launch.launch_template_name, str(launch.launch_template_version))
