"""The real ssh-keygen, and the real ssh's reading of our configuration."""

import socket
import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from goldfleet.errors import UsageError
from goldfleet.ssh.config import Target, build_ssh_config
from goldfleet.ssh.keys import make_key_pair
from goldfleet.ssh.login import Ssh
from goldfleet.stop import StopFlag

SECURE = (
    "stricthostkeychecking true",
    "identitiesonly yes",
    "globalknownhostsfile none",
    "updatehostkeys false",
    "batchmode yes",
    "controlmaster auto",
)


def target_of(folder: Path) -> Target:
    return Target(
        address="10.0.0.1",
        user="admin",
        private_key=str(folder / "id 100%"),
        known_hosts=str(folder / "known hosts"),
        control_path=str(folder / "%C"),
    )


@pytest.mark.parametrize("setting", SECURE)
def test_ssh_itself_reads_the_configuration_as_strict(tmp_path: Path, setting: str) -> None:
    config = tmp_path / "ssh_config"
    config.write_text(build_ssh_config(target_of(tmp_path)))
    told = subprocess.run(["ssh", "-G", "-F", str(config), "10.0.0.1"], capture_output=True, text=True, check=True)
    assert setting in told.stdout.splitlines()


def test_ssh_itself_reads_paths_with_spaces_and_percent(tmp_path: Path) -> None:
    config = tmp_path / "ssh_config"
    config.write_text(build_ssh_config(target_of(tmp_path)))
    told = subprocess.run(["ssh", "-G", "-F", str(config), "10.0.0.1"], capture_output=True, text=True, check=True)
    assert "user admin" in told.stdout.splitlines()
    assert f"identityfile {tmp_path}/id 100%%" in told.stdout.splitlines()
    assert f"userknownhostsfile {tmp_path}/known hosts" in told.stdout.splitlines()


def test_without_a_private_key_ssh_uses_its_own(tmp_path: Path) -> None:
    config = tmp_path / "ssh_config"
    config.write_text(build_ssh_config(replace(target_of(tmp_path), private_key="")))
    told = subprocess.run(["ssh", "-G", "-F", str(config), "10.0.0.1"], capture_output=True, text=True, check=True)
    assert {"identitiesonly no", "stricthostkeychecking true"} <= set(told.stdout.splitlines())
    assert "identityagent none" not in told.stdout.splitlines()


def test_private_key_is_readable_for_its_owner_only(tmp_path: Path) -> None:
    public = make_key_pair(tmp_path / "id_ed25519", "goldfleet-run")
    assert public.startswith("ssh-ed25519 ")
    assert public.endswith(" goldfleet-run")
    assert (tmp_path / "id_ed25519").stat().st_mode & 0o777 == 0o600


def test_key_that_cannot_be_written_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="ssh-keygen could not write"):
        make_key_pair(tmp_path / "missing" / "id_ed25519", "x")


def test_shared_connection_that_does_not_answer_is_left_behind(tmp_path: Path) -> None:
    config, path = tmp_path / "ssh_config", tmp_path / "control"
    config.write_text(f"Host 10.0.0.1\n  ControlPath {path}\n")
    started = time.monotonic()
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(path))
        silent.listen()
        Ssh(config, "10.0.0.1", StopFlag(), timeout_seconds=0.5).close()
    assert 0.4 < time.monotonic() - started < 10


@pytest.mark.parametrize(
    ("ssh", "seen"),
    [
        ('exec sh -c "$(echo "$last" | sed s,/run/goldfleet/hold,$HOLDS,)"', ("b: why not", "settings: not yet")),
        ('exec sh -c "$(echo "$last" | sed s,/run/goldfleet/hold,/nowhere,)"', ()),
        ("echo Connection closed >&2\nexit 255", ("Connection closed",)),
    ],
    ids=["held", "not a server of this project", "not reached"],
)
def test_holds_are_read_with_their_first_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, ssh: str, seen: tuple[str, ...]
) -> None:
    program, holds = tmp_path / "bin" / "ssh", tmp_path / "hold"
    for folder in (program.parent, holds, holds / "folder"):
        folder.mkdir()
    program.write_text(f"#!/bin/sh\nfor last; do :; done\n{ssh}\n")
    program.chmod(0o755)
    (holds / "settings").write_text("not yet\nmore\n")
    (holds / "b").write_text("why not")
    (holds / ".unfinished").write_text("half")
    monkeypatch.setenv("HOLDS", str(holds))
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    assert Ssh(tmp_path / "ssh_config", "10.0.0.1", StopFlag()).holds() == seen


def test_key_file_whose_name_has_a_dot_gets_its_public_key(tmp_path: Path) -> None:
    assert make_key_pair(tmp_path / "fleet.key", "a fleet").endswith(" a fleet")
