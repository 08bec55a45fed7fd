"""The fleet that tests.bench.fleet measures: a local cloud of its own, one real bake, the foundation, three servers.

Looks at the fleet the way tests/localcloud does. Neighbours: fleet_runs, which rolls images through it.
"""

import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from goldfleet.localcloud import cloud as local_cloud
from goldfleet.localcloud.state import StateFolder
from tests.localcloud.conftest import Cloud, local_environment
from tests.localcloud.fleets import GROUP, SERVERS, Fleet, fleet_project

SURGE = 1


@contextmanager
def running_fleet() -> Iterator[Fleet]:
    """Three servers of a freshly baked image behind the balancer; the whole cloud is removed at the end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        state = StateFolder(folder / "state")
        local_cloud.up(state, None, quiet)
        try:
            yield build_fleet(Cloud(folder, state.path, local_environment(state.path)))
        finally:
            local_cloud.down(state, quiet)


def quiet(_text: str) -> None:
    """Say nothing."""


def build_fleet(cloud: Cloud) -> Fleet:
    """Bake the project's image and build the foundation with it, sizes so that no command has to raise max_size."""
    cloud.run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(cloud.key_file))
    project = fleet_project(cloud.folder / "project", cloud.key_file)
    baked = json.loads(cloud.goldfleet("bake", "--project", str(project), "--json").stdout)
    fleet = Fleet(cloud, project, baked["image_id"])
    gateway = json.loads(StateFolder(cloud.state).file.read_text())["cidr"].rpartition(".")[0] + ".1"
    fleet.playbook(
        "foundation.yml",
        aws_foundation_group=GROUP,
        aws_foundation_public_key=Path(f"{cloud.key_file}.pub").read_text().strip(),
        aws_foundation_ssh_source_cidrs=[f"{gateway}/32"],
        aws_foundation_http_redirects=False,
        aws_foundation_min_size=SERVERS,
        aws_foundation_desired_capacity=SERVERS,
        aws_foundation_max_size=SERVERS + SURGE + 1,
    )
    fleet.wait_healthy()
    return fleet


def resize(fleet: Fleet, **sizes: int) -> None:
    """Change sizes of the group; names as UpdateAutoScalingGroup has them."""
    fleet.client("autoscaling").update_auto_scaling_group(AutoScalingGroupName=GROUP, **sizes)


def balancer_url(fleet: Fleet) -> str:
    """Return where the load goes."""
    (balancer,) = fleet.client("elbv2").describe_load_balancers()["LoadBalancers"]
    return f"http://{balancer['DNSName']}/"
