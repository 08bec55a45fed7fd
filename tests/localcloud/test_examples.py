"""The schedules of examples/ work on a Debian machine: systemd's and cron's own programs judge them.

A stand-in for goldfleet writes down what is done to it; the real one bakes in test_bake.
"""

import base64
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.localcloud.conftest import ROOT, Cloud, wait_for

SCHEDULES = ROOT / "examples" / "schedules"
PROGRAM = "/opt/goldfleet/.venv/bin/goldfleet"
STAND_IN = """#!/bin/sh
# Ends with the code in ./code; while there is none, works, with a child as Packer would be, and cleans up on SIGTERM.
echo "$PWD: $* as $(id -un), region $AWS_REGION" >/opt/goldfleet/seen
[ ! -e code ] || { echo "progress"; exit "$(cat code)"; }
(trap 'echo "child was told too" >>seen' TERM; sleep 100 & wait) &
trap 'sleep 1; echo "cleaned up" >>seen; exit 5' TERM
wait
"""


def write(cloud: Cloud, machine: str, path: str, content: str, mode: str = "0644") -> None:
    """Write a file on the machine."""
    encoded = base64.b64encode(content.encode()).decode()
    quoted = shlex.quote(path)
    cloud.ssh(machine, f"echo {encoded} | base64 -d | sudo install -D -m {mode} /dev/stdin {quoted}")


@pytest.fixture(scope="module")
def machine(cloud: Cloud) -> Iterator[str]:
    """A machine with the user, the folder and the units that the examples' README asks for, and cron."""
    (instance_id,) = cloud.launch()
    cloud.wait_state(instance_id, "running")
    cloud.ssh(instance_id, "sudo apt-get update -qq && sudo apt-get install -qq -y --no-install-recommends cron")
    cloud.ssh(instance_id, "sudo useradd --system --create-home goldfleet")
    write(cloud, instance_id, PROGRAM, STAND_IN, "0755")
    cloud.ssh(instance_id, "sudo mkdir /opt/goldfleet/docs && sudo chown -R goldfleet: /opt/goldfleet")
    for unit in SCHEDULES.glob("goldfleet-bake.*"):
        write(cloud, instance_id, f"/etc/systemd/system/{unit.name}", unit.read_text())
    cloud.ssh(instance_id, "echo AWS_REGION=eu-central-1 | sudo tee /etc/goldfleet.env && sudo systemctl daemon-reload")
    yield instance_id
    cloud.terminate(instance_id)


def seen(cloud: Cloud, machine: str) -> str:
    """Return what the stand-in wrote down."""
    return cloud.ssh(machine, "sudo cat /opt/goldfleet/seen", check=False).stdout


def service(cloud: Cloud, machine: str, name: str) -> str:
    """Return a property of the service."""
    return cloud.ssh(machine, f"systemctl show --value -p {name} goldfleet-bake.service").stdout.strip()


def command_of_crontab() -> str:
    """Return the command of the crontab's one job."""
    (job,) = [line for line in (SCHEDULES / "goldfleet-bake.crontab").read_text().splitlines() if line[0].isdigit()]
    return job.split(maxsplit=5)[5]


@pytest.mark.parametrize("unit", ["goldfleet-bake.service", "goldfleet-bake.timer"])
def test_systemd_finds_nothing_wrong_with_the_unit(cloud: Cloud, machine: str, unit: str) -> None:
    verified = cloud.ssh(machine, f"systemd-analyze verify /etc/systemd/system/{unit}")
    assert (verified.stdout, verified.stderr) == ("", "")


def test_timer_once_enabled_has_its_next_run_at_night(cloud: Cloud, machine: str) -> None:
    cloud.ssh(machine, "sudo systemctl enable --now goldfleet-bake.timer")
    shown = cloud.ssh(machine, "systemctl show -p NextElapseUSecRealtime goldfleet-bake.timer").stdout
    assert " 03:3" in shown or " 03:4" in shown, shown


@pytest.mark.parametrize(("code", "state"), [(0, "inactive"), (3, "failed"), (6, "failed")])
def test_service_tells_the_exit_code(cloud: Cloud, machine: str, code: int, state: str) -> None:
    cloud.ssh(machine, f"echo {code} | sudo tee /opt/goldfleet/code")
    started = cloud.ssh(machine, "sudo systemctl start goldfleet-bake.service", check=False)
    assert (started.returncode == 0) == (code == 0)
    assert (service(cloud, machine, "ActiveState"), service(cloud, machine, "ExecMainStatus")) == (state, str(code))
    assert seen(cloud, machine) == "/opt/goldfleet: bake --if-changed as goldfleet, region eu-central-1\n"


def test_stopped_service_alone_is_told_and_may_clean_up(cloud: Cloud, machine: str) -> None:
    cloud.ssh(machine, "sudo rm -f /opt/goldfleet/code /opt/goldfleet/seen")
    cloud.ssh(machine, "sudo systemctl start --no-block goldfleet-bake.service")
    wait_for("the stand-in", lambda: seen(cloud, machine))
    cloud.ssh(machine, "sudo systemctl stop goldfleet-bake.service")
    assert seen(cloud, machine).splitlines()[1:] == ["cleaned up"]
    assert service(cloud, machine, "ExecMainStatus") == "5"


def test_cron_takes_the_crontab_and_refuses_a_broken_one(cloud: Cloud, machine: str) -> None:
    crontab = (SCHEDULES / "goldfleet-bake.crontab").read_text()
    write(cloud, machine, "/root/good", crontab)
    write(cloud, machine, "/root/broken", crontab.replace("30 3 * * *", "30 25 * * *"))
    assert "bad hour" in cloud.ssh(machine, "sudo crontab -u goldfleet /root/broken", check=False).stderr
    cloud.ssh(machine, "sudo crontab -u goldfleet /root/good")
    assert cloud.ssh(machine, "sudo crontab -u goldfleet -l").stdout == crontab


@pytest.mark.parametrize(
    ("code", "mailed"), [(0, ""), (4, "goldfleet bake: exit 4, see docs/runbooks\nprogress\n")], ids=["good", "failed"]
)
def test_crontabs_command_prints_only_when_the_bake_failed(cloud: Cloud, machine: str, code: int, mailed: str) -> None:
    cloud.ssh(machine, f"echo {code} | sudo tee /opt/goldfleet/code")
    write(cloud, machine, "/opt/goldfleet/job", command_of_crontab())
    path = f"{Path(PROGRAM).parent}:/usr/bin:/bin"
    done = cloud.ssh(machine, f"sudo -u goldfleet env -i PATH={path} AWS_REGION=x sh /opt/goldfleet/job")
    assert done.stdout == mailed
