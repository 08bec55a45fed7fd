"""packer-py with our own executable underneath, and a real process that behaves like Packer."""

import os
import signal
import stat
import subprocess
import threading
import time
from pathlib import Path

import pytest

from goldfleet.bake.collections import collections_path
from goldfleet.bake.packer import Packer, find_packer, packer_environment
from goldfleet.bake.run_folder import RunFolder
from goldfleet.errors import AwsError, StoppedError, UsageError
from goldfleet.stop import StopFlag, catch_signals

PACKER = """#!/usr/bin/env python3
import json, os, signal, sys, time
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "calls"), "a") as calls:
    calls.write(json.dumps({"arguments": sys.argv[1:], "region": os.environ.get("AWS_REGION"),
                            "profile": os.environ.get("AWS_PROFILE"), "folder": os.getcwd()}) + "\\n")
if sys.argv[1] == "version":
    print("Packer v1.6.6")
elif sys.argv[1] == "build":
    print("==> amazon-ebs.golden: Launching a source AWS instance...", flush=True)
    exec(open(os.path.join(here, "behaviour")).read())
"""
WORKS = """
manifest = os.path.join(os.getcwd(), "manifest.json")
build = {"artifact_id": "us-east-1:ami-1", "packer_run_uuid": "u"}
json.dump({"builds": [build], "last_run_uuid": "u"}, open(manifest, "w"))
"""
FAILS = """
print("    amazon-ebs.golden: TASK [web_stack : Install nginx] ****")
print("    amazon-ebs.golden: fatal: [default]: FAILED! =>")
print("    amazon-ebs.golden:     msg: no nginx")
print("    amazon-ebs.golden:")
print("Build 'amazon-ebs.golden' errored: Error executing Ansible")
sys.exit(1)
"""
CLEANS_UP_ON_INTERRUPT = """
def interrupted(*_):
    print("==> amazon-ebs.golden: Terminating the source AWS instance...", flush=True)
    sys.exit(1)
signal.signal(signal.SIGINT, interrupted)
print("ready", flush=True)
time.sleep(60)
"""
IS_KILLED = "os.kill(os.getpid(), signal.SIGKILL)"
HANGS = "signal.signal(signal.SIGINT, signal.SIG_IGN)\nprint('ready', flush=True)\ntime.sleep(60)"


class Kitchen:
    """A stand-in for Packer on PATH, with a behaviour, and a run folder."""

    def __init__(self, folder: Path) -> None:
        self.bin = folder / "bin"
        self.bin.mkdir()
        (self.bin / "packer").write_text(PACKER)
        (self.bin / "packer").chmod(stat.S_IRWXU)
        self.run = RunFolder(folder / "run")
        self.run.path.mkdir()
        self.stop = StopFlag()
        self.lines: list[str] = []
        self.environment = packer_environment(
            {"PATH": f"{self.bin}:{os.environ['PATH']}"}, region="us-east-1", profile="ops", collections_path=()
        )

    def packer(self, grace_seconds: float = 5.0) -> Packer:
        return Packer(self.environment, "us-east-1", self.stop, grace_seconds)

    def build(self, behaviour: str, version: tuple[int, ...] = (1, 6, 6), grace_seconds: float = 5.0) -> str:
        (self.bin / "behaviour").write_text(behaviour)

        def on_line(line: str) -> None:
            self.lines.append(line)
            if line == "ready":
                self.stop.set("SIGTERM")

        return self.packer(grace_seconds).build(self.run, version, on_line)

    def calls(self) -> str:
        return (self.bin / "calls").read_text()


@pytest.fixture
def kitchen(tmp_path: Path) -> Kitchen:
    return Kitchen(tmp_path)


def test_version_is_asked_for_and_read(kitchen: Kitchen) -> None:
    assert kitchen.packer().version(kitchen.run.path) == (1, 6, 6)


def test_build_returns_the_ami_of_the_manifest_and_keeps_a_log(kitchen: Kitchen) -> None:
    assert kitchen.build(WORKS) == "ami-1"
    assert kitchen.lines == ["==> amazon-ebs.golden: Launching a source AWS instance..."]
    assert kitchen.run.log.read_text().splitlines() == kitchen.lines


def test_build_gets_folder_variables_region_and_profile(kitchen: Kitchen) -> None:
    kitchen.build(WORKS)
    for word in (
        f'"-color=false", "-var-file={kitchen.run.packer_variables}", "{kitchen.run.packer}"',
        '"region": "us-east-1", "profile": "ops"',
        f'"folder": "{kitchen.run.path}"',
    ):
        assert word in kitchen.calls()


@pytest.mark.parametrize(("version", "inits"), [((1, 6, 6), 0), ((1, 7, 0), 1), ((1, 11, 0), 1)])
def test_plugins_are_installed_where_packer_can(kitchen: Kitchen, version: tuple[int, ...], inits: int) -> None:
    kitchen.build(WORKS, version)
    assert kitchen.calls().count('["init"') == inits


def test_failing_task_is_in_the_message(kitchen: Kitchen) -> None:
    with pytest.raises(AwsError) as caught:
        kitchen.build(FAILS)
    assert str(caught.value) == (
        "packer build failed with exit code 1:\n"
        "  TASK [web_stack : Install nginx]\n"
        "  fatal: [default]: FAILED! =>\n"
        "      msg: no nginx\n"
        f"All of its output is in {kitchen.run.log}."
    )


def test_success_without_a_manifest_is_an_error(kitchen: Kitchen) -> None:
    with pytest.raises(AwsError, match="manifest cannot be read"):
        kitchen.build("pass")


def test_killed_packer_is_said_to_be_killed(kitchen: Kitchen) -> None:
    with pytest.raises(AwsError, match="packer build was killed by SIGKILL"):
        kitchen.build(IS_KILLED)


def test_stop_is_passed_on_and_packers_clean_up_awaited(kitchen: Kitchen) -> None:
    with pytest.raises(StoppedError, match="Stopped by SIGTERM during packer build"):
        kitchen.build(CLEANS_UP_ON_INTERRUPT)
    assert kitchen.lines[-1] == "==> amazon-ebs.golden: Terminating the source AWS instance..."


def test_packer_that_hangs_after_a_stop_is_killed(kitchen: Kitchen) -> None:
    started = time.monotonic()
    with pytest.raises(StoppedError):
        kitchen.build(HANGS, grace_seconds=0.2)
    assert time.monotonic() - started < 30


def test_signal_to_this_process_stops_packer(kitchen: Kitchen) -> None:
    timer = threading.Timer(0.5, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    with catch_signals(kitchen.stop), pytest.raises(StoppedError, match="SIGINT"):
        kitchen.build("time.sleep(60)")
    timer.join()


def test_log_on_a_full_disk_stops_packer(kitchen: Kitchen) -> None:
    kitchen.run.log.symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left"):
        kitchen.build(CLEANS_UP_ON_INTERRUPT.replace("ready", "waiting"))


def test_missing_packer_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"There is no `packer` on PATH\. Install it"):
        find_packer({"PATH": str(tmp_path)})


def test_programs_of_this_environment_come_first_on_path() -> None:
    environment = packer_environment({"PATH": "/usr/bin", "X": "1"}, "eu-west-1", None, ())
    assert environment["PATH"].endswith(":/usr/bin")
    assert Path(environment["PATH"].split(":")[0], "pytest").exists()
    assert environment["X"] == "1"
    assert "AWS_PROFILE" not in environment


@pytest.mark.parametrize(
    "name",
    [
        "ANSIBLE_ROLES_PATH",
        "ANSIBLE_CONFIG",
        "ANSIBLE_HOME",
        "ANSIBLE_FILTER_PLUGINS",
        "ANSIBLE_ACTION_PLUGINS",
        "ANSIBLE_LIBRARY",
        "ANSIBLE_COLLECTIONS_SCAN_SYS_PATH",
        "PKR_VAR_source_ami",
        "PKR_VAR_playbook",
        "PKR_VAR_fingerprint",
    ],
)
def test_variable_that_could_change_what_is_baked_does_not_reach_packer(name: str) -> None:
    assert name not in packer_environment({"PATH": "/usr/bin", name: "x"}, "eu-west-1", None, ())


@pytest.mark.parametrize(
    "name",
    [
        "ANSIBLE_VAULT_PASSWORD_FILE",
        "ANSIBLE_VAULT_IDENTITY_LIST",
        "PKR_VAR_aws_endpoint_url",
        "PKR_VAR_skip_region_validation",
        "PKR_VAR_skip_credential_validation",
        "PKR_VAR_skip_metadata_api_check",
        "HTTPS_PROXY",
        "AWS_ENDPOINT_URL",
    ],
)
def test_variable_that_cannot_reaches_packer(name: str) -> None:
    assert packer_environment({"PATH": "/usr/bin", name: "x"}, "eu-west-1", None, ())[name] == "x"


def test_collections_are_found_where_their_versions_were_read(tmp_path: Path) -> None:
    """Ansible itself is asked: a path of the caller's would be looked up in the run folder."""
    installed = tmp_path / "collections"
    metadata = installed / "ansible_collections" / "some" / "thing" / "MANIFEST.json"
    metadata.parent.mkdir(parents=True)
    metadata.write_text('{"collection_info": {"namespace": "some", "name": "thing", "version": "9.8.7"}}')
    caller = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "ANSIBLE_COLLECTIONS_PATH": "collections"}
    environment = packer_environment(caller, "eu-west-1", None, collections_path(tmp_path, caller, tmp_path))
    command = ["ansible-galaxy", "collection", "list", "some.thing", "--format", "json"]
    told = subprocess.run(command, env=environment, cwd="/", capture_output=True, text=True, check=True)
    assert "9.8.7" in told.stdout
