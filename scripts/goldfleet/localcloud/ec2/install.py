"""Put the extended records, backend and answers in moto's place; call once, before moto serves anything."""

from typing import Any

import moto.ec2.models as ec2_models
import moto.ec2.urls as ec2_urls
from moto.ec2.models import amis, elastic_network_interfaces, instances, launch_templates, subnets

from goldfleet.localcloud.ec2 import models
from goldfleet.localcloud.ec2.backend import LocalEC2Backend
from goldfleet.localcloud.ec2.responses import LocalEC2Response
from goldfleet.localcloud.ec2.templates import LocalLaunchTemplate
from goldfleet.localcloud.ec2.world import World
from goldfleet.localcloud.state import ACCOUNT_ID, REGION


def install(world: World) -> Any:
    """Extend moto's EC2 in this process and return the backend of the cloud's region."""
    # moto looks these classes up by name when it writes a record.
    instances.Instance = models.LocalInstance
    elastic_network_interfaces.NetworkInterface = models.LocalNetworkInterface
    subnets.Subnet = models.LocalSubnet
    amis.Ami = models.LocalAmi
    launch_templates.LaunchTemplate = LocalLaunchTemplate
    LocalEC2Backend.world = world
    ec2_models.ec2_backends.backend = LocalEC2Backend
    ec2_urls.url_paths["{0}/"] = LocalEC2Response.dispatch
    return ec2_models.ec2_backends[ACCOUNT_ID][REGION]
