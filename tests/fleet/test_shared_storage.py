"""Promises of role shared_storage: units of the listed shares alone, what checks them, and the hold until they are there."""

from __future__ import annotations

import json
import shlex
from typing import Any

import pytest

FOLDER = "/etc/systemd/system"
PROGRAM = "/usr/local/sbin/goldfleet-storage-check"
MARK = "goldfleet role shared_storage"
DEFAULTS = {
    "export": "/", "read_only": False, "owner": "", "group": "", "mode": "", "needs_chown": False, "required": True,
}  # fmt: skip
KINDS = ("mount", "automount")


@pytest.fixture(scope="module")
def shares(variables: dict[str, Any]) -> list[dict[str, Any]]:
    """The listed shares, with their defaults."""
    return [DEFAULTS | share for share in variables["shared_storage_mounts"]]


@pytest.fixture(scope="module")
def is_required(shares: list[dict[str, Any]]) -> bool:
    """Whether the server is held until its shares are there."""
    return any(share["required"] for share in shares)


@pytest.fixture(scope="module")
def names(host: Any, shares: list[dict[str, Any]]) -> dict[str, str]:
    """The name that systemd gives to the units of each path."""
    if not shares:
        return {}
    paths = [share["path"] for share in shares]
    return dict(zip(paths, host.check_output(f"systemd-escape --path {' '.join(paths)}").split(), strict=True))


@pytest.fixture(scope="module")
def files(host: Any) -> dict[str, str]:
    """The text of every file that carries the role's mark, by its path."""
    places = f"{FOLDER} /etc/tmpfiles.d /usr/local/sbin /etc/goldfleet"
    command = (
        f"find {places} -maxdepth 1 -type f -exec grep --files-with-matches --fixed-strings {shlex.quote(MARK)} {{}} +"
    )
    seen = {}
    for path in host.run(command).stdout.split():
        seen[path] = host.file(path).content_string
    return seen


@pytest.fixture(scope="module")
def rights(host: Any, files: dict[str, str]) -> dict[str, str]:
    """Mode, owner and group of each of these files."""
    if not files:
        return {}
    lines = host.check_output(f"stat --format='%n %a %U %G' {' '.join(map(shlex.quote, files))}").splitlines()
    return dict(line.split(" ", 1) for line in lines)


def settings_of(text: str) -> list[str]:
    """Return the lines of a unit that say something."""
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def test_files_are_those_of_the_listed_shares(
    files: dict[str, str], names: dict[str, str], shares: list[dict[str, Any]], is_required: bool
) -> None:
    """Units of exactly the listed shares, and what checks them while there are any."""
    wanted = {f"{FOLDER}/{name}.{kind}" for name in names.values() for kind in KINDS}
    wanted |= {PROGRAM, "/etc/goldfleet/shared_storage.json"} if shares else set()
    service = {f"{FOLDER}/goldfleet-storage.service", "/etc/tmpfiles.d/goldfleet-shared_storage.conf"}
    assert set(files) == wanted | (service if is_required else set())


def test_files_belong_to_root(rights: dict[str, str]) -> None:
    """Nobody but root changes them."""
    assert rights == {path: "755 root root" if path == PROGRAM else "644 root root" for path in rights}


def test_mounts_are_as_aws_advises(
    files: dict[str, str], names: dict[str, str], shares: list[dict[str, Any]], variables: dict[str, Any]
) -> None:
    """NFS 4.1, hard, large blocks, a new source port at each connection; what is read only says so."""
    reply = variables["shared_storage_reply_timeout_seconds"] * 10
    advised = "nfsvers=4.1,rsize=1048576,wsize=1048576,hard,noresvport,_netdev"
    often = variables["shared_storage_retransmissions"]
    wanted = {
        share["path"]: [
            f"What={share['server']}:{share['export']}", f"Where={share['path']}", "Type=nfs4",
            f"Options={advised},timeo={reply},retrans={often},{'ro' if share['read_only'] else 'rw'}",
            f"TimeoutSec={variables['shared_storage_mount_timeout_seconds']}",
        ]
        for share in shares
    }  # fmt: skip
    seen = {path: settings_of(files[f"{FOLDER}/{name}.mount"].partition("[Mount]")[2]) for path, name in names.items()}
    assert seen == wanted


def test_automounts_are_as_wanted(files: dict[str, str], names: dict[str, str], variables: dict[str, Any]) -> None:
    """Mounted at the first use, unmounted after the wanted time without any; the boot does not wait for a file server."""
    idle = f"TimeoutIdleSec={variables['shared_storage_idle_timeout_seconds']}"
    seen = {
        path: settings_of(files[f"{FOLDER}/{name}.automount"].partition("[Automount]")[2])
        for path, name in names.items()
    }
    assert seen == {path: [f"Where={path}", idle, "[Install]", "WantedBy=remote-fs.target"] for path in names}


def test_units_refuse_to_hide_files(files: dict[str, str], names: dict[str, str]) -> None:
    """Neither unit mounts over a folder that holds files."""
    missing = [
        f"{name}.{kind}"
        for path, name in names.items()
        for kind in KINDS
        if f"AssertDirectoryNotEmpty=!{path}" not in settings_of(files[f"{FOLDER}/{name}.{kind}"])
    ]
    assert missing == []


def test_systemd_has_nothing_to_say_against_the_units(host: Any, files: dict[str, str]) -> None:
    """systemd-analyze verify is content."""
    units = " ".join(shlex.quote(path) for path in files if path.startswith(FOLDER))
    if units:
        done = host.run(f"systemd-analyze --man=no verify {units}")
        said = [line for line in (done.stdout + done.stderr).splitlines() if "shared_storage" in line or "srv-" in line]
        assert (done.rc, said) == (0, [])


def test_automounts_come_with_the_boot(host: Any, names: dict[str, str]) -> None:
    """Every automount is enabled."""
    seen = {name: host.run(f"systemctl is-enabled '{name}.automount'").stdout.strip() for name in names.values()}
    assert seen == dict.fromkeys(names.values(), "enabled")


def test_shares_wait_for_their_first_use(host: Any, names: dict[str, str], variables: dict[str, Any]) -> None:
    """Every automount runs, where there is what automounts are made with; most containers lack it."""
    if names and variables["shared_storage_running"] and host.file("/dev/autofs").exists:
        units = " ".join(f"'{name}.automount'" for name in names.values())
        assert host.run(f"systemctl is-active {units}").stdout.split() == ["active"] * len(names)


def test_no_unit_of_an_unlisted_share_is_enabled(host: Any, names: dict[str, str]) -> None:
    """No link to a unit that is gone, and none that is not listed."""
    links = host.run(f"ls {FOLDER}/remote-fs.target.wants").stdout.split()
    assert {link for link in links if link.endswith(".automount")} == {f"{name}.automount" for name in names.values()}


def test_nfs_client_is_installed_for_shares(shares: list[dict[str, Any]], installed_packages: set[str]) -> None:
    """nfs-common has mount.nfs4."""
    assert not shares or "nfs-common" in installed_packages


UNUSED = ["rpcbind.socket", "rpcbind.service", "rpc-gssd.service"]


@pytest.mark.parametrize("unit", UNUSED)
def test_what_the_shares_do_not_use_is_closed(host: Any, shares: list[dict[str, Any]], unit: str) -> None:
    """They come with nfs-common: NFS 3's port mapper, which listens on port 111, and Kerberos."""
    if shares:
        seen = [host.run(f"systemctl {question} {unit}").stdout.strip() for question in ("is-active", "is-enabled")]
        assert seen == ["inactive", "masked"]


@pytest.mark.parametrize("unit", UNUSED)
def test_what_the_shares_did_not_use_can_be_used_after_them(
    host: Any, shares: list[dict[str, Any]], installed_packages: set[str], unit: str
) -> None:
    """Without shares the NFS client is somebody else's: a mask that stayed would stop shares by NFS 3."""
    if not shares and "nfs-common" in installed_packages:
        assert host.run(f"systemctl is-enabled {unit}").stdout.strip() not in ("", "masked")


def test_program_checks_what_is_listed(files: dict[str, str], shares: list[dict[str, Any]]) -> None:
    """goldfleet-storage-check knows every share with all that is asked of it."""
    text = files.get("/etc/goldfleet/shared_storage.json", '{"mounts": []}')
    assert json.loads(text)["mounts"] == shares


def test_required_shares_hold_the_server_from_its_boot_on(host: Any, files: dict[str, str], is_required: bool) -> None:
    """The hold is made before any service, and its end is enabled."""
    made = files.get("/etc/tmpfiles.d/goldfleet-shared_storage.conf", "")
    assert ("f /run/goldfleet/hold/shared_storage 0644 root root - " in made) == is_required
    enabled = host.run("systemctl is-enabled goldfleet-storage.service").stdout.strip() == "enabled"
    assert enabled == is_required


def test_hold_is_there_exactly_while_a_required_share_is_bad(host: Any, shares: list[dict[str, Any]]) -> None:
    """And its reason names the share; where the kernel has no NFS client, as in a container, it says that."""
    if not shares:
        assert not host.file("/run/goldfleet/hold/shared_storage").exists
        return
    with host.sudo():
        done = host.run(f"{PROGRAM} --json")
        reports = json.loads(done.stdout)
    assert [report["path"] for report in reports] == [share["path"] for share in shares]
    assert done.rc == (0 if all(report["good"] for report in reports) else 6)
    hold = host.file("/run/goldfleet/hold/shared_storage")
    if all(report["good"] for report in reports if report["required"]):
        assert not hold.exists
    elif hold.exists:  # a server that was configured while it served is not taken out of service
        bad = next(report for report in reports if report["required"] and not report["good"])
        assert f"{bad['path']} {bad['message']}" in hold.content_string
    if "nfs4" not in host.check_output("cat /proc/filesystems"):
        assert all("this kernel has no NFS client" in report["message"] for report in reports)
