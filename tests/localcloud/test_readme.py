"""Every shell block of README.md is run as it stands, on the local cloud.

Not run, but looked at: `make demo`, which test_demo runs, `make test`, of which this is a part, and the block marked
`# needs AWS`.
"""

import re
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.localcloud.bakes import RunningBake, pointers, small_project
from tests.localcloud.conftest import ROOT, Cloud

HEADING_OR_BLOCK = re.compile(r"^## (?P<heading>[^\n]+)$|^```sh\n(?P<block>.*?)^```$", re.MULTILINE | re.DOTALL)
NEEDS_AWS = "# needs AWS"
TRY, BAKE, SERVERS, LOCAL = "Try it", "Bake", "Configure servers without an image", "The local cloud by hand"
ACCOUNT, ROLL = "Build the account's part", "Verify and roll"


def read_blocks() -> dict[str, list[str]]:
    """Return the shell blocks of README under each heading that has some."""
    blocks: dict[str, list[str]] = {}
    heading = ""
    for found in HEADING_OR_BLOCK.finditer((ROOT / "README.md").read_text(encoding="utf-8")):
        heading = found["heading"] or heading
        if found["block"]:
            blocks.setdefault(heading, []).append(found["block"])
    return blocks


def is_about_group(line: str) -> bool:
    """Tell whether a command is about the group `web`: the others of their blocks are about servers of no group."""
    return "web" in line.split("#", maxsplit=1)[0].split()


def run_block(block: str, folder: Path, env: dict[str, str], timeout: float = 600) -> str:
    """Run a block in a shell that ends at the first error; return what it printed on stdout."""
    done = subprocess.run(
        ["sh", "-eu", "-c", block],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    if done.returncode != 0:
        pytest.fail(f"exit {done.returncode} of the block\n{block}\n{done.stdout}\n{done.stderr}")
    return done.stdout


@pytest.fixture(scope="module")
def server(cloud: Cloud) -> Iterator[str]:
    """A bare, running server with the tag of the fleet."""
    (instance_id,) = cloud.launch(
        "--tag-specifications", "ResourceType=instance,Tags=[{Key=goldfleet:role,Value=app_server}]"
    )
    cloud.wait_state(instance_id, "running")
    cloud.pinned_host_keys(instance_id)
    yield instance_id
    cloud.terminate(instance_id)


@pytest.fixture(scope="module")
def project(cloud: Cloud, server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Ansible needs of the project, with the server's host key known."""
    folder = tmp_path_factory.mktemp("project")
    for name in ("inventory", "playbooks", "roles", "tests/fleet"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("ansible.cfg", "goldfleet.toml"):
        shutil.copy(ROOT / name, folder / name)
    (folder / ".goldfleet").mkdir()
    shutil.copy(cloud.pinned_host_keys(server), folder / ".goldfleet" / "known_hosts")
    return folder


@pytest.fixture(scope="module")
def ansible_env(cloud: Cloud, server: str) -> dict[str, str]:
    """What README tells to set for a server."""
    return cloud.env | {
        "GOLDFLEET_SERVER_HOST": cloud.instance(server)["PrivateIpAddress"],
        "GOLDFLEET_SERVER_KEY": str(cloud.key_file),
        "ANSIBLE_PRIVATE_KEY_FILE": str(cloud.key_file),
    }


def test_no_placeholder_is_left() -> None:
    assert "_OUTPUT" not in (ROOT / "README.md").read_text(encoding="utf-8")


def test_every_block_has_a_test_below() -> None:
    assert {heading: len(blocks) for heading, blocks in read_blocks().items()} == {
        TRY: 1,
        BAKE: 2,
        ACCOUNT: 2,
        ROLL: 2,
        SERVERS: 3,
        LOCAL: 1,
    }


@pytest.mark.parametrize("command", read_blocks()[TRY][0].splitlines())
def test_make_target_can_be_made(cloud: Cloud, command: str) -> None:
    target = command.removeprefix("make ")
    assert "scripts/setup.sh" in run_block(f"make --dry-run {target}", ROOT, cloud.env)


def test_bake_and_images(cloud: Cloud, tmp_path: Path) -> None:
    folder = small_project(tmp_path / "project")
    code, said = RunningBake(cloud, folder).end()
    assert code == 0, said
    first = pointers(cloud)["current"]
    printed = run_block(read_blocks()[BAKE][0], folder, cloud.env)
    assert "nothing to do: " in printed
    assert f"app: {first} is current again" in printed
    assert pointers(cloud)["current"] == first


def test_block_for_packer_alone_names_a_whole_template() -> None:
    first, *commands = read_blocks()[BAKE][1].splitlines()
    assert first == NEEDS_AWS
    assert [command.split()[:2] for command in commands] == [["packer", "init"], ["packer", "build"]]
    folders = {ROOT / command.split()[2] for command in commands}
    names = {path.name for folder in folders for path in folder.glob("*.pkr.hcl")}
    assert names == {"plugins.pkr.hcl", "variables.pkr.hcl", "source.pkr.hcl", "build.pkr.hcl"}


@pytest.fixture(scope="module")
def configured(server: str, project: Path, ansible_env: dict[str, str]) -> str:
    """The server, after the block that configures one server."""
    assert re.search(r"one_server +: ok=\d+ +changed=[1-9]", run_block(read_blocks()[SERVERS][0], project, ansible_env))
    return server


@pytest.fixture
def home(cloud: Cloud, configured: str, tmp_path: Path) -> Path:
    """The home of a user who knows the server as `web1`, by its host key, and has the key to it."""
    folder = tmp_path / "home" / ".ssh"
    folder.mkdir(parents=True, mode=0o700)
    shutil.copy(cloud.key_file, folder / "id_ed25519")
    shutil.copy(cloud.pinned_host_keys(configured), folder / "known_hosts")
    address = cloud.instance(configured)["PrivateIpAddress"]
    (folder / "config").write_text(f"Host web1\n  HostName {address}\n  User admin\n")
    return folder.parent


def test_a_run_over_the_fleet_changes_nothing(
    cloud: Cloud, configured: str, project: Path, ansible_env: dict[str, str]
) -> None:
    _, fleet, quicker = read_blocks()[SERVERS]
    address = cloud.instance(configured)["PrivateIpAddress"]
    with urllib.request.urlopen(f"http://{address}/healthcheck.html", timeout=10) as answer:
        assert answer.status == 200
    (project / ".goldfleet" / "known_hosts").unlink()
    for way in (fleet, f"{quicker}{fleet}"):
        assert re.search(
            rf"{configured} +: ok=\d+ +changed=0 +unreachable=0 +failed=0", run_block(way, project, ansible_env)
        )


def test_servers_of_no_group_are_verified(
    cloud: Cloud, configured: str, project: Path, ansible_env: dict[str, str], home: Path
) -> None:
    address = cloud.instance(configured)["PrivateIpAddress"]
    lines = read_blocks()[ROLL][1].replace("10.0.0.4", address).splitlines()  # another's address is left alone
    named = [line for line in lines if not is_about_group(line)]
    answers = {line.split()[2]: run_line(line, project, ansible_env | {"HOME": str(home)}) for line in named}
    # Where the tests run is no server of this fleet.
    assert {option: code for option, (code, _) in answers.items()} == {"--hosts": 0, "--inventory": 0, "--transport": 6}
    assert re.search(r"^- +localhost +- +failed +[1-9]", answers["--transport"][1], re.MULTILINE)


def test_local_cloud_by_hand_comes_up_and_goes(cloud: Cloud, tmp_path: Path) -> None:
    env = cloud.env | {"GOLDFLEET_LOCAL_STATE": str(tmp_path / "state")}
    printed = run_block(read_blocks()[LOCAL][0], ROOT, env)
    assert re.search(r"^ami-[0-9a-f]{17}\tdebian-12-", printed, re.MULTILINE)
    assert re.search(r"^up: http://127\.0\.0\.1:\d+, network 10\.", printed, re.MULTILINE)
    assert subprocess.run(["goldfleet", "local", "status"], env=env, capture_output=True, check=False).returncode == 3


@pytest.mark.long
def test_account_is_built_told_about_and_removed(cloud: Cloud, project: Path) -> None:
    cloud.aws("ssm", "put-parameter", "--name", "/goldfleet/images/app/current", "--type", "String", "--overwrite",
              "--value", cloud.base_image())  # fmt: skip
    build, remove = read_blocks()[ACCOUNT]
    assert re.search(r"localhost +: ok=\d+ +changed=[1-9]", run_block(build, project, cloud.env))
    try:
        lines = "".join(read_blocks()[ROLL]).splitlines()
        answers = {line: run_line(line, project, cloud.env) for line in lines if is_about_group(line)}
    finally:
        assert re.search(r"localhost +: ok=\d+ +changed=[1-9]", run_block(remove, project, cloud.env))
    codes = {line.split("#")[0].strip(): code for line, (code, _) in answers.items()}
    # The base AMI has no web server, and SSH is closed; it runs on all servers already, so a roll has nothing to do.
    # Run Command needs no port; tunnels need version 2 of the AWS CLI.
    assert codes == {
        "goldfleet verify web": 6,
        "goldfleet verify web --transport ssm": 6,
        "goldfleet verify web --transport eice": 2,
        "goldfleet verify web --budget connections=1,sessions=1,bytes=100000,server_ms=10": 6,
        "goldfleet roll plan web": 0,
        "goldfleet roll start web": 0,
        "goldfleet roll status web": 0,
    }
    said = "".join(said for _, said in answers.values())
    assert "nothing to do" in said
    assert "SSH is closed" in said
    assert "eice needs version 2 of the AWS CLI" in said


def run_line(line: str, folder: Path, env: dict[str, str]) -> tuple[int, str]:
    """Run one line of a block; return its exit code and all that it said."""
    done = subprocess.run(
        ["sh", "-c", line],
        cwd=folder,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=400,
        check=False,
    )
    return done.returncode, done.stdout + done.stderr
