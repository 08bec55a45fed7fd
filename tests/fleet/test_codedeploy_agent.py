"""Promises of role codedeploy_agent: the pinned agent, its configuration, its place in the boot, its health; or nothing at all.

Health is looked at in the order in which an operator would: unit, `status`, version, log, looks for commands.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
import yaml

PROGRAM = "/opt/codedeploy-agent/bin/codedeploy-agent"
CONFIGURATION = "/etc/codedeploy-agent/conf/codedeployagent.yml"
DROP_IN = "/etc/systemd/system/codedeploy-agent.service.d/10-network.conf"
VERSION = "/opt/codedeploy-agent/.version"
INSTALLER = "goldfleet-install-codedeploy-agent"
HOLD = "/run/goldfleet/hold/codedeploy_agent"
BRAKE = "/run/goldfleet/no-codedeploy-agent"
FILES = {
    "image": {CONFIGURATION: "root root 644", DROP_IN: "root root 644"},
    "launch": {
        f"/usr/local/sbin/{INSTALLER}": "root root 755",
        "/etc/goldfleet/codedeploy_agent.json": "root root 644",
        f"/etc/systemd/system/{INSTALLER}.service": "root root 644",
        "/etc/tmpfiles.d/goldfleet-codedeploy-agent.conf": "root root 644",
    },
}
ENABLED = f"/etc/systemd/system/multi-user.target.wants/{INSTALLER}.service"
NEVER = ("/etc/cron.d/codedeploy-agent-update", "/etc/codedeploy-agent/conf/codedeploy.onpremises.yml")
LEFT_BEHIND = ("/usr/sbin/policy-rc.d", "/var/cache/goldfleet-codedeploy-agent.deb")
SHARED = (
    "log_dir", "pid_dir", "program_name", "root_dir", "verbose", "log_aws_wire", "wait_between_runs",
    "max_revisions", "proxy_uri", "disable_imds_v1", "use_fips_mode", "enable_auth_policy",
    "on_premises_config_file", "http_read_timeout", "wait_after_error", "kill_agent_max_wait_time_seconds",
    "deploy_control_endpoint", "s3_endpoint_override", "enable_deployments_log", "ongoing_deployment_tracking",
)  # fmt: skip
OWN = {
    1: (
        "user", "shared_dir", "wait_between_spawning_children", "instance_service_region",
        "instance_service_endpoint", "instance_service_port", "codedeploy_test_profile",
    ),
    2: (
        "reject_symlinks_in_bundle", "reject_path_traversal_in_bundle", "reject_unsafe_permissions_in_bundle",
        "reject_unconfined_selinux_in_bundle", "reject_symlink_permission_targets", "ignore_ownership_in_bundle",
        "restrict_agent_dir_permissions", "restrict_log_dir_permissions", "strip_loader_env_in_hooks",
        "restrict_hook_env_to_allowlist", "archive_max_extraction_size", "enable_command_port", "disable_core_dumps",
    ),
}  # fmt: skip
SHIPPED_WAIT = {1: 1, 2: 30}
TROUBLE = (
    "Missing credentials",
    "Cannot reach InstanceService",
    "AccessDeniedException",
    "InvalidSignatureException - Signature expired",
    "MissingRegionError",
)
POLLS = "poll_host_command|PollHostCommand|stand-in for the AWS CodeDeploy agent"
"""The local cloud's stand-in polls nothing, and says so: with it this proves no way to AWS."""
POLL_SECONDS = 120


@pytest.fixture(scope="module")
def way(variables: dict[str, Any]) -> str:
    """How the server gets its agent."""
    return str(variables["codedeploy_agent_install"])


@pytest.fixture(scope="module")
def major(variables: dict[str, Any]) -> int:
    """The wanted major."""
    return int(variables["codedeploy_agent_major"])


@pytest.fixture(scope="module")
def is_there(host: Any, way: str, variables: dict[str, Any]) -> bool:
    """Whether the wanted agent is installed; a server that installs it at launch gets the time for its first attempt."""
    if way == "launch":
        host.run(f"timeout 120 sh -c 'while grep -q \"not installed yet\" {HOLD}; do sleep 0.5; done'")
    seen = host.run("dpkg-query --show --showformat='${db:Status-Status} ${Version}' codedeploy-agent").stdout
    return bool(seen == f"installed {variables['codedeploy_agent_version']}")


@pytest.fixture(scope="module")
def is_braked(host: Any, is_there: bool) -> bool:
    """Whether an image is being baked here: nothing starts the agent before the next boot."""
    return bool(host.run(f"test -e {BRAKE}").succeeded)


@pytest.fixture(scope="module")
def wanted_files(way: str) -> dict[str, str]:
    """Owner, group and mode of what the role writes, by path."""
    return {"none": {}, "image": FILES["image"], "launch": FILES["image"] | FILES["launch"]}[way]


@pytest.fixture(scope="module")
def rights(host: Any) -> dict[str, str]:
    """Owner, group and mode of whatever the role may write or must remove, by path; what is not there is missing."""
    paths = (*FILES["image"], *FILES["launch"], ENABLED, *NEVER, *LEFT_BEHIND)
    lines = host.run(f"stat --format='%n %U %G %a' {' '.join(paths)}").stdout.splitlines()
    return dict(line.split(" ", 1) for line in lines)


@pytest.fixture(scope="module")
def unit(host: Any, is_there: bool) -> dict[str, str]:
    """What systemd knows of the agent's unit, of its own or made of an init script."""
    names = "ActiveState,Wants,After,RemainAfterExit,NeedDaemonReload"
    shown = host.check_output(f"systemctl show --property={names} codedeploy-agent.service").splitlines()
    return dict(line.split("=", 1) for line in shown)


@pytest.fixture(scope="module")
def configured(host: Any, way: str) -> dict[str, Any]:
    """What the agent is told, with its keys as they are written."""
    parsed: dict[str, Any] = yaml.safe_load(host.check_output(f"cat {CONFIGURATION}")) if way != "none" else {}
    return parsed


@pytest.fixture(scope="module")
def hold(host: Any, is_there: bool) -> str | None:
    """Why the server is held for its agent, None when it is not."""
    seen = host.run(f"cat {HOLD}")
    return str(seen.stdout) if seen.succeeded else None


@pytest.fixture(scope="module")
def log(host: Any, is_there: bool, variables: dict[str, Any]) -> str:
    """Where the agent's log is, with those that were rolled."""
    return f"{variables['codedeploy_agent_log_dir'].rstrip('/')}/{variables['codedeploy_agent_program_name']}.log*"


def test_exactly_the_wanted_files_are_there(rights: dict[str, str], wanted_files: dict[str, str]) -> None:
    """What this way needs is there, what another way needs is not."""
    known = FILES["image"] | FILES["launch"]
    assert {path: right for path, right in rights.items() if path in known} == wanted_files


@pytest.mark.parametrize("path", ["/etc/codedeploy-agent/conf", "/etc/systemd/system/codedeploy-agent.service.d"])
def test_folder_belongs_to_root(path: str, host: Any, way: str) -> None:
    """Nobody but root tells the agent anything."""
    seen = host.run(f"stat --format='%U %G %a' {path}").stdout.strip()
    assert seen == ("" if way == "none" else "root root 755")


@pytest.mark.parametrize("path", NEVER)
def test_nothing_else_updates_or_registers_the_agent(path: str, rights: dict[str, str]) -> None:
    """No old update job starts the agent, and no identity from outside of EC2 wins over the instance's role."""
    assert path not in rights


def test_no_identity_is_where_the_agent_looks_for_one(host: Any, way: str, variables: dict[str, Any]) -> None:
    """Nor is there one at the place that was configured."""
    assert way == "none" or not host.file(variables["codedeploy_agent_on_premises_config_file"]).exists


@pytest.mark.parametrize("path", LEFT_BEHIND)
def test_installation_leaves_nothing_behind(path: str, rights: dict[str, str]) -> None:
    """Services start again as they did, and no package lies about."""
    assert path not in rights


def test_agent_is_the_pinned_one(way: str, is_there: bool, hold: str | None, is_braked: bool) -> None:
    """Exactly the wanted version is installed; a launched server may still wait for it, and is held then."""
    assert {
        "none": hold is None,
        "image": is_there and hold is None,
        "launch": is_there or hold is not None or is_braked,
    }[way]


def test_agent_is_not_there_where_the_role_does_not_want_one(host: Any, way: str) -> None:
    """`none` leaves no agent of the role's."""
    assert way != "none" or not host.file(PROGRAM).exists


@pytest.mark.parametrize("key", SHARED)
def test_setting_is_as_wanted(
    key: str, configured: dict[str, Any], way: str, major: int, variables: dict[str, Any]
) -> None:
    """What is left empty is left out; major 1 has Ruby's symbols as keys."""
    wanted = variables[f"codedeploy_agent_{key}"]
    wanted = SHIPPED_WAIT[major] if (key, wanted) == ("wait_between_runs", 0) else wanted
    assert way == "none" or configured.get({1: f":{key}", 2: key}[major], "") == wanted


@pytest.mark.parametrize(("of", "key"), [(of, key) for of, keys in OWN.items() for key in keys])
def test_setting_of_one_major_is_as_wanted_or_left_out(
    of: int, key: str, configured: dict[str, Any], way: str, major: int, variables: dict[str, Any]
) -> None:
    """An agent is told nothing that its major does not know."""
    wanted = variables[f"codedeploy_agent_{key}"] if of == major else ""
    seen = configured.get({1: f":{key}", 2: key}[major], "")
    assert way == "none" or seen == ("" if key == "instance_service_port" and wanted == 0 else wanted)


def test_nothing_else_is_set(configured: dict[str, Any], major: int) -> None:
    """The file is the role's, whole."""
    assert {key.removeprefix(":") for key in configured} - {*SHARED, *OWN[major]} == set()


def test_agent_starts_after_the_network(unit: dict[str, str], way: str, is_there: bool) -> None:
    """Without a network the agent of major 1 finds no region and stays dead."""
    is_ordered = {"network-online.target"} <= set(unit["After"].split()) & set(unit["Wants"].split())
    assert is_ordered or way == "none" or not is_there


def test_brake_stops_the_agent(host: Any, way: str) -> None:
    """While an image is baked nothing can start the agent, its package neither."""
    lines = host.run(f"cat {DROP_IN}").stdout.splitlines()
    assert way == "none" or f"ConditionPathExists=!{BRAKE}" in lines


def test_systemd_has_read_what_is_written(unit: dict[str, str]) -> None:
    """The unit that runs is the one on disk."""
    assert unit["NeedDaemonReload"] == "no"


def test_brake_is_there_only_in_a_bake(is_braked: bool, way: str, variables: dict[str, Any]) -> None:
    """It is memory: a server launched from the image has none."""
    assert not is_braked or (way != "none" and not variables["codedeploy_agent_running"])


def test_agent_that_has_ended_does_not_count_as_running(unit: dict[str, str], way: str, is_there: bool) -> None:
    """What systemd makes of an init script would: nothing would start a dead agent again."""
    assert way == "none" or not is_there or unit["RemainAfterExit"] == "no"


def test_health_1_unit_is_enabled_and_runs(
    host: Any, unit: dict[str, str], is_there: bool, is_braked: bool, way: str
) -> None:
    """The agent starts at each boot, and runs unless an image is being baked; `is-enabled` knows init scripts, too."""
    seen = (host.run("systemctl is-enabled codedeploy-agent.service").stdout.strip(), unit["ActiveState"])
    assert way == "none" or not is_there or seen == ("enabled", "inactive" if is_braked else "active")


def test_health_2_agent_says_that_it_runs(host: Any, is_there: bool, is_braked: bool, way: str) -> None:
    """`status` ends with 0 exactly while it runs."""
    assert way == "none" or not is_there or (host.run(f"{PROGRAM} status").rc == 0) == (not is_braked)


def test_health_3_agent_knows_its_version(host: Any, is_there: bool, is_braked: bool, way: str, major: int) -> None:
    """Major 1 brings the file along, major 2 writes it as it starts."""
    line = host.run(f"cat {VERSION}").stdout
    is_expected = way != "none" and is_there and not (is_braked and major == 2)
    assert not is_expected or re.match(r"agent_version: \S+", line)


@pytest.mark.parametrize("trouble", TROUBLE)
def test_health_4_log_is_free_of_trouble(
    trouble: str, host: Any, log: str, is_there: bool, is_braked: bool, way: str
) -> None:
    """Credentials, clock, region and the way to AWS are in order since the agent was started."""
    newest = log.removesuffix("*")
    seen = host.run(f"tac {newest} | sed '/Spawned child/q' | grep --count --fixed-strings '{trouble}'").stdout.strip()
    assert way == "none" or not is_there or is_braked or seen == "0"


def test_health_5_agent_looks_for_commands(
    host: Any, log: str, is_there: bool, is_braked: bool, way: str, variables: dict[str, Any]
) -> None:
    """A look is answered after a minute at most; one that has just started has the time for it."""
    has_looked = host.run(f"grep --quiet --extended-regexp '{POLLS}' {log}").succeeded
    # systemd knows no process of an init script.
    noted = f"{variables['codedeploy_agent_pid_dir'].rstrip('/')}/{variables['codedeploy_agent_program_name']}.pid"
    age = host.run(f"ps --format etimes= --pid $(cat {noted})").stdout.strip()
    is_new = age.isdigit() and int(age) < POLL_SECONDS
    assert way == "none" or not is_there or is_braked or has_looked or is_new


def test_launched_server_is_held_exactly_while_it_lacks_its_agent(
    hold: str | None, is_there: bool, way: str, is_braked: bool
) -> None:
    """No request reaches a server that no deployment could reach; nothing holds one with its agent."""
    assert (hold is not None) == (way == "launch" and not is_there and not is_braked)


def test_hold_says_why(hold: str | None) -> None:
    """A held server has a reason that an operator can read, on one line."""
    assert hold is None or (hold.startswith("the CodeDeploy agent is not installed") and len(hold.splitlines()) == 1)


def test_launched_server_is_held_from_the_start(host: Any, way: str) -> None:
    """systemd-tmpfiles makes the hold before any service runs, exactly where the agent comes at launch."""
    lines = host.run("cat /etc/tmpfiles.d/goldfleet-codedeploy-agent.conf").stdout.splitlines()
    rules = [line.split()[:2] for line in lines if not line.startswith("#")]
    assert rules == ([["f", HOLD]] if way == "launch" else [])


def test_installer_starts_at_boot(host: Any, way: str, is_braked: bool, units: dict[str, tuple[str, str]]) -> None:
    """What installs the agent is tried at each boot, and runs or has done its work unless an image is being baked."""
    seen = units.get(f"{INSTALLER}.service", ("inactive", ""))
    wanted = ("inactive" if is_braked else "active", "enabled") if way == "launch" else ("inactive", "")
    assert seen == wanted


def test_installer_does_not_hold_up_the_boot(host: Any, way: str) -> None:
    """It counts as started once it runs."""
    seen = host.run(f"systemctl show --value --property=Type {INSTALLER}.service").stdout.strip()
    assert way != "launch" or seen == "exec"


@pytest.mark.parametrize("fact", ["version", "sha256", "region", "proxy"])
def test_installer_installs_what_is_pinned(fact: str, host: Any, way: str, variables: dict[str, Any]) -> None:
    """Version, checksum, region and proxy are the wanted ones."""
    name = {"proxy": "proxy_uri"}.get(fact, fact)
    seen = json.loads(host.check_output("cat /etc/goldfleet/codedeploy_agent.json")) if way == "launch" else {}
    assert way != "launch" or seen[fact] == variables[f"codedeploy_agent_{name}"]


def test_installer_fetches_from_the_wanted_source(host: Any, way: str, major: int, variables: dict[str, Any]) -> None:
    """The package has the name that it has in AWS's bucket."""
    source = {
        "bucket": "https://aws-codedeploy-{region}.s3.{region}.{domain}/releases",
        "mirror": variables["codedeploy_agent_mirror"].rstrip("/"),
    }.get(variables["codedeploy_agent_source"])
    name = f"codedeploy-agent_{variables['codedeploy_agent_version']}_{ {1: 'all', 2: '{architecture}'}[major] }.deb"
    seen = json.loads(host.check_output("cat /etc/goldfleet/codedeploy_agent.json")) if way == "launch" else {}
    assert way != "launch" or seen["url"] == f"{source}/{name}"


def test_installer_waits_for_running_deployments(host: Any, way: str, variables: dict[str, Any]) -> None:
    """It looks where the agent notes them."""
    root, name = variables["codedeploy_agent_root_dir"], variables["codedeploy_agent_ongoing_deployment_tracking"]
    seen = json.loads(host.check_output("cat /etc/goldfleet/codedeploy_agent.json")) if way == "launch" else {}
    assert way != "launch" or seen["ongoing"] == f"{root}/{name}"
