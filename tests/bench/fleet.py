"""Measure what [fleet] promises on a local cloud of its own; gates nothing. Run: python -m tests.bench.fleet [--rounds N]

One bake; the images that are rolled are copies of its AMI, so that all servers are alike. On the same group, images and
load, in turn: `goldfleet roll` with one instance of surge and five seconds of warm-up, and amazon.aws.autoscaling_group
with replace_all_instances and replace_batch_size 1, once with min_size equal to the desired capacity and once below it.

What the two promise is not the same. The roll waits until each new server is healthy in the target group, has stayed so
for the warm-up, and has passed the checks of `goldfleet verify` by SSH, before an old one goes; what another machine needs
to resume it is on the group. The module waits until as many targets are healthy as min_size says, looks every 10 s, checks
nothing on a server, and leaves the raised sizes behind when it dies. Its replace_all_instances is deprecated and goes with
amazon.aws 14. Seconds are those of the command, with Python's and Ansible's start. A server here is healthy seconds after
its launch: on AWS, where that takes a minute or more, the module's pauses weigh less and the ratio of seconds is smaller.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Sequence

from goldfleet.demo.logs import read_events
from goldfleet.localcloud.state import StateFolder
from tests.bench import roll_decision
from tests.bench.fleet_runs import RATE, WARM_UP_SECONDS, Contender, Run, measure, playbook_command, roll_command
from tests.bench.fleet_site import resize, running_fleet
from tests.localcloud.conftest import wait_for
from tests.localcloud.fleets import SERVERS, Fleet

ROUNDS = 2
LAUNCHES = 3
LAUNCH_TARGET_SECONDS = 10.0
ROLL_SLACK_SECONDS = 15.0
READS_TARGET = 2
CONTENDERS = (
    Contender("goldfleet", SERVERS, roll_command),
    Contender("module", SERVERS, playbook_command),
    Contender("module, min 2", SERVERS - 1, playbook_command),
)
FIGURES: dict[str, Callable[[Run], float]] = {
    "seconds": lambda run: run.seconds,
    "lowest healthy targets": lambda run: run.lowest_healthy,
    "requests sent": lambda run: run.sent,
    "requests failed": lambda run: run.failed,
    "checks on new servers": lambda run: run.checks,
    "API calls": lambda run: run.calls,
    "of these, reads": lambda run: run.reads,
}


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure in turn, and print the tables."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.fleet", description="Measure the fleet.")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help=f"of the comparison (default {ROUNDS})")
    rounds = parser.parse_args(arguments).rounds
    runs: dict[str, list[Run]] = {contender.name: [] for contender in CONTENDERS}
    with running_fleet() as fleet:
        launches = [time_launch(fleet) for _ in range(LAUNCHES)]
        for number in range(rounds):
            for contender in CONTENDERS:
                image_id = fleet.copy_image(f"{contender.name.replace(', ', '-').replace(' ', '-')}-{number}")
                run = measure(fleet, contender, image_id)
                runs[contender.name].append(run)
                print(f"round {number + 1}, {contender.name}: {describe(run)}", flush=True)
    print_promises(launches, runs[CONTENDERS[0].name])
    print_comparison(runs)


def time_launch(fleet: Fleet) -> float:
    """Return the seconds from one more wanted instance to the balancer's word that it is healthy."""
    before, started = fleet.healthy(), time.time()
    resize(fleet, DesiredCapacity=SERVERS + 1)
    (target,) = wait_for("a healthy new target", lambda: fleet.healthy() - before)
    events = read_events(StateFolder(fleet.cloud.state).balancer_events).events
    healthy_at = next(event.time for event in events if event.target == target and event.state == "healthy")
    resize(fleet, DesiredCapacity=SERVERS)
    fleet.wait_healthy()
    return healthy_at - started


def describe(run: Run) -> str:
    """Return a run as one line."""
    return ", ".join(f"{name} {value(run):.{1 if name == 'seconds' else 0}f}" for name, value in FIGURES.items())


def print_promises(launches: Sequence[float], rolls: Sequence[Run]) -> None:
    """Print what the issue promises beside what was seen. A turn is told by its DescribeAutoScalingGroups."""
    launch = statistics.median(launches)
    allowed = SERVERS * (launch + WARM_UP_SECONDS) + ROLL_SLACK_SECONDS
    looks = [run.actions["DescribeAutoScalingGroups"] for run in rolls]
    reads = [run.actions["DescribeAutoScalingGroups"] + run.actions["DescribeTargetHealth"] for run in rolls]
    rows: list[tuple[str, Sequence[float], str]] = [
        ("desired capacity + 1 to healthy, s", launches, f"{LAUNCH_TARGET_SECONDS:.0f}"),
        ("roll of 3 by 1, s", [run.seconds for run in rolls], f"{allowed:.0f} = 3 x (launch + warm-up) + 15"),
        ("turns of a roll", looks, "-"),
        ("looks a turn", [count / turns for count, turns in zip(reads, looks, strict=True)], f"{READS_TARGET}"),
        (
            "reads a turn, with the checks' own",
            [run.reads / turns for run, turns in zip(rolls, looks, strict=True)],
            "-",
        ),
        ("one decision at 1000 instances, ms", [roll_decision.measure(1000)], f"{roll_decision.TARGET_MS:.0f}"),
    ]
    print(f"\n{'figure':36} {'median':>8} {'min':>8} {'max':>8}  target")
    for name, values, target in rows:
        print(f"{name:36} {statistics.median(values):8.2f} {min(values):8.2f} {max(values):8.2f}  {target}")


def print_comparison(runs: dict[str, list[Run]]) -> None:
    """Print medians for each contender, and the others' ratio to the first."""
    names = list(runs)
    print(f"\nall {SERVERS} servers replaced by 1 under {RATE} requests a second, medians of {len(runs[names[0]])}")
    print(f"{'figure':24}" + "".join(f"{name:>16} {'ratio':>6}" for name in names))
    for figure, value in FIGURES.items():
        medians = [statistics.median(map(value, runs[name])) for name in names]
        print(f"{figure:24}" + "".join(f"{median:16.1f} {ratio(median, medians[0]):>6}" for median in medians))


def ratio(value: float, base: float) -> str:
    """Return how many times the base a value is, "-" when there is no base."""
    return f"{value / base:.2f}" if base else "-"


if __name__ == "__main__":
    main()
