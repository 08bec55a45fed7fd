"""Put Auto Scaling as goldfleet.scaling models it in the place of moto's groups; call once, before moto serves anything."""

import threading
from collections.abc import Callable, Sequence
from typing import Any

import moto.autoscaling.urls as autoscaling_urls
from moto.autoscaling.models import autoscaling_backends
from moto.moto_api._internal import mock_random

from goldfleet.localcloud.autoscaling.account import Account, Actions
from goldfleet.localcloud.autoscaling.engine import Engine, WallClock
from goldfleet.localcloud.autoscaling.groups import GroupActions
from goldfleet.localcloud.autoscaling.instances import HookActions, InstanceActions, ScheduleActions
from goldfleet.localcloud.autoscaling.launch_configurations import LaunchConfigurationActions, PolicyActions
from goldfleet.localcloud.autoscaling.launches import MotoLaunches
from goldfleet.localcloud.autoscaling.machines import Ec2Machines
from goldfleet.localcloud.autoscaling.requests import Subnets
from goldfleet.localcloud.state import ACCOUNT_ID, REGION
from goldfleet.scaling.group import World
from goldfleet.scaling.ports import LoadBalancer
from goldfleet.scaling.service import AutoScaling


class LocalAutoScalingResponse(
    GroupActions, InstanceActions, HookActions, ScheduleActions, LaunchConfigurationActions, PolicyActions
):
    """Auto Scaling's actions as the local cloud answers them."""


class RandomIds:
    """Ids as AWS makes them."""

    def activity_id(self) -> str:
        """Return a new scaling activity's id."""
        return str(mock_random.uuid4())

    def action_token(self) -> str:
        """Return a new lifecycle action's token."""
        return str(mock_random.uuid4())


def install(
    ec2_backend: Any,
    balancer: LoadBalancer,
    check_target_groups: Callable[[Sequence[str]], None],
    lock: threading.RLock,
) -> Engine:
    """Extend moto's Auto Scaling in this process and return what drives it; the caller starts it.

    balancer is where members are registered; check_target_groups raises AWS's refusal of an ARN that does not exist.
    """
    backend = autoscaling_backends[ACCOUNT_ID][REGION]
    launches = MotoLaunches(backend.launch_configurations, ec2_backend)
    records: dict[str, Any] = {}
    machines = Ec2Machines(ec2_backend, lambda name: records[name].propagated_tags(), launches.configuration)
    scaling = AutoScaling(World(WallClock(), machines, balancer, launches, RandomIds()))
    engine = Engine(scaling, lock)
    subnets = Subnets(ec2_backend.get_subnet, ec2_backend.get_default_subnets)
    Actions.account = Account(scaling, engine, launches, subnets, check_target_groups, records)
    autoscaling_urls.url_paths["{0}/$"] = LocalAutoScalingResponse.dispatch
    return engine
