"""Put Run Command in the place of moto's; call once, after EC2's install, before moto serves anything."""

import time
from typing import Any

import moto.ssm.urls as ssm_urls
from moto.s3.models import s3_backends

from goldfleet.localcloud.authorization import role_may
from goldfleet.localcloud.ec2.metadata_source import profile_of
from goldfleet.localcloud.ec2.world import World
from goldfleet.localcloud.ssm.actions import LocalSsmResponse
from goldfleet.localcloud.ssm.agent import PodmanAgent
from goldfleet.localcloud.ssm.instances import Ec2Nodes
from goldfleet.localcloud.ssm.schedule import Schedule
from goldfleet.localcloud.ssm.service import Ports, RunCommand
from goldfleet.localcloud.ssm.store import S3Outputs
from goldfleet.localcloud.state import ACCOUNT_ID

__all__ = ["Schedule", "install"]


def install(world: World, ec2_backend: Any) -> Schedule:
    """Extend moto's Systems Manager in this process and return what drives it; the caller starts and stops it."""
    schedule = Schedule(time.time)
    ports = Ports(
        nodes=Ec2Nodes(world, ec2_backend, profile_of, role_may),
        agent=PodmanAgent(world.machines),
        store=S3Outputs(world, s3_backends[ACCOUNT_ID]["aws"]),
    )
    LocalSsmResponse.service = RunCommand(ports, schedule, time.time)
    ssm_urls.url_paths["{0}/$"] = LocalSsmResponse.dispatch
    return schedule
