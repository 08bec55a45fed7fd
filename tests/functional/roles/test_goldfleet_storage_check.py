"""goldfleet-storage-check: which step fails and in which words.

An ordinary folder stands where NFS would be, since this kernel has no NFS client, and a written mountinfo says that a share is
mounted there. What is tried in it - writing as an account, changing owners, with and without the right to - is real.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import pwd
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.functional.roles.programs import load_program

PROGRAM = Path(__file__).resolve().parents[3] / "roles/shared_storage/files/goldfleet-storage-check"
program = load_program("shared_storage", "goldfleet-storage-check")
SEE_UNITS = "is not mounted; `systemctl status` of its mount and automount units says why"
CAP_CHOWN, PR_CAPBSET_DROP = 0, 24


def share(path: Path, **changes: Any) -> dict[str, Any]:
    """Return a share as the role writes it."""
    found: dict[str, Any] = {
        "path": str(path), "server": "files.example.org", "export": "/", "read_only": False, "owner": "", "group": "",
        "mode": "", "needs_chown": False, "required": True,
    }  # fmt: skip
    return found | changes


@pytest.fixture
def places(tmp_path: Path) -> Any:
    return program.Places(
        settings=str(tmp_path / "settings.json"), hold=str(tmp_path / "hold"), mounts=str(tmp_path / "mountinfo"),
        file_systems=str(tmp_path / "filesystems"),
    )  # fmt: skip


@pytest.fixture
def mounted(places: Any, tmp_path: Path) -> Path:
    """A folder of which mountinfo says that the share is mounted there."""
    folder = tmp_path / "with blank"
    folder.mkdir()
    write_mountinfo(places, f"autofs systemd-1 {escaped(folder)}", f"nfs4 files.example.org:/ {escaped(folder)}")
    return folder


def escaped(folder: Path) -> str:
    return str(folder).replace(" ", "\\040")


def write_mountinfo(places: Any, *mounts: str) -> None:
    lines = ["22 1 0:5 / /proc rw,relatime shared:1 - proc proc rw"]
    for number, mount in enumerate(mounts, 40):
        kind, source, path = mount.split(" ")
        lines.append(f"{number} 22 0:{number} / {path} rw,relatime shared:{number} master:1 - {kind} {source} rw")
    Path(places.mounts).write_text("\n".join(lines) + "\n")
    Path(places.file_systems).write_text("nodev\tproc\n\text4\nnodev\tnfs4\n")


def test_good_share(places: Any, mounted: Path) -> None:
    owner = {"owner": "root", "group": "root", "mode": f"{mounted.stat().st_mode & 0o7777:04o}"}
    if os.geteuid() != 0:  # an ordinary user's folder; the rest is the same
        owner = {}
    report = program.check_in_time(places, share(mounted, **owner))
    assert (report.good, report.failed_step, report.message) == (True, None, None)
    assert list(mounted.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "step", "says"),
    [
        ({"owner": "daemon"}, "owner", "wanted is daemon"),
        ({"group": "daemon"}, "owner", "wanted is daemon"),
        ({"mode": "2770"}, "owner", "wanted is 2770"),
        (
            {"server": "other.example.org"},
            "source",
            "is mounted from files.example.org:/, wanted is other.example.org:/",
        ),
        ({"export": "/media"}, "source", "wanted is files.example.org:/media"),
    ],
)
def test_other_than_wanted(places: Any, mounted: Path, changes: dict[str, Any], step: str, says: str) -> None:
    report = program.check_in_time(places, share(mounted, **changes))
    assert (report.good, report.failed_step) == (False, step)
    assert says in report.message


def test_nothing_is_mounted(places: Any, tmp_path: Path) -> None:
    write_mountinfo(places)
    report = program.check_in_time(places, share(tmp_path / "nowhere"))
    assert (report.failed_step, report.message) == ("mounted", SEE_UNITS)


def test_files_in_the_way_are_named(places: Any, tmp_path: Path) -> None:
    folder = tmp_path / "full"
    folder.mkdir()
    for name in "abcdefg":
        (folder / name).touch()
    write_mountinfo(places)
    report = program.check_in_time(places, share(folder))
    assert report.failed_step == "mounted"
    assert "the folder holds a, b, c, d, e and 2 more, which a mount would hide" in report.message


def test_kernel_without_nfs_is_told(places: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_mountinfo(places, f"autofs systemd-1 {tmp_path}")
    Path(places.file_systems).write_text("nodev\tproc\n\text4\n")
    monkeypatch.setattr(program, "load_client", lambda: False)
    report = program.check_in_time(places, share(tmp_path))
    assert report.message == "is not mounted: this kernel has no NFS client"


def test_server_that_does_not_answer_is_told_in_time(
    places: Any, mounted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(program, "LOOK_SECONDS", 0.3)
    started = mounted / "started"

    def hang() -> None:
        started.write_text(str(os.getpid()))
        program.time.sleep(30)

    monkeypatch.setattr(program, "check", lambda *_: program.try_apart(hang))
    report = program.check_in_time(places, share(mounted))
    assert report.message == "does not answer within 0.3 seconds"
    wait_until_gone(int(started.read_text()))


def wait_until_gone(process: int) -> None:
    """Wait until a process has ended; one that nobody has asked for its result yet counts as ended."""
    status = Path(f"/proc/{process}/stat")
    deadline = time.monotonic() + 5
    while status.exists() and ") Z " not in status.read_text():
        assert time.monotonic() < deadline, f"process {process} still runs"
        time.sleep(0.01)


def run_in_a_child(work: Callable[[], None]) -> None:
    """Run assertions in a process of its own, whose rights may be taken away."""
    child = os.fork()
    if child == 0:
        try:
            work()
            os._exit(0)
        finally:  # whatever went wrong: this process must not go on as a second pytest
            traceback.print_exc()
            os._exit(1)
    assert os.waitpid(child, 0)[1] == 0


def give_up_chown() -> None:
    """Take the right to change owners from this process, as a server that squashes root does."""
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.prctl(PR_CAPBSET_DROP, CAP_CHOWN, 0, 0, 0) == 0
    header = (ctypes.c_uint32 * 2)(0x20080522, 0)
    data = (ctypes.c_uint32 * 6)()
    assert libc.capget(header, data) == 0
    data[0] &= ~1
    data[1] &= ~1
    assert libc.capset(header, data) == 0


@pytest.mark.parametrize("needs_chown", [False, True])
def test_refused_chown_is_told_before_a_deployment_meets_it(places: Any, mounted: Path, needs_chown: bool) -> None:
    def work() -> None:
        if os.geteuid() == 0:  # an ordinary user has no right to give up
            give_up_chown()
        report = program.check(places, share(mounted, needs_chown=needs_chown))
        assert report.chown == "refused: Operation not permitted"
        assert report.good is not needs_chown
        assert not needs_chown or report.message.startswith("refuses to change owners (Operation not permitted)")

    run_in_a_child(work)
    assert list(mounted.iterdir()) == []


@pytest.fixture
def open_share(places: Any) -> Iterator[Path]:
    """As `mounted`, in a folder that every account of this host can reach; pytest's own are closed."""
    with tempfile.TemporaryDirectory() as folder:
        write_mountinfo(places, f"nfs4 files.example.org:/ {folder}")
        yield Path(folder)


def give_away(folder: Path, uid: int) -> int:
    """Make a folder belong to an account, or to who runs this where that is not root; return whose it is."""
    uid = uid if os.geteuid() == 0 else os.geteuid()
    os.chown(folder, uid, -1)
    return uid


@pytest.mark.parametrize("uid", [pwd.getpwnam("daemon").pw_uid, 3999999], ids=["account of this server", "stranger"])
def test_share_is_written_as_whoever_it_belongs_to(open_share: Path, monkeypatch: pytest.MonkeyPatch, uid: int) -> None:
    """Root is not asked: a server may well squash it."""
    uid = give_away(open_share, uid)
    open_share.chmod(0o700)
    who = open_share / "who"
    monkeypatch.setattr(program, "write_a_file", lambda _: who.write_text(f"{os.getuid()} {os.geteuid()}"))
    program.check_write(share(open_share))
    assert who.read_text() == f"{uid} {uid}"


@pytest.mark.parametrize("owner", ["", "daemon"])
def test_share_that_its_owner_cannot_write(places: Any, open_share: Path, owner: str) -> None:
    uid = give_away(open_share, pwd.getpwnam("daemon").pw_uid)
    open_share.chmod(0o500)
    owner = owner and pwd.getpwuid(uid).pw_name
    report = program.check(places, share(open_share, owner=owner))
    says = f"cannot be written by {owner or f'its owner, uid {uid}'}: Permission denied"
    assert (report.failed_step, report.message) == ("write", says)


def test_work_that_breaks_is_no_success() -> None:
    def work() -> None:
        raise ValueError

    assert program.try_apart(work).errno == errno.EIO


def test_wait_ends_the_hold_when_every_required_share_is_good(
    places: Any, mounted: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    late = tmp_path / "late"
    Path(places.hold).write_text("not checked yet\n")
    seen: list[str] = []

    def pause() -> None:
        seen.append(Path(places.hold).read_text())
        if len(seen) == 2:
            late.mkdir()
            write_mountinfo(places, f"nfs4 files.example.org:/ {escaped(mounted)}", f"nfs4 files.example.org:/ {late}")

    program.wait(places, [share(mounted), share(late), share(tmp_path / "never", required=False)], pause)
    reason = f"{late} {SEE_UNITS}"
    assert seen == [f"{reason}\n"] * 2
    assert not Path(places.hold).exists()
    assert capsys.readouterr().out.splitlines() == [
        f"held out of service: {reason}", "every required share can be used", f"{tmp_path / 'never'} {SEE_UNITS}",
    ]  # fmt: skip


@pytest.mark.parametrize("required", [True, False])
def test_refused_chown_is_told_at_boot(
    places: Any, mounted: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], required: bool
) -> None:
    monkeypatch.setattr(program, "look_at_chown", lambda _: "refused: Operation not permitted")
    program.wait(places, [share(mounted, required=required)])
    said = capsys.readouterr().out.splitlines()
    assert said[-1] == f"{mounted} refuses to change owners: a deployment that runs chown there fails"


def test_command_line_needs_root_and_settings(tmp_path: Path) -> None:
    helped = subprocess.run([sys.executable, str(PROGRAM), "--help"], capture_output=True, text=True, check=True)
    assert "--wait" in helped.stdout
    refused = subprocess.run([sys.executable, str(PROGRAM), "--nonsense"], capture_output=True, text=True, check=False)
    assert refused.returncode == 2


@pytest.mark.parametrize("text", ["{", "[]", '{"mount": []}'])
def test_broken_settings_are_told(places: Any, text: str) -> None:
    Path(places.settings).write_text(text)
    with pytest.raises(program.BrokenSettings, match=r"settings\.json cannot be used"):
        program.read_shares(places)


def test_table_and_json_name_every_share(places: Any, mounted: Path) -> None:
    reports = [
        program.check_in_time(places, share(mounted)),
        program.check_in_time(places, share(mounted, mode="0000")),
    ]
    lines = program.render(reports).splitlines()
    assert lines[0].split() == ["path", "source", "good", "chown", "reason"]
    assert "NO" in lines[2]
    assert f"owner: {mounted} has mode" in lines[2]
    assert json.loads(json.dumps([program.asdict(report) for report in reports]))[1]["failed_step"] == "owner"


def test_what_a_share_leaves_out_is_filled_in_as_the_specification_says() -> None:
    role = PROGRAM.parents[1]
    specification = yaml.safe_load((role / "meta/argument_specs.yml").read_text())["argument_specs"]["main"]["options"]
    options = specification["shared_storage_mounts"]["options"]
    filled_in = yaml.safe_load((role / "vars/main.yml").read_text())["_shared_storage_share_defaults"]
    assert filled_in == {name: option["default"] for name, option in options.items() if not option.get("required")}
