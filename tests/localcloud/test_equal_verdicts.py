"""Servers that are spoilt by chance come to the same verdicts by every way of checking them as by plain testinfra.

Ten servers, forty faults that a seeded generator draws, a hundred and sixty checks. One seed always; GOLDFLEET_SEEDS=N tries N
more, each with servers of its own. What was planted where is in planted.txt of the project's folder, and in each failure.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.localcloud.conftest import Cloud, wait_for
from tests.localcloud.planted.draw import Planted, draw
from tests.localcloud.planted.verdicts import Verdicts
from tests.localcloud.planted.ways import TESTINFRA, WAYS, Fleet, Way
from tests.localcloud.test_inside import TRUST

NAME = "equal-verdicts"
SERVERS, FAULTS, FEWEST_KINDS = 10, 40, 12
BOOT_SECONDS = 300
SEEDS = (5, *range(1001, 1001 + int(os.environ.get("GOLDFLEET_SEEDS", "0"))))
PLANTED = Path(__file__).parent / "planted"
MANAGED = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
SETTINGS = f"""[images.app]
specs = "specs"

[groups.{NAME}]
ssh_private_key = "fleet.key"
"""
BAD = ("failed", "error")


@dataclass(frozen=True)
class Spoilt:
    """A fleet with faults, and what plain testinfra finds."""

    fleet: Fleet
    planted: Mapping[str, list[Planted]]
    told: str
    by_testinfra: Verdicts


@pytest.fixture(scope="module")
def profile(cloud: Cloud) -> str:
    """The instance profile of servers that Systems Manager manages."""
    cloud.aws("iam", "create-role", "--role-name", NAME, "--assume-role-policy-document", TRUST)
    cloud.aws("iam", "attach-role-policy", "--role-name", NAME, "--policy-arn", MANAGED)
    cloud.aws("iam", "create-instance-profile", "--instance-profile-name", NAME)
    cloud.aws("iam", "add-role-to-instance-profile", "--instance-profile-name", NAME, "--role-name", NAME)
    return NAME


@pytest.fixture(scope="module", params=SEEDS)
def seed(request: pytest.FixtureRequest) -> int:
    """What the faults are drawn by."""
    return int(request.param)


@pytest.fixture(scope="module")
def fleet(seed: int, cloud: Cloud, profile: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """A group of servers that run the application, and a project with its specs."""
    group = f"{NAME}-{seed}"
    cloud.aws(
        "autoscaling", "create-launch-configuration", "--launch-configuration-name", group, "--image-id", cloud.base_image(),
        "--instance-type", "t3.small", "--key-name", "tests", "--security-groups", "tests", "--iam-instance-profile", profile,
        "--user-data", f"file://{PLANTED / 'user_data.sh'}",
    )  # fmt: skip
    cloud.aws(
        "autoscaling", "create-auto-scaling-group", "--auto-scaling-group-name", group, "--launch-configuration-name", group,
        "--min-size", str(SERVERS), "--max-size", str(SERVERS), "--availability-zones", f"{cloud.env['AWS_REGION']}a",
    )  # fmt: skip
    try:
        servers = wait_for(f"{SERVERS} servers", lambda: in_service(cloud, group), BOOT_SECONDS)
        for one in servers:
            wait_until_made(cloud, one)
        yield Fleet(cloud, group, servers, *make_project(cloud, group, servers, tmp_path_factory.mktemp(group)))
    finally:
        cloud.aws("autoscaling", "delete-auto-scaling-group", "--auto-scaling-group-name", group, "--force-delete")


def in_service(cloud: Cloud, group: str) -> dict[str, str] | None:
    """Return the address of each server by its instance id, once all are in service."""
    query = "AutoScalingGroups[0].Instances[?LifecycleState=='InService'].InstanceId"
    words = ("describe-auto-scaling-groups", "--auto-scaling-group-names", group, "--query", query)
    ids = sorted(cloud.aws("autoscaling", *words))
    return {one: cloud.instance(one)["PrivateIpAddress"] for one in ids} if len(ids) == SERVERS else None


def make_project(cloud: Cloud, group: str, servers: Mapping[str, str], folder: Path) -> tuple[Path, Path]:
    """Write a project with the specs, and a configuration of ssh with one connection a server; return both."""
    (folder / "specs").mkdir()
    for module in (PLANTED / "specs").glob("[a-z]*.py"):
        shutil.copy(module, folder / "specs" / f"test_{module.name}")
    shutil.copy(cloud.key_file, folder / "fleet.key")
    (folder / "goldfleet.toml").write_text(SETTINGS.replace(NAME, group))
    (folder / "known_hosts").write_text("".join(cloud.pinned_host_keys(one).read_text() for one in servers))
    lines = (
        f"IdentityFile {folder}/fleet.key",
        "IdentitiesOnly yes",
        "StrictHostKeyChecking yes",
        f"UserKnownHostsFile {folder}/known_hosts",
        f"ControlPath {folder}/%h",
    )
    (folder / "ssh_config").write_text("Host *\n" + "".join(f"  {line}\n" for line in lines))
    return folder, folder / "ssh_config"


def run_as_root(cloud: Cloud, instance_id: str, command: str, seconds: float = 120) -> subprocess.CompletedProcess[str]:
    """Run a shell command on a server, past all ways in that are looked at here."""
    cloud_id = json.loads((cloud.state / "cloud.json").read_text())["cloud_id"]
    words = ["podman", "exec", f"goldfleet-{cloud_id}-{instance_id}", "sh", "-euc", command]
    return subprocess.run(words, capture_output=True, text=True, check=False, timeout=seconds)


def wait_until_made(cloud: Cloud, instance_id: str) -> None:
    """Wait until user_data.sh has come to its end, and with it the boot; fail with what it said where it has not."""
    done = run_as_root(cloud, instance_id, "cloud-init status --wait; test -e /opt/app/dressed", BOOT_SECONDS)
    if done.returncode != 0:
        said = run_as_root(cloud, instance_id, "cloud-init status --long; tail -n 30 /var/log/cloud-init-output.log")
        pytest.fail(f"{instance_id} was not made: {done.stdout}{done.stderr}{said.stdout}{said.stderr}")


@pytest.fixture(scope="module")
def spoilt(seed: int, fleet: Fleet) -> Spoilt:
    """The fleet with its faults."""
    ids = list(fleet.servers)
    planted: dict[str, list[Planted]] = {one: [] for one in ids}
    for one in draw(seed, SERVERS, FAULTS):
        planted[ids[one.server]].append(one)
    told = "".join(
        f"{server} {fleet.servers[server]}: {one.kind}: {one.fault.command}\n    must fail: {one.fault.check}\n"
        for server, own in planted.items()
        for one in own
    )
    (fleet.project / "planted.txt").write_text(f"seed {seed}\n{told}")
    for server, own in planted.items():
        for one in own:
            done = run_as_root(fleet.cloud, server, one.fault.command)
            assert done.returncode == 0, f"not planted: {one}\n{done.stdout[-1000:]}{done.stderr[-1000:]}"
    return Spoilt(fleet, planted, f"seed {seed}, {fleet.project}\n{told}", TESTINFRA.check(fleet))


def different_ends(wanted: Verdicts, seen: Verdicts) -> list[str]:
    """Return, a line each, which checks do not end alike, or are not there."""
    return [
        f"{key}: {wanted.get(key)}, not {seen.get(key)}"
        for key in sorted({*wanted, *seen})
        if key not in wanted or key not in seen or wanted[key].outcome != seen[key].outcome
    ]


def different_messages(wanted: Verdicts, seen: Verdicts) -> list[str]:
    """Return, a line each, which checks end for another reason than is wanted."""
    return [
        f"{key}: {found.message}, not {seen[key].message}"
        for key, found in wanted.items()
        if found.message != seen[key].message
    ]


@pytest.mark.parametrize("seed", range(50), ids=str)
def test_drawn_faults_are_of_many_kinds_and_undo_nothing(seed: int) -> None:
    planted = draw(seed, SERVERS, FAULTS)
    assert planted == draw(seed, SERVERS, FAULTS)
    assert (len(planted), len({one.kind for one in planted}) >= FEWEST_KINDS) == (FAULTS, True)
    assert len({one.server for one in planted}) < SERVERS
    for server in range(SERVERS):
        touched = [thing for one in planted if one.server == server for thing in one.fault.touches]
        assert len(touched) == len(set(touched))


@pytest.mark.long
def test_servers_are_good_before_they_are_spoilt(fleet: Fleet) -> None:
    by_testinfra = TESTINFRA.check(fleet)
    assert [(key, found) for key, found in by_testinfra.items() if found.outcome in BAD] == []
    assert {server for server, _ in by_testinfra} == set(fleet.servers)
    for way in WAYS[:2]:
        assert way.check(fleet) == by_testinfra, way.name


@pytest.mark.long
def test_every_planted_fault_is_seen_and_a_spared_server_is_good(spoilt: Spoilt) -> None:
    bad = {key for key, found in spoilt.by_testinfra.items() if found.outcome in BAD}
    unseen = [one for server, own in spoilt.planted.items() for one in own if (server, one.fault.check) not in bad]
    assert not unseen, f"{unseen}\n{spoilt.told}"
    assert {server for server, own in spoilt.planted.items() if own} == {server for server, _ in bad}, spoilt.told


@pytest.mark.long
@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_verdicts_are_those_of_testinfra(way: Way, spoilt: Spoilt) -> None:
    seen = way.check(spoilt.fleet)
    ends = different_ends(spoilt.by_testinfra, seen)
    assert not ends, "\n".join([*ends, spoilt.told])
    messages = different_messages(spoilt.by_testinfra, seen)
    assert not messages, "\n".join([*messages, spoilt.told])
