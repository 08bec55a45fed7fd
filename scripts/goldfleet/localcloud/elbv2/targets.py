"""Target groups as Auto Scaling sees them: the port `goldfleet.scaling.ports.LoadBalancer`, answered from memory.

Call under the world's lock. Nothing here waits: registering writes an intention, and a load balancer's worker carries it out.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from moto.elbv2.exceptions import TargetGroupNotFoundError

from goldfleet.localcloud.balancer.model import Target
from goldfleet.scaling.model import TargetState


class InstanceTargets:
    """Instances in target groups, at the target group's own port; a target group that is gone has none."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def register(self, target_group_arn: str, instance_id: str) -> None:
        """Add a target."""
        group = self._backend.target_groups.get(target_group_arn)
        if group is not None:
            self._backend.register_unchecked(target_group_arn, [Target(instance_id, int(group.port))])

    def deregister(self, target_group_arn: str, instance_id: str) -> None:
        """Take a target out; it drains for the target group's deregistration delay."""
        if target_group_arn in self._backend.target_groups:
            self._backend.deregister_targets(target_group_arn, [{"Id": instance_id}])

    def health(self, target_group_arn: str) -> Mapping[str, TargetState]:
        """Return the state of every target by instance id."""
        if target_group_arn not in self._backend.target_groups:
            return {}
        seen = self._backend.health_of(target_group_arn)
        return {target.instance_id: health.state for target, health in seen.items()}

    def require(self, target_group_arns: Sequence[str]) -> None:
        """Raise ELB's TargetGroupNotFound unless all target groups exist."""
        for arn in target_group_arns:
            if arn not in self._backend.target_groups:
                raise TargetGroupNotFoundError()
