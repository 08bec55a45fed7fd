"""The Nodes port: instances of the local EC2 whose role lets an SSM agent register. Called with or without the API's lock.

The agent of a managed node is emulated (`agent`); what makes an instance one is what AWS asks for besides the agent: an
instance profile whose role may call ssm:UpdateInstanceInformation, as AmazonSSMManagedInstanceCore lets it. Source: Systems
Manager user guide, "Configure instance permissions required for Systems Manager".
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any

from goldfleet.localcloud.ec2.world import World
from goldfleet.localcloud.ssm.ports import Node, Reach

REGISTERING = "ssm:UpdateInstanceInformation"
# A new instance is pending until its machine runs; it registers then. One that is started again has registered before.
REACHES = {"running": Reach.ONLINE, "stopping": Reach.STOPPED, "stopped": Reach.STOPPED}


class Ec2Nodes:
    """Managed nodes among EC2's instances.

    profile_of returns an instance's profile or None, may says whether a role (by name) may do an action.
    """

    def __init__(
        self, world: World, ec2_backend: Any, profile_of: Callable[[Any], Any], may: Callable[[str, str], bool]
    ) -> None:
        self._world = world
        self._ec2 = ec2_backend
        self._profile_of = profile_of
        self._may = may

    def all(self) -> list[Node]:
        """Return every managed node that is not being terminated."""
        with self._world.lock:
            return list(self._nodes())

    def reach(self, instance_id: str) -> Reach:
        """Return how a node can be reached now; one that boots is as good as stopped."""
        with self._world.lock:
            instance = self._ec2.get_instance_by_id(instance_id)
            if instance is None:
                return Reach.GONE
            return Reach.STOPPED if instance.state == "pending" else REACHES.get(instance.state, Reach.GONE)

    def _nodes(self) -> Iterator[Node]:
        may_register = functools.cache(lambda role_name: self._may(role_name, REGISTERING))
        for instance in self._ec2.all_instances():
            profile = self._profile_of(instance) if instance.state in REACHES else None
            if profile is not None and profile.roles and may_register(profile.roles[0].name):
                yield Node(
                    instance_id=instance.id,
                    name=instance.private_dns_name,
                    address=instance.private_ip,
                    reach=REACHES[instance.state],
                    tags={tag["key"]: tag["value"] for tag in instance.get_tags()},
                    registered_at=instance.launch_time.timestamp(),
                )
