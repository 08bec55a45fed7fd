"""The CodeDeploy agent on servers of the local cloud: installed by user data, by its unit, baked in, replaced, removed.

The packages are the local cloud's, at the real name of AWS's bucket; the agent inside looks for no commands.
"""

import base64
import hashlib
import json
import os
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from goldfleet.localcloud.codedeploy.packages import VERSIONS, Package, build_package
from tests.localcloud.conftest import ROOT, Cloud, wait_for

PROGRAM = ROOT / "roles/codedeploy_agent/files/goldfleet-install-codedeploy-agent"
USER_DATA = ROOT / "examples/user_data/install_codedeploy_agent.sh"
BUCKET = "https://aws-codedeploy-{region}.s3.{region}.{domain}/releases/codedeploy-agent_%s_{architecture}.deb"
HOLD = "/run/goldfleet/hold/codedeploy_agent"
WANTED = "/etc/goldfleet/codedeploy_agent.json"
AGENT = "/opt/codedeploy-agent/bin/codedeploy-agent"
SERVICE = "goldfleet-install-codedeploy-agent.service"
DEPLOYMENT = Path("/opt/codedeploy-agent/deployment-root/ongoing-deployment/d-ABCDEFGHI")
WRONG = "0" * 64
PLAYBOOK = """---
- name: Configure one server with an agent
  hosts: app_servers
  become: true
  gather_subset: ["!all", "!min", distribution, env, service_mgr]
  roles: [%s]
"""


def checksum(major: int) -> str:
    """Return the checksum of a major's package for the local cloud's machines."""
    return hashlib.sha256(build_package(Package(major, {1: "all", 2: "amd64"}[major]))).hexdigest()


def agent(major: int, way: str, **changes: Any) -> dict[str, Any]:
    """Return the role's variables for an agent of a major, from AWS's bucket of the instance's own region."""
    pinned = {"major": major, "version": VERSIONS[major], "sha256": checksum(major)}
    return {f"codedeploy_agent_{name}": value for name, value in ({"install": way} | pinned | changes).items()}


def run_roles(
    cloud: Cloud, server: str, roles: str, variables: dict[str, Any], *options: str
) -> subprocess.CompletedProcess[str]:
    """Run roles on a server."""
    playbook = cloud.folder / f"{server}.yml"
    playbook.write_text(PLAYBOOK % roles)
    return cloud.play(server, playbook, variables, *options)


def configure(cloud: Cloud, server: str, roles: str = "codedeploy_agent", **variables: Any) -> str:
    """Run roles on a server, which must work, and return what was printed."""
    done = run_roles(cloud, server, roles, variables)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr
    return done.stdout


def launch(cloud: Cloud, image: str | None = None, user_data: str = "") -> str:
    """Start a server, with user data or none, and return its instance."""
    file = cloud.folder / "user_data"
    file.write_text(user_data or "#!/bin/sh\n")
    options = ["--user-data", f"file://{file}", "--metadata-options", "HttpTokens=required"]
    (server,) = cloud.launch(*options, image=image)
    cloud.wait_state(server, "running")
    return server


def bake(cloud: Cloud, server: str, name: str) -> str:
    """Make an image of a server, as a bake does, and return it."""
    cloud.aws("ec2", "stop-instances", "--instance-ids", server)
    cloud.wait_state(server, "stopped")
    image = str(cloud.aws("ec2", "create-image", "--instance-id", server, "--name", name)["ImageId"])
    wait_for("the image", lambda: cloud.ec2.describe_images(ImageIds=[image])["Images"][0]["State"] == "available")
    cloud.terminate(server)
    return image


def says(cloud: Cloud, server: str, command: str) -> str:
    """Run a shell command on a server as root and return what it prints, whatever its exit code."""
    return cloud.ssh(server, f"sudo sh -c {shlex.quote(command)}", check=False).stdout.strip()


def reason(cloud: Cloud, server: str) -> str:
    """Return why a server is held, "" when it is not."""
    return says(cloud, server, f"cat {HOLD} 2>/dev/null")


def wait_for_agent(cloud: Cloud, server: str) -> None:
    """Wait until the agent runs and nothing holds the server."""
    command = f"{AGENT} status && test ! -e {HOLD}"
    wait_for("the agent", lambda: "is running as PID" in says(cloud, server, command) and not reason(cloud, server), 90)


def reasons(cloud: Cloud, server: str) -> list[str]:
    """Return the lines in which the service said why there is no agent."""
    lines = says(cloud, server, f"journalctl --unit {SERVICE} --output cat").splitlines()
    return [line for line in lines if line.startswith("the CodeDeploy agent is not installed")]


def write(path: str, content: str, mode: str = "0644") -> str:
    """Return the shell command that writes a file."""
    encoded = base64.b64encode(content.encode()).decode()
    return f"echo {encoded} | base64 -d | install -D -m {mode} /dev/stdin {path}\n"


def pinned(major: int, **changes: str) -> str:
    """Return what the program is told to install."""
    url = BUCKET.replace("_{architecture}", "_all" if major == 1 else "_{architecture}") % VERSIONS[major]
    facts = {"version": VERSIONS[major], "sha256": checksum(major), "url": url, "region": "", "proxy": ""}
    return json.dumps(facts | {"ongoing": "/opt/codedeploy-agent/deployment-root/ongoing-deployment"} | changes)


def failed_specs(cloud: Cloud, server: str, variables: dict[str, Any]) -> list[str]:
    """Return which of the role's specs fail on a server."""
    cloud_id = json.loads((cloud.state / "cloud.json").read_text())["cloud_id"]
    file = cloud.folder / f"{server}.variables.json"
    file.write_text(json.dumps(variables))
    command = [
        sys.executable, "-m", "pytest", "-c", "/dev/null", f"--rootdir={ROOT}", "-p", "no:cacheprovider", "-q", "--tb=no",
        f"--hosts=podman://goldfleet-{cloud_id}-{server}", str(ROOT / "tests/fleet/test_codedeploy_agent.py"),
    ]  # fmt: skip
    env = os.environ | {"GOLDFLEET_VARIABLES_FILE": str(file)}
    done = subprocess.run(command, capture_output=True, text=True, check=False, env=env)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    return [line for line in done.stdout.splitlines() if line.startswith(("FAILED ", "ERROR "))]


@pytest.mark.parametrize("major", [1, 2])
def test_user_data_installs_the_pinned_agent_from_the_regions_bucket(cloud: Cloud, major: int) -> None:
    prepared = write(f"/usr/local/sbin/{PROGRAM.name}", PROGRAM.read_text(), "0755") + write(WANTED, pinned(major))
    held = f"mkdir -p {Path(HOLD).parent} && echo 'not installed yet' > {HOLD}\n"
    server = launch(cloud, user_data=f"#!/bin/sh\nset -eu\n{prepared}{held}{USER_DATA.read_text()}")
    try:
        wait_for_agent(cloud, server)
        assert says(cloud, server, "dpkg-query -W -f '${Version}' codedeploy-agent") == VERSIONS[major]
        assert says(cloud, server, "cloud-init status --wait") == "status: done"
        # A checksum that is not the package's: nothing is replaced, and the server says why.
        other = pinned(major, version="9.9.9", sha256=WRONG)
        says(cloud, server, write(WANTED, other.replace("_9.9.9_", f"_{VERSIONS[major]}_")))
        said = says(cloud, server, f"echo held > {HOLD}; {PROGRAM.name}; echo $?")
        assert f"has sha256 {checksum(major)}, wanted is {WRONG}. Nothing was installed" in said
        assert said.splitlines()[-1] == "4"
        assert reason(cloud, server) in said
        assert says(cloud, server, "dpkg-query -W -f '${Version}' codedeploy-agent") == VERSIONS[major]
        assert says(cloud, server, "ls /var/cache | grep goldfleet") == ""
    finally:
        cloud.terminate(server)


@pytest.fixture(scope="module")
def base(cloud: Cloud) -> str:
    """An image with role base applied: what builders start from."""
    server = launch(cloud)
    configure(cloud, server, "base")
    return bake(cloud, server, "codedeploy-base")


@pytest.fixture(scope="module")
def launching(cloud: Cloud, base: str) -> str:
    """An image whose servers install their agent at launch."""
    server = launch(cloud, base)
    preview = run_roles(cloud, server, "codedeploy_agent", agent(2, "launch", running=False), "--check")
    assert preview.returncode == 0, preview.stdout[-4000:] + preview.stderr
    configure(cloud, server, **agent(2, "launch", running=False))
    assert says(cloud, server, f"test -e {AGENT} || echo none") == "none"
    assert says(cloud, server, f"systemctl is-active {SERVICE}") == "inactive"
    return bake(cloud, server, "codedeploy-launch")


@pytest.mark.long
@pytest.mark.parametrize("user_data", [USER_DATA.read_text(), ""], ids=["user-data", "no-user-data"])
def test_launched_server_gets_its_agent_with_user_data_and_without(
    cloud: Cloud, launching: str, user_data: str
) -> None:
    server = launch(cloud, launching, user_data)
    try:
        wait_for("the boot", lambda: "done" in says(cloud, server, "cloud-init status --wait"))
        assert failed_specs(cloud, server, agent(2, "launch", running=False)) == []
        # The specs have waited for the first attempt.
        assert reason(cloud, server) == ""
        assert says(cloud, server, f"{AGENT} --version") == f"codedeploy-agent {VERSIONS[2]}"
        assert reasons(cloud, server) == []
        cloud.aws("ec2", "reboot-instances", "--instance-ids", server)
        time.sleep(3)
        with cloud.no_way_to_aws(server):  # a server that has its agent needs nobody
            wait_for_agent(cloud, server)
    finally:
        cloud.terminate(server)


@pytest.mark.long
@pytest.mark.parametrize("way", ["image", "none"])
def test_server_that_has_installed_its_agent_is_configured_another_way(cloud: Cloud, launching: str, way: str) -> None:
    """What installs agents goes, while it waits for its next attempt or once it is done; the hold goes with it."""
    server = launch(
        cloud, launching, f"#!/bin/sh\nsed -i 's/{checksum(2)}/{WRONG}/' {WANTED}\n" if way == "none" else ""
    )
    try:
        if way == "none":
            wait_for("the reason", lambda: "wanted is" in reason(cloud, server))
        else:
            wait_for_agent(cloud, server)
        variables = agent(2, way) if way == "image" else {}
        configure(cloud, server, **variables)
        assert failed_specs(cloud, server, variables) == []
        assert reason(cloud, server) == ""
        assert says(cloud, server, f"systemctl is-active {SERVICE}") == "inactive"
        assert "changed=0 " in configure(cloud, server, **variables)
    finally:
        cloud.terminate(server)


@pytest.mark.long
def test_launched_server_that_is_to_have_another_version_installs_it_by_itself(cloud: Cloud, launching: str) -> None:
    server = launch(cloud, launching)
    try:
        wait_for_agent(cloud, server)
        variables = agent(1, "launch")
        configure(cloud, server, **variables)
        installed = "dpkg-query -W -f '${Version}' codedeploy-agent"
        wait_for("the other version", lambda: says(cloud, server, installed) == VERSIONS[1], 90)
        wait_for_agent(cloud, server)
        assert failed_specs(cloud, server, variables) == []
        assert "changed=0 " in configure(cloud, server, **variables)
    finally:
        cloud.terminate(server)


@pytest.mark.long
def test_agent_waits_for_the_end_of_user_data(cloud: Cloud, launching: str) -> None:
    server = launch(cloud, launching, "#!/bin/sh\nsleep 20\ndate +%s > /run/prepared\n")
    try:
        assert wait_for("the hold", lambda: reason(cloud, server)) == "the CodeDeploy agent is not installed yet"
        wait_for_agent(cloud, server)
        installed = int(says(cloud, server, "stat -c %Y /var/lib/dpkg/info/codedeploy-agent.list"))
        assert installed >= int(says(cloud, server, "cat /run/prepared"))
    finally:
        cloud.terminate(server)


@pytest.mark.long
def test_wrong_checksum_holds_the_server_which_says_why_once_and_recovers_by_itself(
    cloud: Cloud, launching: str
) -> None:
    spoil = f"#!/bin/sh\nsed -i 's/{checksum(2)}/{WRONG}/' {WANTED}\n"
    server = launch(cloud, launching, spoil + USER_DATA.read_text())
    try:
        wait_for("the reason", lambda: "wanted is" in reason(cloud, server))
        assert f"has sha256 {checksum(2)}, wanted is {WRONG}. Nothing was installed" in reason(cloud, server)
        assert says(cloud, server, "cloud-init status --wait") == "status: done"
        time.sleep(25)  # two attempts more
        assert len(reasons(cloud, server)) == 1
        assert says(cloud, server, f"test -e {AGENT} || echo none") == "none"
        assert says(cloud, server, "systemctl is-system-running --wait") == "running"
        says(cloud, server, f"sed -i 's/{WRONG}/{checksum(2)}/' {WANTED}")
        wait_for_agent(cloud, server)
    finally:
        cloud.terminate(server)


@pytest.mark.long
def test_unreachable_bucket_holds_the_server_until_it_is_back(cloud: Cloud, launching: str) -> None:
    server = launch(cloud, launching, "#!/bin/sh\nsleep 5\n" + USER_DATA.read_text())
    try:
        with cloud.no_way_to_aws(server):
            wait_for("the reason", lambda: "cannot be reached" in reason(cloud, server), 120)
            first = cloud.boot(server)
            cloud.aws("ec2", "reboot-instances", "--instance-ids", server)
            cloud.wait_for_another_boot(server, first, 120)
            assert reason(cloud, server) != ""
            wait_for("the reason", lambda: "cannot be reached" in reason(cloud, server), 120)
            assert says(cloud, server, f"test -e {AGENT} || echo none") == "none"
        wait_for_agent(cloud, server)
        assert reason(cloud, server) == ""
        assert "is running as PID" in says(cloud, server, f"{AGENT} status")
    finally:
        cloud.terminate(server)


@pytest.mark.long
def test_builder_takes_only_the_pinned_package_from_the_bucket_and_from_a_mirror(cloud: Cloud, base: str) -> None:
    """The mirror is another region's bucket: a server with packages that anyone may read, like a mirror of one's own."""
    mirror = {"source": "mirror", "mirror": "https://aws-codedeploy-eu-west-1.s3.eu-west-1.amazonaws.com/releases/"}
    installed = "dpkg-query -W -f '${Version}' codedeploy-agent 2>/dev/null; ls /var/cache | grep goldfleet"
    builder = launch(cloud, base)
    try:
        for source in ({}, mirror):
            wrong = agent(2, "image", running=False, **source | {"sha256": WRONG})
            done = run_roles(cloud, builder, "codedeploy_agent", wrong)
            assert done.returncode == 2
            assert f"did not match {WRONG}" in " ".join(done.stdout.split()), done.stdout[-3000:]
            assert says(cloud, builder, installed) == ""
        with cloud.no_way_to_metadata(builder):
            done = run_roles(cloud, builder, "codedeploy_agent", agent(2, "image", running=False))
            assert "does not tell the region. Off EC2, set codedeploy_agent_region" in " ".join(done.stdout.split())
            named = agent(2, "image", running=False, region="eu-central-1", sha256=WRONG)
            done = run_roles(cloud, builder, "codedeploy_agent", named)
            assert f"did not match {WRONG}" in " ".join(done.stdout.split()), done.stdout[-3000:]
        variables = agent(2, "image", running=False, **mirror)
        configure(cloud, builder, **variables)
        assert says(cloud, builder, installed) == VERSIONS[2]
        assert failed_specs(cloud, builder, variables) == []
        assert "changed=0 " in configure(cloud, builder, **variables)
    finally:
        cloud.terminate(builder)


@pytest.fixture(scope="module")
def baked(cloud: Cloud, base: str) -> Iterator[str]:
    """A server whose agent was baked in; on the builder nothing may ever have started it."""
    builder = launch(cloud, base)
    variables = agent(2, "image", running=False)
    configure(cloud, builder, **variables)
    assert failed_specs(cloud, builder, variables) == []
    assert says(cloud, builder, "find /var/log/aws /opt/codedeploy-agent -type f") == AGENT
    assert "Started" not in says(cloud, builder, "journalctl --unit codedeploy-agent --output cat")
    assert "changed=0 " in configure(cloud, builder, **variables)
    server = launch(cloud, bake(cloud, builder, "codedeploy-image"))
    yield server
    cloud.terminate(server)


@pytest.mark.long
def test_baked_agent_runs_at_once_on_a_launched_server(cloud: Cloud, baked: str) -> None:
    wait_for_agent(cloud, baked)
    assert failed_specs(cloud, baked, agent(2, "image", running=False)) == []


@pytest.mark.long
def test_changed_configuration_waits_for_a_running_deployment_and_restarts_the_agent(cloud: Cloud, baked: str) -> None:
    before = says(cloud, baked, f"{AGENT} status")
    says(cloud, baked, f"mkdir -p {DEPLOYMENT.parent} && touch {DEPLOYMENT}")
    said: list[str] = []
    variables = agent(2, "image", max_revisions=3)
    thread = threading.Thread(target=lambda: said.append(configure(cloud, baked, **variables)))
    thread.start()
    wait_for(
        "the new file",
        lambda: says(cloud, baked, "grep 'max_revisions: 3' /etc/codedeploy-agent/conf/codedeployagent.yml"),
    )
    time.sleep(8)
    assert says(cloud, baked, f"{AGENT} status") == before
    says(cloud, baked, f"rm {DEPLOYMENT}")
    thread.join(120)
    assert len(said) == 1
    assert says(cloud, baked, f"{AGENT} status") not in ("", before)
    assert "changed=0 " in configure(cloud, baked, **variables)


@pytest.mark.long
def test_package_that_lacks_a_dependency_is_told_and_changes_nothing(cloud: Cloud, baked: str, tmp_path: Path) -> None:
    wait_for_agent(cloud, baked)
    (tmp_path / "tree/DEBIAN").mkdir(parents=True)
    fields = {
        "Package": "codedeploy-agent",
        "Version": "2.9.9",
        "Architecture": "all",
        "Depends": "ruby-of-another-system",
    }
    fields |= {"Maintainer": "nobody <nobody@example.org>", "Description": "needs what there is not"}
    (tmp_path / "tree/DEBIAN/control").write_text("".join(f"{name}: {value}\n" for name, value in fields.items()))
    file = tmp_path / "agent.deb"
    subprocess.run(["dpkg-deb", "--build", "--root-owner-group", str(tmp_path / "tree"), str(file)], check=True)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    done = run_roles(cloud, baked, "codedeploy_agent", agent(
        2, "image", version="2.9.9", sha256=digest, source="file", file=str(file)
    ))  # fmt: skip
    said = " ".join(done.stdout.split())
    assert done.returncode == 2
    assert "apt cannot install codedeploy-agent 2.9.9" in said
    assert "ruby-of-another-system" in said
    assert "this role changes no package" in said
    assert (
        says(cloud, baked, "ls /var/cache | grep goldfleet; dpkg-query -W -f '${Version}' codedeploy-agent")
        == VERSIONS[2]
    )


@pytest.mark.long
def test_package_of_another_version_than_was_named_is_told_and_changes_nothing(
    cloud: Cloud, baked: str, tmp_path: Path
) -> None:
    file = tmp_path / "agent.deb"
    file.write_bytes(build_package(Package(2, "amd64")))
    variables = agent(2, "image", version="2.9.9", source="file", file=str(file))
    done = run_roles(cloud, baked, "codedeploy_agent", variables)
    said = " ".join(done.stdout.split())
    assert done.returncode == 2
    assert (
        f"codedeploy_agent_version is '2.9.9', but the package says that it is 'codedeploy-agent {VERSIONS[2]}'" in said
    )
    assert says(cloud, baked, "ls /var/cache | grep goldfleet") == ""


def configure_during_a_deployment(cloud: Cloud, server: str, **variables: Any) -> None:
    """Run the role while a deployment is running: the agent must be left alone until that has ended."""
    before = says(cloud, server, f"{AGENT} status")
    assert "is running as PID" in before
    says(cloud, server, f"mkdir -p {DEPLOYMENT.parent} && touch {DEPLOYMENT}")
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(configure, cloud, server, **variables)
        time.sleep(60)  # several times what the role needs
        assert not run.done()
        assert says(cloud, server, f"{AGENT} status") == before
        says(cloud, server, f"rm {DEPLOYMENT}")
        run.result(120)


@pytest.mark.long
def test_other_major_replaces_the_agent_and_none_removes_it_after_a_running_deployment(
    cloud: Cloud, baked: str
) -> None:
    variables = agent(1, "image")
    wait_for_agent(cloud, baked)
    configure_during_a_deployment(cloud, baked, **variables)
    assert failed_specs(cloud, baked, variables) == []
    assert "changed=0 " in configure(cloud, baked, **variables)
    configure_during_a_deployment(cloud, baked)
    assert failed_specs(cloud, baked, {}) == []
    assert "changed=0 " in configure(cloud, baked)


@pytest.mark.long
def test_agent_of_major_1_that_its_package_starts_past_systemd_is_stopped_in_a_bake(cloud: Cloud, base: str) -> None:
    builder = launch(cloud, base)
    try:
        variables = agent(1, "image", running=False)
        configure(cloud, builder, **variables)
        assert "Spawned child" in says(cloud, builder, "cat /var/log/aws/codedeploy-agent/codedeploy-agent.log")
        assert failed_specs(cloud, builder, variables) == []
        assert "changed=0 " in configure(cloud, builder, **variables)
    finally:
        cloud.terminate(builder)


@pytest.mark.long
def test_agent_of_other_origin_is_left_alone_by_none(cloud: Cloud, base: str) -> None:
    server = launch(cloud, base)
    try:
        bucket = "https://aws-codedeploy-us-east-1.s3.us-east-1.amazonaws.com"
        says(cloud, server, f"curl -fsO {bucket}/latestv2/install && sh install auto >install.log 2>&1")
        assert "is running as PID" in says(cloud, server, f"{AGENT} status")
        assert "changed=0 " in configure(cloud, server)
        assert "is running as PID" in says(cloud, server, f"{AGENT} status")
    finally:
        cloud.terminate(server)
