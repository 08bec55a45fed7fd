"""Promises of a machine that was sealed and not started since: the builder, just before its image is taken.

Not named test_*: on a server launched from the image these would rightly fail, since it has an identity again.
Molecule runs it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

CHECK = "/usr/local/sbin/goldfleet-seal --check"
SEEDED = {
    "/root/.bash_history": "shell history",
    "/root/.aws/credentials": "credentials",
    "/var/lib/cloud/instances/i-1/sem": "cloud-init state",
    "/var/lib/systemd/random-seed": "random seed",
    "/var/log/app/error.log": "log",
    "/var/tmp/build.sh": "temporary file",
    "/etc/ssh/ssh_host_ed25519_key": "ssh host key",
    "/root/.ssh/authorized_keys": "key that lets someone in",
}


@pytest.fixture
def seed(request: pytest.FixtureRequest, host: Any) -> Iterator[str]:
    """Plant one leftover, and take it away again by sealing."""
    path: str = request.param
    host.check_output("install -D /dev/null %s && echo planted > %s", path, path)
    yield path
    host.check_output("/usr/local/sbin/goldfleet-seal")


def test_nothing_is_left(host: Any) -> None:
    """The check finds the machine sealed."""
    assert host.check_output(CHECK) == "goldfleet-seal: sealed"


@pytest.mark.parametrize("seed", SEEDED, indirect=True)
def test_planted_leftover_is_named(seed: str, host: Any) -> None:
    """The check fails and names what was planted, by its kind."""
    seen = host.run(CHECK)
    assert (seen.rc, [line for line in seen.stdout.splitlines() if line.startswith(SEEDED[seed])] != []) == (6, True)


def test_check_prints_json(host: Any) -> None:
    """A program can read the result."""
    assert json.loads(host.check_output(f"{CHECK} --json")) == {"sealed": True, "removed": [], "left": []}


def test_machine_id_is_empty(host: Any) -> None:
    """Empty, not `uninitialized`: systemd would take the next boot for a first one and enable every unit again."""
    assert host.check_output("stat --format=%s /etc/machine-id") == "0"


def test_journal_stays_in_memory(host: Any) -> None:
    """Whatever is logged from here on does not reach the image."""
    assert host.check_output("ls -A /var/log/journal") == ""


def test_seal_program_belongs_to_root(host: Any) -> None:
    """A program that sudo runs for others cannot be replaced by them."""
    assert host.check_output("stat --format='%a %U %G' /usr/local/sbin/goldfleet-seal") == "755 root root"


def test_check_is_open_to_the_group_only(host: Any, variables: dict[str, Any]) -> None:
    """The group may look, in these two ways, and no more."""
    program = "/usr/local/sbin/goldfleet-seal --check"
    rule = f"%{variables['golden_seal_check_group']} ALL=(root) NOPASSWD: {program}, {program} --json"
    assert host.check_output("grep -v '^#' /etc/sudoers.d/goldfleet-seal") == rule


@pytest.mark.parametrize("fact", ["image", "run", "commit", "source_ami", "fingerprint"])
def test_manifest_names_the_bake(fact: str, manifest: dict[str, Any], variables: dict[str, Any]) -> None:
    """The manifest says which bake this was; what it did not know is null."""
    assert manifest[fact] == (variables[f"golden_seal_{fact}"] or None)


@pytest.mark.parametrize("fact", ["machine_id", "host_keys"])
def test_manifest_keeps_the_builders_identity(fact: str, manifest: dict[str, Any]) -> None:
    """The hashes were taken before the seal, and a second run has kept them."""
    assert manifest["identity"][fact]
