"""Put the extended records and backend in moto's place; call once, after EC2's, before moto serves anything."""

import shutil
import threading
from typing import Any

import moto.elbv2.models as elbv2_models

from goldfleet.localcloud.balancer.logs import AccessLog, JsonLines, datagram_listener
from goldfleet.localcloud.ec2.world import World
from goldfleet.localcloud.elbv2.backend import LocalELBv2Backend
from goldfleet.localcloud.elbv2.balancers import Balancers
from goldfleet.localcloud.elbv2.models import LocalLoadBalancer, LocalTargetGroup
from goldfleet.localcloud.elbv2.targets import InstanceTargets
from goldfleet.localcloud.state import ACCOUNT_ID, REGION, StateFolder


def install(world: World, folder: StateFolder) -> InstanceTargets:
    """Extend moto's ELBv2 in this process and return its target groups, for Auto Scaling."""
    elbv2_models.FakeLoadBalancer = LocalLoadBalancer
    elbv2_models.FakeTargetGroup = LocalTargetGroup
    elbv2_models.elbv2_backends.backend = LocalELBv2Backend
    shutil.rmtree(folder.balancers, ignore_errors=True)  # what an earlier cloud left
    listener = datagram_listener(world.state.gateway)

    def backend() -> Any:
        return elbv2_models.elbv2_backends[ACCOUNT_ID][REGION]

    balancers = Balancers(
        world, folder.balancers, JsonLines(folder.balancer_events), listener.getsockname()[1], backend
    )
    LocalELBv2Backend.balancers = balancers
    LocalTargetGroup.users = staticmethod(lambda arn: backend().users(arn))
    world.load_balancers = balancers.members
    access_log = AccessLog(listener, JsonLines(folder.balancer_access), balancers.name_at, balancers.arn_of)
    threading.Thread(target=access_log.follow, name="access log", daemon=True).start()
    return InstanceTargets(backend())
