"""Servers of a group are verified whichever way they are reached: over SSH, through tunnels, by Run Command."""

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.doubles import tunnel
from tests.localcloud.conftest import BIN, Cloud, wait_for
from tests.localcloud.test_inside import TRUST
from tests.localcloud.test_run_command import CORE
from tests.localcloud.test_verify import SETTINGS, Group

NAME = "transports"
LONG = 180.0
"""Seconds for three servers to boot while everything else is tested beside."""

SPECS = """
import pytest

def test_system(host):
    assert host.system_info.distribution == "debian"

@pytest.mark.parametrize("name", ["ssh", "systemd-journald"])
def test_service(host, name):
    assert host.service(name).is_running

def test_root(host):
    assert host.user().name == "root"
    assert host.file("/etc/shadow").content_string
    assert host.environment()["HOME"] == "/root"

def test_no_flag(host):
    assert not host.file("/opt/broken").exists

def test_listing(host):
    # 40 kB: more than Run Command lists, less than it brings back, once it is compressed
    assert len(host.check_output("dpkg-query -W; find /etc -type f | sort")) > 10000

def test_change(host):
    assert host.run("touch /run/touched").rc == 0

@pytest.mark.golden
def test_golden(host):
    raise AssertionError("the base image is none")
"""
AWS = """#!/bin/sh
# Stands for the AWS CLI of version 2, whose endpoint there is not here: it finds the instance and leads to its port.
[ "$1" != --version ] || {{ echo "aws-cli/2.0.0 a double"; exit; }}
[ "$1 $2 $3" = "ec2-instance-connect open-tunnel --instance-id" ] || {{ echo "unknown: $*" >&2; exit 252; }}
wanted="Reservations[0].Instances[0].PrivateIpAddress"
address=$({aws} ec2 describe-instances --instance-ids "$4" --query "$wanted" --output text)
echo "opening a tunnel to $address" >&2
exec {tunnel} "$address" 22
"""
CONFTEST = """
def pytest_configure(config):
    config.addinivalue_line("markers", "golden: of images")
"""


@pytest.fixture(scope="module")
def group(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    """Three managed servers, of which one has a fault."""
    project = tmp_path_factory.mktemp("project")
    (project / "specs").mkdir()
    (project / "specs" / "test_it.py").write_text(SPECS)
    (project / "specs" / "conftest.py").write_text(CONFTEST)
    (project / "goldfleet.toml").write_text(SETTINGS.format(group=NAME, key=cloud.key_file))
    cloud.aws("iam", "create-role", "--role-name", NAME, "--assume-role-policy-document", TRUST)
    cloud.aws("iam", "attach-role-policy", "--role-name", NAME, "--policy-arn", CORE)
    cloud.aws("iam", "create-instance-profile", "--instance-profile-name", NAME)
    cloud.aws("iam", "add-role-to-instance-profile", "--instance-profile-name", NAME, "--role-name", NAME)
    cloud.aws(
        "autoscaling", "create-launch-configuration", "--launch-configuration-name", NAME, "--image-id", cloud.base_image(),
        "--instance-type", "t3.small", "--key-name", "tests", "--security-groups", "tests", "--iam-instance-profile", NAME,
    )  # fmt: skip
    group = Group(cloud, project, NAME)
    group(
        "create-auto-scaling-group", "--launch-configuration-name", NAME, "--min-size", "0", "--max-size", "4",
        "--desired-capacity", "3", "--availability-zones", f"{cloud.env['AWS_REGION']}a",
    )  # fmt: skip
    wait_for("three servers in service", lambda: len(group.in_service()) == 3, LONG)
    cloud.ssh(group.members()[1], "sudo touch /opt/broken")

    def are_managed() -> bool:
        listed = cloud.aws("ssm", "describe-instance-information")["InstanceInformationList"]
        return set(group.members()) <= {one["InstanceId"] for one in listed}

    wait_for("managed nodes", are_managed, LONG)
    yield group
    group("delete-auto-scaling-group", "--force-delete")


def outcomes(document: dict[str, Any]) -> dict[str, dict[str, str]]:
    """Return what each check came to, by instance and check."""
    checks = document["checks"]
    return {
        host["instance_id"]: {checks[number]["name"]: checks[number]["outcome"] for number in host["checks"]}
        for host in document["hosts"]
    }


def test_run_command_finds_what_ssh_finds(group: Group) -> None:
    over_ssh, by_ssm = group.verify(code=6), group.verify("--transport", "ssm", code=6)
    found = outcomes(by_ssm)
    assert found == outcomes(over_ssh)
    assert {name: one["test_it::test_no_flag"] for name, one in found.items()} == {
        name: "failed" if number == 1 else "passed" for number, name in enumerate(group.members())
    }
    assert {len(one) for one in found.values()} == {7}
    assert (by_ssm["cost"]["connections"], by_ssm["cost"]["sessions"]) == (0, 0)
    assert by_ssm["cost"]["api_calls"] > 0


def test_tunnels_find_what_ssh_finds(group: Group, tmp_path: Path) -> None:
    program = tmp_path / "aws"
    program.write_text(AWS.format(aws=BIN / "aws", tunnel=f"{BIN / 'python'} {tunnel.__file__}"))
    program.chmod(0o755)
    env = group.cloud.env | {"PATH": f"{group.cloud.env['PATH']}:{tmp_path}"}  # behind version 1
    by_tunnel = replace(group, cloud=replace(group.cloud, env=env)).verify("--transport", "eice", code=6)
    assert outcomes(by_tunnel) == outcomes(group.verify(code=6))
    assert (by_tunnel["cost"]["connections"], by_tunnel["cost"]["sessions"]) == (3, 3)


def test_settings_name_the_transport(group: Group) -> None:
    file = group.project / "goldfleet.toml"
    settings = file.read_text()
    file.write_text(settings + 'verify_transport = "ssm"\n')
    try:
        document = group.verify("--budget", "connections=0,sessions=0", code=6)
    finally:
        file.write_text(settings)
    assert document["over_budget"] == []


def test_server_that_is_no_managed_node_is_told_apart(group: Group) -> None:
    first, *others = group.members()
    group.cloud.aws("iam", "detach-role-policy", "--role-name", NAME, "--policy-arn", CORE)
    try:
        document = group.verify("--transport", "ssm", code=6)
    finally:
        group.cloud.aws("iam", "attach-role-policy", "--role-name", NAME, "--policy-arn", CORE)
    verdicts = {host["instance_id"]: host["verdict"] for host in document["hosts"]}
    assert verdicts == dict.fromkeys([first, *others], "unreachable")
    assert all("AmazonSSMManagedInstanceCore" in host["unreachable"] for host in document["hosts"])


@pytest.mark.parametrize("transport", ["", "?transport=ssm"])
def test_plain_pytest_takes_a_group(group: Group, transport: str, tmp_path: Path) -> None:
    done = subprocess.run(
        [str(BIN / "python"), "-m", "pytest", "specs", "-c", "/dev/null", "-q", "-p", "no:cacheprovider", "-m", "not golden",
         "--sudo", f"--hosts=goldfleet://asg/{NAME}{transport}", f"--junitxml={tmp_path / 'junit.xml'}"],
        cwd=group.project, env=group.cloud.env, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert "1 failed, 20 passed, 3 deselected" in done.stdout, done.stdout + done.stderr
    bad = group.members()[1]
    assert f"FAILED specs/test_it.py::test_no_flag[goldfleet://{bad}]" in done.stdout
    written = (tmp_path / "junit.xml").read_text()
    assert all(one in written for one in group.members())


def test_plain_pytest_refuses_a_group_that_is_not_there(group: Group) -> None:
    done = subprocess.run(
        [str(BIN / "python"), "-m", "pytest", "specs", "-c", "/dev/null", "-q", "--hosts=goldfleet://asg/nosuch"],
        cwd=group.project, env=group.cloud.env, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.returncode == 4
    assert "There is no Auto Scaling group nosuch: nothing was verified" in done.stderr
    assert json.dumps(done.stdout)
