"""`goldfleet roll` on real servers behind the real balancer, and what can go wrong in the middle."""

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.localcloud.conftest import Cloud, wait_for
from tests.localcloud.fleets import SERVERS, Fleet, fleet, fleet_project

__all__ = ["fleet"]

KILLS = 10
LEASE_SECONDS = 60 + 30  # a killed roll's lease of a minute, and the skew that is allowed to clocks


def assert_clean(fleet: Fleet, sizes: tuple[int, int, int] = (2, 3, 6)) -> None:
    """Assert that nothing is left of a roll."""
    assert fleet.sizes() == sizes
    assert fleet.roll_tags() == {}


def test_roll_replaces_every_server_and_never_has_fewer_healthy(fleet: Fleet) -> None:
    image = fleet.copy_image("second")
    before, started = set(fleet.members()), time.time()
    done = fleet.roll("start", "--image-id", image, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["replaced"] == SERVERS
    fleet.wait_healthy()
    assert set(fleet.images().values()) == {image}
    assert before.isdisjoint(fleet.members())
    assert fleet.lowest_healthy(started, time.time()) >= SERVERS
    assert_clean(fleet)


def test_roll_to_what_runs_already_has_nothing_to_do(fleet: Fleet) -> None:
    (image,) = set(fleet.images().values())
    members = set(fleet.members())
    done = fleet.roll("start", "--image-id", image, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["action"] == "nothing to do"
    assert set(fleet.members()) == members


def test_plan_shows_steps_and_changes_nothing(fleet: Fleet) -> None:
    image, members = fleet.copy_image("planned"), set(fleet.members())
    done = fleet.roll("plan", "--image-id", image)
    assert done.returncode == 0, done.stderr
    assert "Only the first step is certain" in done.stdout
    assert set(fleet.members()) == members
    assert_clean(fleet)


def test_what_speaks_against_a_roll_is_told_all_at_once(fleet: Fleet) -> None:
    autoscaling = fleet.client("autoscaling")
    autoscaling.suspend_processes(AutoScalingGroupName="web", ScalingProcesses=["Launch"])
    autoscaling.update_auto_scaling_group(AutoScalingGroupName="web", MaxSize=SERVERS)
    try:
        done = fleet.roll("start", "--image-id", "ami-0123456789abcdef0")
    finally:
        autoscaling.update_auto_scaling_group(AutoScalingGroupName="web", MaxSize=6)
        autoscaling.resume_processes(AutoScalingGroupName="web", ScalingProcesses=["Launch"])
    assert done.returncode == 3
    for words in ("ami-0123456789abcdef0", "Launch", "max_size"):
        assert words in done.stderr
    assert_clean(fleet)


def test_unknown_group_names_those_that_exist(fleet: Fleet) -> None:
    done = fleet.cloud.goldfleet("roll", "start", "wev", "--project", str(fleet.project), check=False)
    assert done.returncode == 3
    assert "web" in done.stderr


def test_broken_image_stops_the_roll_keeps_the_old_servers_and_the_evidence(fleet: Fleet) -> None:
    before, started = set(fleet.members()), time.time()
    done = fleet.roll("start", "--image-id", fleet.broken_image("broken"), seconds=400)
    assert done.returncode == 5, done.stderr
    assert "Target.FailedHealthChecks" in done.stderr
    assert before <= set(fleet.members())
    assert fleet.lowest_healthy(started, time.time()) >= SERVERS
    (roll_id,) = [value for key, value in fleet.roll_tags().items() if key == "goldfleet:roll:id"]
    evidence = fleet.project / ".goldfleet" / "reports" / roll_id
    kept = "\n".join(file.name for file in evidence.rglob("*") if file.is_file())
    assert "-console.log" in kept
    assert "-units.txt" in kept
    seen = [json.loads(file.read_text()) for file in evidence.glob("i-*.json")]
    assert "Target.FailedHealthChecks" in json.dumps(seen)
    assert str(evidence.relative_to(fleet.project)) in done.stderr
    assert fleet.roll("abort").returncode == 0
    fleet.wait_healthy()
    assert set(fleet.members()) == before
    assert_clean(fleet)


@pytest.mark.long
def test_rollback_returns_to_the_previous_image_with_exit_7(fleet: Fleet) -> None:
    current = set(fleet.images().values())
    done = fleet.roll("rollback", "--json")
    assert done.returncode == 7, done.stderr
    fleet.wait_healthy()
    assert set(fleet.images().values()) == {fleet.image_id} != current
    assert_clean(fleet)


@pytest.mark.long
def test_desired_capacity_changed_in_the_middle_is_kept(fleet: Fleet) -> None:
    image = fleet.copy_image("with-a-change")
    process = fleet.start_roll("start", "--image-id", image)
    wait_for("own surge", lambda: fleet.sizes()[1] == SERVERS + 1, 60)
    fleet.client("autoscaling").set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=SERVERS + 2)
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    fleet.wait_healthy(SERVERS + 2)
    assert set(fleet.images().values()) == {image}
    assert_clean(fleet, (2, SERVERS + 2, 6))
    fleet.client("autoscaling").set_desired_capacity(AutoScalingGroupName="web", DesiredCapacity=SERVERS)
    fleet.wait_healthy()


def test_second_start_is_refused_and_status_names_the_holder(fleet: Fleet) -> None:
    process = fleet.start_roll("start", "--image-id", fleet.copy_image("held"))
    wait_for("the roll's tags", fleet.roll_tags, 60)
    second = fleet.roll("start")
    assert second.returncode == 3
    assert f"web has a roll already ({fleet.roll_tags()['goldfleet:roll:id']}" in second.stderr
    assert f"process {process.pid}" in json.loads(fleet.roll("status", "--json").stdout)["holder"]
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=120)
    assert process.returncode == 5, said
    assert "goldfleet roll resume" in said
    done = fleet.roll("abort")
    assert done.returncode == 0, done.stderr
    fleet.wait_healthy()
    assert_clean(fleet)


def test_server_without_nginx_is_unhealthy_within_15_s_and_replaced(fleet: Fleet) -> None:
    victim = next(iter(fleet.members()))
    fleet.cloud.ssh(victim, "sudo systemctl stop nginx")
    stopped = time.monotonic()
    wait_for("unhealthy", lambda: victim not in fleet.healthy(), 30)
    assert time.monotonic() - stopped < 15
    wait_for("taken out", lambda: fleet.members().get(victim) != "InService", 60)
    fleet.wait_healthy()


@pytest.mark.long
def test_server_that_dies_in_the_middle_of_a_roll_is_replaced_by_a_new_one(fleet: Fleet) -> None:
    image, victim = fleet.copy_image("with-a-death"), next(iter(fleet.members()))
    process = fleet.start_roll("start", "--image-id", image)
    wait_for("own surge", lambda: fleet.sizes()[1] == SERVERS + 1, 60)
    fleet.cloud.ec2.terminate_instances(InstanceIds=[victim])
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said
    fleet.wait_healthy()
    assert set(fleet.images().values()) == {image}
    assert_clean(fleet)


@pytest.mark.long
def test_ten_kills_in_a_row_are_resumed_from_other_folders(cloud: Cloud, fleet: Fleet, tmp_path: Path) -> None:
    seeded, started, rows = random.Random(20261125), time.time(), []  # noqa: S311 - moments, no secrets
    for number in range(KILLS):
        image = fleet.copy_image(f"killed-{number}")
        process = fleet.start_roll("start", "--image-id", image)
        moment = seeded.uniform(1.0, 25.0)
        ended = kill_after(process, moment)
        tags = fleet.roll_tags()
        elsewhere = fleet_project(tmp_path / f"elsewhere-{number}", cloud.key_file)
        if not ended and tags:
            done = resume_until_allowed(fleet, elsewhere)
            assert done.returncode == 0, done.stderr
        elif not ended:  # killed before the first tag: nothing was begun
            start_until_allowed(fleet, image)
        fleet.wait_healthy()
        assert set(fleet.images().values()) == {image}
        assert_clean(fleet)
        rows.append(f"{number + 1:2d} killed after {moment:5.1f} s, tags then: {tags.get('goldfleet:roll:surge', '-')}")
    print("\n".join(rows))  # noqa: T201 - the table that the note shows
    assert fleet.lowest_healthy(started, time.time()) >= SERVERS


def kill_after(process: subprocess.Popen[str], seconds: float) -> bool:
    """Kill a roll and all that it started with signal 9 after a while; tell whether it had ended before."""
    try:
        process.communicate(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        return False
    return True


def resume_until_allowed(fleet: Fleet, project: Path) -> subprocess.CompletedProcess[str]:
    """Resume from another folder, again and again until the dead roll's lease has ended."""
    deadline = time.monotonic() + LEASE_SECONDS + 30
    while True:
        done = fleet.cloud.goldfleet("roll", "resume", "web", "--project", str(project), check=False)
        if done.returncode != 3 or time.monotonic() > deadline:
            return done
        time.sleep(3)


def start_until_allowed(fleet: Fleet, image: str) -> None:
    """Start the roll, again and again until the dead one's lease has ended."""

    def started() -> bool:
        done = fleet.roll("start", "--image-id", image)
        assert done.returncode in (0, 3), done.stderr
        return done.returncode == 0

    wait_for("the lease's end", started, LEASE_SECONDS + 60)
