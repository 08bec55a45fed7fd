"""Measure what [roles] promises on a local cloud of its own; gates nothing. Run: python -m tests.bench.roles [--rounds N]

In turn, each time on a fresh server of the base image: app_server.yml as it is (pipelining), app_server.yml with Mitogen, and
the floor, a shell script with the same packages in one apt transaction and the same files (roles_floor). The first two are run
a second time with nothing to change. Seconds are those of the command, with Ansible's start; packages come from Debian's mirror
in all of them.

Then servers are launched and registered in the target group of a running fleet, in turn: one of the golden image, and one of
the base image whose user data is the floor's script; its archive comes from S3. Seconds are from RunInstances to the load
balancer's own record that the target is healthy. The user data is the quickest that could be written: with Ansible in it the
ratio would be larger.
"""

import argparse
import functools
import statistics
import time
from collections.abc import Callable, Sequence

from goldfleet.demo.logs import read_events
from goldfleet.localcloud.state import StateFolder
from tests.bench.fleet_site import running_fleet
from tests.bench.roles_floor import Floor, work_out
from tests.bench.roles_site import Applied, apply, bare_server, open_doors, prove_served, run_floor
from tests.localcloud.conftest import wait_for
from tests.localcloud.fleets import Fleet

ROUNDS = 3
LONGEST_LAUNCH_SECONDS = 600.0
FIRST_RATIO_TARGET = 2.5
SECOND_TARGET_SECONDS = 25.0
LAUNCH_RATIO_TARGET = 5.0
Figures = dict[str, list[float]]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure in turn, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.roles", description="Measure the roles.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of each measurement (default {ROUNDS})")
    rounds = parser.parse_args(arguments).rounds
    applied: Figures = {}
    launched: Figures = {}
    with running_fleet() as fleet:
        open_doors(fleet.cloud)
        floor = find_floor(fleet)
        for number in range(rounds):
            measure_applying(fleet, floor, applied)
            show(f"round {number + 1}", applied)
        user_data = floor.script(
            f"curl --silent --fail '{fleet.cloud.offer('goldfleet-bench', 'floor.tar.gz', floor.archive)}'"
        )
        for number in range(rounds):
            measure_launches(fleet, user_data, launched)
            show(f"round {number + 1}", launched)
    print_table(applied, launched)


def find_floor(fleet: Fleet) -> Floor:
    """Work the floor out from two servers, and say what is in it."""
    configured, plain = bare_server(fleet.cloud), bare_server(fleet.cloud)
    apply(fleet.cloud, configured)
    floor = work_out(fleet.cloud, configured, plain)
    fleet.cloud.terminate(configured, plain)
    print(
        f"floor: {len(floor.packages)} packages, {len(floor.archive) / 1024:.0f} KiB of files, starts {floor.started}",
        flush=True,
    )
    return floor


def measure_applying(fleet: Fleet, floor: Floor, figures: Figures) -> None:
    """Have each way configure a fresh server, and keep its seconds."""
    for name, with_mitogen in (("pipelining", False), ("mitogen", True)):
        server = bare_server(fleet.cloud)
        keep_runs(figures, name, functools.partial(apply, fleet.cloud, server, with_mitogen=with_mitogen))
        prove_served(fleet.cloud, server)
        fleet.cloud.terminate(server)
    server = bare_server(fleet.cloud)
    figures.setdefault("floor, first run", []).append(run_floor(fleet.cloud, server, floor))
    prove_served(fleet.cloud, server)
    fleet.cloud.terminate(server)


def keep_runs(figures: Figures, name: str, run: Callable[[], Applied]) -> None:
    """Run twice and keep the figures of both; the second must find nothing to do."""
    first, second = run(), run()
    if second.changed:
        raise RuntimeError(f"{name}: the second run changed {second.changed} tasks")
    figures.setdefault(f"{name}, first run", []).append(first.seconds)
    figures.setdefault(f"{name}, second run", []).append(second.seconds)
    figures.setdefault(f"{name}, second run, per 100 tasks", []).append(second.seconds / second.tasks * 100)
    figures.setdefault(f"{name}, tasks of the second run", []).append(second.tasks)


def measure_launches(fleet: Fleet, user_data: str, figures: Figures) -> None:
    """Launch a server each way, and keep its seconds until it is healthy."""
    for name, image, script in (
        ("golden image, launch to healthy", fleet.image_id, ""),
        ("user data, launch to healthy", fleet.cloud.base_image(), user_data),
    ):
        figures.setdefault(name, []).append(time_launch(fleet, image, script))


def time_launch(fleet: Fleet, image: str, user_data: str) -> float:
    """Return the seconds from RunInstances to the balancer's word that the server is healthy."""
    ec2, elbv2 = fleet.cloud.ec2, fleet.client("elbv2")
    (arn,) = fleet.group()["TargetGroupARNs"]
    member = fleet.cloud.instance(next(iter(fleet.members())))
    groups = [group["GroupId"] for group in member["SecurityGroups"]]
    started = time.time()
    launched = ec2.run_instances(
        ImageId=image, InstanceType="t3.small", MinCount=1, MaxCount=1, SecurityGroupIds=groups, KeyName="tests",
        SubnetId=member["SubnetId"], UserData=user_data,
    )  # fmt: skip
    server = launched["Instances"][0]["InstanceId"]
    fleet.cloud.wait_state(server, "running")
    elbv2.register_targets(TargetGroupArn=arn, Targets=[{"Id": server}])
    events = StateFolder(fleet.cloud.state).balancer_events

    def healthy_at() -> float | None:
        seen = read_events(events, arn).events
        return next((event.time for event in seen if event.target == server and event.state == "healthy"), None)

    seconds = float(wait_for(f"{server} to be healthy", healthy_at, LONGEST_LAUNCH_SECONDS) or 0) - started
    elbv2.deregister_targets(TargetGroupArn=arn, Targets=[{"Id": server}])
    fleet.cloud.terminate(server)
    return seconds


def show(title: str, figures: Figures) -> None:
    """Print the newest of each figure in a line."""
    print(f"{title}: " + "; ".join(f"{name} {values[-1]:.1f}" for name, values in figures.items()), flush=True)


def print_table(applied: Figures, launched: Figures) -> None:
    """Print medians with their targets, and the ratios of medians."""
    targets = {"pipelining, second run": f"{SECOND_TARGET_SECONDS:.0f}"}
    print(f"\n{'seconds':44} {'median':>8} {'min':>8} {'max':>8}  target")
    for name, values in (applied | launched).items():
        row = (statistics.median(values), min(values), max(values))
        print(f"{name:44} " + " ".join(f"{value:8.1f}" for value in row) + f"  {targets.get(name, '-')}")
    medians = {name: statistics.median(values) for name, values in (applied | launched).items()}
    ratios = [
        ("pipelining, first run", "floor, first run", f"at most {FIRST_RATIO_TARGET}"),
        ("mitogen, first run", "floor, first run", "-"),
        ("pipelining, first run", "mitogen, first run", "-"),
        ("pipelining, second run", "mitogen, second run", "-"),
        ("user data, launch to healthy", "golden image, launch to healthy", f"at least {LAUNCH_RATIO_TARGET}"),
    ]
    print(f"\n{'ratio of medians':72} target")
    for name, base, target in ratios:
        print(f"{name + ' / ' + base:64} {medians[name] / medians[base]:7.2f} {target}")


if __name__ == "__main__":
    main()
