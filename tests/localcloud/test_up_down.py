"""Starting and ending a local cloud, in order and out of it. Each test has a cloud of its own beside the session's."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.localcloud.conftest import BIN, local_environment, wait_for

GOLDFLEET = str(BIN / "goldfleet")


def local(state: Path, *arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run `goldfleet local` on a state folder."""
    command = [GOLDFLEET, "local", *arguments, "--state", str(state)]
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


def host_traces(cloud_id: str, cidr: str) -> list[str]:
    """Return everything on this host that belongs to a cloud."""
    commands = {
        "container": [
            "podman",
            "ps",
            "--all",
            "--filter",
            f"label=goldfleet.cloud={cloud_id}",
            "--format",
            "{{.Names}}",
        ],
        "network": ["podman", "network", "ls", "--format", "{{.Name}}"],
        "image": ["podman", "images", "--format", "{{.Repository}}:{{.Tag}}"],
        "rule": ["iptables-save"],
        "route": ["ip", "route", "show"],
        "process": ["ps", "-eo", "args"],
    }
    needles = {"route": cidr, "container": "goldfleet"}
    found = []
    for kind, command in commands.items():
        lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        found += [f"{kind}: {line}" for line in lines if needles.get(kind, cloud_id) in line]
    return [trace for trace in found if not (trace.startswith("route: ") and has_another_cloud(cidr))]


def has_another_cloud(cidr: str) -> bool:
    """Say whether a cloud beside this one (tests run side by side) has taken the range since; it gets a second to show."""
    time.sleep(1)
    names = subprocess.run(["podman", "network", "ls", "--quiet"], capture_output=True, text=True, check=True).stdout
    inspect = subprocess.run(
        ["podman", "network", "inspect", *names.split()], capture_output=True, text=True, check=True
    )
    return any(subnet["subnet"] == cidr for one in json.loads(inspect.stdout) for subnet in one.get("subnets") or [])


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """A state folder; whatever the test leaves in it is taken down."""
    folder = tmp_path / "state"
    yield folder
    local(folder, "down")


def test_up_twice_is_one_cloud_and_down_twice_is_no_error(state: Path) -> None:
    assert local(state, "up").returncode == 0
    first = json.loads((state / "cloud.json").read_text())
    again = local(state, "up")
    assert (again.returncode, json.loads((state / "cloud.json").read_text())) == (0, first)
    assert "already up" in again.stderr
    down = local(state, "down")
    assert down.returncode == 0, down.stderr
    assert host_traces(first["cloud_id"], first["cidr"]) == []
    twice = local(state, "down")
    assert (twice.returncode, "already down" in twice.stderr) == (0, True)


def test_server_killed_then_down_leaves_nothing(state: Path) -> None:
    facts = start_with_a_machine(state)
    os.kill(facts["pid"], signal.SIGKILL)
    status = local(state, "status", "--json")
    assert (status.returncode, json.loads(status.stdout)["serving"]) == (3, False)
    assert local(state, "down").returncode == 0
    assert host_traces(facts["cloud_id"], facts["cidr"]) == []


def test_server_killed_then_up_cleans_up_and_serves_again(state: Path) -> None:
    facts = start_with_a_machine(state)
    os.kill(facts["pid"], signal.SIGKILL)
    up = local(state, "up")
    assert up.returncode == 0, up.stderr
    assert "without `down`" in up.stderr
    assert host_traces(facts["cloud_id"], "no route of that kind") == []
    assert json.loads(local(state, "status", "--json").stdout)["serving"] is True


def test_down_finds_a_cloud_whose_state_file_is_lost(state: Path) -> None:
    facts = start_with_a_machine(state)
    (state / "cloud.json").write_text('{"from": "another version"}')
    down = local(state, "down")
    assert (down.returncode, "machine removed" in down.stderr) == (0, True), down.stderr
    assert host_traces(facts["cloud_id"], facts["cidr"]) == []


def test_redirects_that_a_cloud_left_when_its_network_was_removed_by_hand_are_not_met(state: Path) -> None:
    bridges = [f"podman{number}" for number in range(1, 12)]
    stale = [
        ["PREROUTING", "-i", bridge, "-d", "169.254.169.254", "-p", "tcp", "--dport", "80", "-m", "comment",
         "--comment", "goldfleet-gone", "-j", "DNAT", "--to-destination", "10.99.0.1:9"]
        for bridge in bridges
    ]  # fmt: skip
    for rule in stale:
        subprocess.run(["iptables", "--wait", "-t", "nat", "-A", *rule], check=True)
    try:
        assert local(state, "up").returncode == 0
        cloud_id = json.loads((state / "cloud.json").read_text())["cloud_id"]
        rules = subprocess.run(["iptables-save", "-t", "nat"], capture_output=True, text=True, check=True).stdout
        to_metadata = [
            line.split() for line in rules.splitlines() if "169.254.169.254" in line and " -A " in f" {line}"
        ]
        (own,) = [words for words in to_metadata if f"goldfleet-{cloud_id}" in words]
        bridge = own[own.index("-i") + 1]
        assert next(words for words in to_metadata if bridge in words) == own
    finally:
        for rule in stale:
            subprocess.run(["iptables", "--wait", "-t", "nat", "-D", *rule], check=True)


def test_folder_that_holds_something_else_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    (tmp_path / "mine").write_text("")
    refused = local(tmp_path, "up")
    assert refused.returncode == 3
    assert "is not a state folder" in refused.stderr
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine"]


def start_with_a_machine(state: Path) -> dict[str, Any]:
    """Start a cloud with one running machine and return its state."""
    assert local(state, "up").returncode == 0
    facts: dict[str, Any] = json.loads((state / "cloud.json").read_text())
    env = local_environment(state)
    launch = [
        str(BIN / "aws"),
        "ec2",
        "run-instances",
        "--image-id",
        str(facts["base_image_id"]),
        "--instance-type",
        "t3.small",
    ]
    subprocess.run(launch, env=env, check=True, capture_output=True)

    def machines() -> list[dict[str, str]]:
        seen = json.loads(local(state, "status", "--json").stdout)["machines"]
        return [machine for machine in seen if machine["state"] == "running"]

    wait_for("a running machine", machines)
    return facts


def test_taken_range_is_refused_naming_what_overlaps(state: Path) -> None:
    subprocess.run(["ip", "route", "add", "unreachable", "10.99.7.0/24"], check=True)
    try:
        refused = local(state, "up", "--network", "10.99.0.0/16")
    finally:
        subprocess.run(["ip", "route", "del", "unreachable", "10.99.7.0/24"], check=True)
    assert refused.returncode == 3
    assert "10.99.0.0/16 is taken" in refused.stderr
    assert "10.99.7.0/24" in refused.stderr
    assert not (state / "cloud.json").exists()


def test_no_podman_is_said_in_a_sentence(state: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    for program in ("ip", "iptables", "python3"):
        found = subprocess.run(["which", program], capture_output=True, text=True, check=True).stdout.strip()
        (tmp_path / "bin" / program).symlink_to(found)
    refused = local(state, "up", env={**os.environ, "PATH": str(tmp_path / "bin")})
    assert refused.returncode == 3
    assert "needs podman" in refused.stderr
    assert "make setup" in refused.stderr


def test_without_root_is_refused(state: Path, tmp_path: Path) -> None:
    program = (
        "import os; os.setgid(65534); os.setuid(65534)\n"
        "from goldfleet.localcloud.cloud import require_root\n"
        "from goldfleet.errors import RefusedError\n"
        "try:\n    require_root()\nexcept RefusedError as refused:\n    print(refused.exit_code, refused)\n"
    )
    done = subprocess.run([str(BIN / "python"), "-c", "import goldfleet.localcloud.cloud, goldfleet.errors\n" + program],
                          capture_output=True, text=True, check=True)  # fmt: skip
    assert done.stdout.startswith("3 The local cloud makes networks and machines and needs root.")


def test_env_needs_a_cloud_that_serves(state: Path) -> None:
    refused = local(state, "env")
    assert refused.returncode == 3
    assert "goldfleet local up" in refused.stderr


def test_env_shields_the_real_account(state: Path) -> None:
    assert local(state, "up").returncode == 0
    outside = {**os.environ, "AWS_PROFILE": "production", "AWS_SESSION_TOKEN": "real"}
    script = f'eval "$({GOLDFLEET} local env --state {state})" && env'
    lines = subprocess.run(
        ["sh", "-c", script], env=outside, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    seen = dict(line.split("=", 1) for line in lines if "=" in line)
    assert not {"AWS_PROFILE", "AWS_SESSION_TOKEN"} & set(seen)
    assert seen["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    assert not Path(seen["AWS_CONFIG_FILE"]).exists()
    assert not Path(seen["AWS_SHARED_CREDENTIALS_FILE"]).exists()
    assert seen["AWS_EC2_METADATA_DISABLED"] == "true"


def test_up_takes_no_notice_of_the_callers_aws_settings(tmp_path: Path) -> None:
    state = tmp_path / "state"
    env = {**os.environ, "AWS_PROFILE": "nobody-has-this", "AWS_ENDPOINT_URL_SSM": "http://127.0.0.1:1"}
    up = subprocess.run(
        [str(BIN / "goldfleet"), "local", "up", "--state", str(state)], env=env, capture_output=True, check=False
    )
    try:
        assert up.returncode == 0, up.stderr
    finally:
        subprocess.run([str(BIN / "goldfleet"), "local", "down", "--state", str(state)], env=env, check=True)
