"""Bakes whose verification copy must be what a server is: with the servers' role it has settings, in their group it reaches.

The role is made as playbooks/foundation.yml makes it, and the bakes run with examples/permissions/bake.json and no more.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.localcloud.bakes import NOTHING_LEFT, RunningBake, leftovers, pointers, real_project, small_project
from tests.localcloud.conftest import BIN, ROOT, Cloud

pytestmark = pytest.mark.long

GROUP = {"aws_foundation_group": "shop", "aws_foundation_application": "shop"}
PROFILE = "goldfleet-shop-server"
SERVERS_ONLY = """---
- name: Say who the servers are, and who may reach what, without servers
  hosts: localhost
  gather_facts: false
  tasks:
    - {name: Look, ansible.builtin.import_role: {name: aws_foundation, tasks_from: look}}
    - {name: Make the role, ansible.builtin.import_role: {name: aws_foundation, tasks_from: identity}}
    - {name: Make the groups, ansible.builtin.import_role: {name: aws_foundation, tasks_from: security_groups}}
"""
BAKER_TRUST = json.dumps({
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Principal": {"AWS": "123456789012"}, "Action": "sts:AssumeRole"}],
})  # fmt: skip
PERMISSIONS = json.loads((ROOT / "examples/permissions/bake.json").read_text())
SHARES_PORT = 2049
"""A file server's. What listens here is a web server: a container cannot mount NFS."""
REACHES = """def test_file_server_is_reached(host):
    assert host.check_output("curl --silent --fail --max-time 5 http://{address}:{port}/name") == "shares"
"""
VARIABLES = """
web_stack_runtime = "static"
app_settings_application = "shop"
app_settings_parameter_store = true
app_settings_required = ["motto"]
"""


@dataclass(frozen=True)
class Account:
    """What an account with servers has, and the cloud as two bakers see it."""

    cloud: Cloud
    baker: Cloud
    baker_who_may_pass_no_role: Cloud
    group_id: str
    file_server: str


def as_baker(cloud: Cloud, name: str, statements: list[dict[str, Any]]) -> Cloud:
    """Return the cloud as somebody sees it who may do what these statements say."""
    policy = json.dumps({**PERMISSIONS, "Statement": statements})
    cloud.aws("iam", "create-role", "--role-name", name, "--assume-role-policy-document", BAKER_TRUST)
    cloud.aws("iam", "put-role-policy", "--role-name", name, "--policy-name", "p", "--policy-document", policy)
    role = f"arn:aws:iam::123456789012:role/{name}"
    assumed = cloud.aws("sts", "assume-role", "--role-arn", role, "--role-session-name", "night")["Credentials"]
    keys = {
        "AWS_ACCESS_KEY_ID": assumed["AccessKeyId"],
        "AWS_SECRET_ACCESS_KEY": assumed["SecretAccessKey"],
        "AWS_SESSION_TOKEN": assumed["SessionToken"],
    }
    return replace(cloud, env=cloud.env | keys)


def play(cloud: Cloud, playbook: Path) -> None:
    """Run a playbook of the account's part."""
    cloud.run(str(BIN / "ansible-playbook"), str(playbook), "-e", json.dumps(GROUP), timeout=300)


@pytest.fixture(scope="module")
def account(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    """The servers' role and group, their parameters, and a file server that lets the servers in and nobody else."""
    playbook = tmp_path_factory.mktemp("play") / "servers_only.yml"
    playbook.write_text(SERVERS_ONLY)
    play(cloud, playbook)
    groups = [{"Name": "group-name", "Values": [PROFILE]}]
    group_id = cloud.ec2.describe_security_groups(Filters=groups)["SecurityGroups"][0]["GroupId"]
    cloud.aws("ssm", "put-parameter", "--name", "/goldfleet/production/shop/motto", "--type", "SecureString",
              "--value", "a secret word")  # fmt: skip
    cloud.aws("ec2", "create-security-group", "--group-name", "shares", "--description", "shares")
    cloud.aws("ec2", "authorize-security-group-ingress", "--group-name", "shares", "--protocol", "tcp",
              "--port", str(SHARES_PORT), "--source-group", PROFILE)  # fmt: skip
    (file_server,) = cloud.launch("--security-groups", "tests", "shares")
    cloud.wait_state(file_server, "running")
    serve = f"sudo systemd-run --property=WorkingDirectory=/srv python3 -m http.server {SHARES_PORT}"
    cloud.ssh(file_server, f"printf shares | sudo tee /srv/name && {serve}")
    statements = PERMISSIONS["Statement"]
    without = [one for one in statements if one["Action"] != "iam:PassRole"]
    assert len(without) == len(statements) - 1
    yield Account(
        cloud, as_baker(cloud, "baker", statements), as_baker(cloud, "baker-without", without), group_id,
        cloud.instance(file_server)["PrivateIpAddress"],
    )  # fmt: skip
    cloud.terminate(file_server)
    cloud.aws("ec2", "delete-security-group", "--group-name", "shares")
    play(cloud, ROOT / "playbooks/foundation_teardown.yml")


def project_with_settings(account: Account, folder: Path, settings: str) -> Path:
    """Write the real project, whose servers have settings and a file server; `settings` are the image's."""
    real_project(folder)
    toml = folder / "goldfleet.toml"
    toml.write_text(toml.read_text().replace("[images.app]\n", f"[images.app]\n{settings}\n") + VARIABLES)
    spec = REACHES.format(address=account.file_server, port=SHARES_PORT)
    (folder / "tests/fleet/test_file_server.py").write_text(spec)
    return folder


def test_image_that_needs_settings_and_a_file_server_is_published(account: Account, tmp_path: Path) -> None:
    settings = f'copy_instance_profile = "{PROFILE}"\ncopy_security_group_ids = ["{account.group_id}"]'
    project = project_with_settings(account, tmp_path / "p", settings)
    code, said = RunningBake(account.baker, project).end(600)
    assert code == 0, said
    shown = json.loads(account.cloud.goldfleet("images", "show", "app", "--json").stdout)
    assert shown["image_id"] == pointers(account.cloud)["current"]
    assert shown["facts"]["checks"]["failed"] == 0
    assert shown["facts"]["checks"]["passed"] > 100
    assert leftovers(account.cloud) == NOTHING_LEFT


def test_the_same_image_without_them_is_not_published_and_the_hold_says_why(account: Account, tmp_path: Path) -> None:
    before = pointers(account.cloud)
    project = project_with_settings(account, tmp_path / "p", "boot_timeout_minutes = 1")
    code, said = RunningBake(account.baker_who_may_pass_no_role, project).end(600)
    assert code == 6, said
    assert "its copy was still held out of service after 1 min (boot_timeout_minutes)" in said
    assert "with instance profile none (copy_instance_profile)" in said
    assert (
        "  settings: settings are not resolved: this instance has no role. Launch it with an instance profile." in said
    )
    assert "test_web_stack::test_server_is_in_service_while_nothing_holds_it" in said
    assert "test_file_server::test_file_server_is_reached" in said
    assert pointers(account.cloud) == before
    assert leftovers(account.cloud) == NOTHING_LEFT  # the AMI is kept, marked as failed


@pytest.mark.parametrize(
    ("setting", "may_pass", "told"),
    [
        ('copy_instance_profile = "nobody"', True, "Correct copy_instance_profile in goldfleet.toml."),
        (f'copy_instance_profile = "{PROFILE}"', False, f"role of instance profile {PROFILE}, iam:PassRole"),
    ],
    ids=["unknown profile", "no iam:PassRole"],
)
def test_profile_that_ec2_refuses_is_told_before_the_build(
    account: Account, tmp_path: Path, setting: str, may_pass: bool, told: str
) -> None:
    images = len(account.cloud.ec2.describe_images(Owners=["self"])["Images"])
    project = small_project(tmp_path / "p")
    with (project / "goldfleet.toml").open("a") as toml:
        toml.write(f"{setting}\n")
    baker = account.baker if may_pass else account.baker_who_may_pass_no_role
    code, said = RunningBake(baker, project).end()
    assert code == 4, said
    assert told in said
    assert "AWS refused RunInstances" in said
    assert len(account.cloud.ec2.describe_images(Owners=["self"])["Images"]) == images
    assert leftovers(account.cloud) == NOTHING_LEFT


def test_launch_with_a_profile_that_is_asked_for_twice_is_one_launch(account: Account) -> None:
    options = ["--client-token", "copy-once", "--iam-instance-profile", f"Name={PROFILE}"]
    first = account.cloud.launch(*options)
    assert account.cloud.launch(*options) == first
    account.cloud.terminate(*first)
