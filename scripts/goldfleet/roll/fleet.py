"""One Auto Scaling group with its target groups, on the real AWS. Looks and acts; decides nothing."""

from collections.abc import Mapping, Sequence

from goldfleet.aws.autoscaling import AutoScaling
from goldfleet.aws.ec2 import Ec2
from goldfleet.aws.elbv2 import Elbv2
from goldfleet.aws.model import Activity, LaunchSpec, TargetHealth
from goldfleet.roll.model import Snapshot

GROUP_TAG = "aws:autoscaling:groupName"
"""Tag that Auto Scaling puts on each instance. Source: Auto Scaling user guide, "Tag lifecycle"."""


class AwsFleet:
    """A group by its name."""

    def __init__(self, name: str, groups: AutoScaling, targets: Elbv2, machines: Ec2) -> None:
        self._name = name
        self._groups = groups
        self._targets = targets
        self._machines = machines

    def look(self) -> Snapshot | None:
        """Return what is seen now, or None when there is no such group: one call, and one for each target group."""
        group = self._groups.group(self._name)
        if group is None:
            return None
        health: dict[str, dict[str, TargetHealth]] = {}
        for arn in group.target_group_arns:
            health[arn] = {one.instance_id: one for one in self._targets.target_health(arn)}
        return Snapshot(group, health)

    def launch_times(self) -> Mapping[str, float]:
        """Return when each instance of the group was launched, in seconds since the epoch."""
        found = self._machines.instances({f"tag:{GROUP_TAG}": [self._name]})
        return {one.instance_id: one.launched_at.timestamp() for one in found if one.launched_at}

    def names(self) -> tuple[str, ...]:
        """Return the names of all groups there are."""
        return self._groups.group_names()

    def activities(self) -> tuple[Activity, ...]:
        """Return the group's last scaling activities, the newest first."""
        return self._groups.activities(self._name)

    def use_launch(self, launch: LaunchSpec) -> None:
        """Have the group launch from something else."""
        self._groups.use_launch(self._name, launch)

    def set_max_size(self, max_size: int) -> None:
        """Set the maximum size."""
        self._groups.set_max_size(self._name, max_size)

    def set_desired_capacity(self, desired_capacity: int) -> None:
        """Set the desired capacity."""
        self._groups.set_desired_capacity(self._name, desired_capacity)

    def terminate(self, instance_id: str, *, decrements: bool) -> None:
        """Terminate an instance; with `decrements` it is not replaced."""
        self._groups.terminate(instance_id, decrements=decrements)

    def set_tags(self, tags: Mapping[str, str]) -> None:
        """Set tags on the group."""
        self._groups.set_tags(self._name, tags)

    def remove_tags(self, keys: Sequence[str]) -> None:
        """Remove tags from the group."""
        self._groups.remove_tags(self._name, keys)
