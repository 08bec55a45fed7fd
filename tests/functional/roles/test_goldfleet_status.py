"""The program goldfleet-status of role web_stack in a folder of its own (`--root`): holds, fragments, and what breaks."""

from __future__ import annotations

import json
import os
import signal
import socket
import stat
import subprocess
import time
from collections.abc import Callable, Iterator
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

PROGRAM = Path(__file__).resolve().parents[3] / "roles/web_stack/files/goldfleet-status"
NOBODY = {"instance_id": None, "image_id": None, "image": None, "version": None}
PATIENCE_SECONDS = 2.0
"""What a load balancer may at most wait for a change."""


def load_program() -> ModuleType:
    """Import the program, whose name is no module's."""
    loader = SourceFileLoader("goldfleet_status", str(PROGRAM))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


STATUS = load_program()


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The folders that role base makes at each boot."""
    return make_folders(tmp_path)


def make_folders(root: Path) -> Path:
    """Make the folders that role base makes at each boot."""
    for folder in ("hold", "status.d", "www"):
        (root / "run/goldfleet" / folder).mkdir(parents=True, exist_ok=True)
    return root


def tell(root: Path, name: str, text: str | bytes) -> None:
    """Write a fragment of /status."""
    (root / "run/goldfleet/status.d" / name).write_bytes(text.encode() if isinstance(text, str) else text)


def hold(root: Path, name: str = "maintenance", reason: str = "disk is being looked at\n") -> Path:
    """Take the server out of service."""
    file = root / "run/goldfleet/hold" / name
    file.write_text(reason)
    return file


def look(root: Path) -> dict[str, Any]:
    """Write once and return what /status says."""
    STATUS.write(str(root), NOBODY)
    written: dict[str, Any] = json.loads((root / "run/goldfleet/status.json").read_text())
    return written


def page(root: Path) -> Path:
    """The page that the load balancer asks for."""
    return root / "run/goldfleet/www/healthcheck.html"


def test_server_without_holds_is_in_service(root: Path) -> None:
    status = look(root)
    assert (status["in_service"], status["holds"], status["broken"]) == (True, {}, {})
    assert "<p>healthy</p>" in page(root).read_text()


def test_server_with_a_hold_is_out_of_service_and_says_why(root: Path) -> None:
    look(root)
    hold(root)
    status = look(root)
    assert (status["in_service"], status["holds"]) == (False, {"maintenance": "disk is being looked at"})
    assert not page(root).exists()


def test_server_is_back_when_the_last_hold_goes(root: Path) -> None:
    first, last = hold(root, "a"), hold(root, "b")
    look(root)
    first.unlink()
    assert look(root)["holds"] == {"b": "disk is being looked at"}
    last.unlink()
    assert (look(root)["in_service"], page(root).exists()) == (True, True)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no reason given"),
        ("\n\n", "no reason given"),
        ("one\ntwo\n", "one"),
        ("x" * 100000, "x" * 500),
    ],
)
def test_reason_is_the_first_line(root: Path, text: str, reason: str) -> None:
    hold(root, reason=text)
    assert look(root)["holds"] == {"maintenance": reason}


def test_reason_that_is_no_text_is_still_a_hold(root: Path) -> None:
    (root / "run/goldfleet/hold/x").write_bytes(b"\xff\xfe")
    assert look(root)["in_service"] is False


def plant_folder(path: Path) -> None:
    """A folder where a file is expected."""
    path.mkdir()


def plant_pipe(path: Path) -> None:
    """A pipe that nobody writes to: who opens it waits for ever."""
    os.mkfifo(path)


def plant_dangling_link(path: Path) -> None:
    """A link to nothing."""
    path.symlink_to("nowhere")


def plant_socket(path: Path) -> None:
    """A socket."""
    os.mknod(path, stat.S_IFSOCK | 0o600)  # bind() takes no path longer than 107 bytes


STRANGE = [plant_folder, plant_pipe, plant_dangling_link, plant_socket]


@pytest.mark.parametrize("plant", STRANGE, ids=lambda plant: plant.__name__)
def test_hold_that_is_no_file_holds(root: Path, plant: Callable[[Path], None]) -> None:
    plant(root / "run/goldfleet/hold/strange")
    status = look(root)
    assert (status["in_service"], status["holds"]["strange"].partition(":")[0]) == (False, "no reason known")


def test_hold_that_is_not_finished_is_none_yet(root: Path) -> None:
    hold(root, ".maintenance.new")
    assert look(root)["in_service"] is True


def test_holds_that_cannot_be_seen_are_a_hold(root: Path) -> None:
    look(root)
    (root / "run/goldfleet/hold").rmdir()
    status = look(root)
    assert (status["in_service"], page(root).exists()) == (False, False)
    assert "hold cannot be read" in status["holds"]["goldfleet-status"]


def test_fragment_is_told_under_its_name(root: Path) -> None:
    tell(root, "settings.json", '{"parameters": 3}')
    assert look(root)["settings"] == {"parameters": 3}


def test_fragment_that_goes_is_told_no_more(root: Path) -> None:
    tell(root, "settings.json", "{}")
    look(root)
    (root / "run/goldfleet/status.d/settings.json").unlink()
    assert "settings" not in look(root)


def test_fragment_that_is_rewritten_in_place_is_told_anew(root: Path) -> None:
    tell(root, "settings.json", "[1]")
    look(root)
    tell(root, "settings.json", "[2]")
    assert look(root)["settings"] == [2]


BROKEN: dict[str, tuple[str | bytes, str]] = {
    "half of it": ('{"parameters": ', "it is no JSON"),
    "nothing": ("", "it is no JSON"),
    "no number of JSON": ("[NaN]", "NaN is no JSON"),
    "no text": (b"\xff\xff", "it is no JSON"),
    "too large": ('"' + "x" * 70000 + '"', "it is larger than 65536 bytes"),
    "too deep": ("[" * 30000 + "]" * 30000, "it is no JSON"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_fragment_is_named_and_disturbs_no_other(root: Path, kind: str) -> None:
    text, reason = BROKEN[kind]
    tell(root, "bad.json", text)
    tell(root, "good.json", '"here"')
    status = look(root)
    assert (status["good"], status["in_service"], "bad" in status) == ("here", True, False)
    assert reason in status["broken"]["bad"]


@pytest.mark.parametrize("plant", STRANGE, ids=lambda plant: plant.__name__)
def test_fragment_that_is_no_file_is_named(root: Path, plant: Callable[[Path], None]) -> None:
    plant(root / "run/goldfleet/status.d/strange.json")
    assert set(look(root)["broken"]) == {"strange"}


@pytest.mark.parametrize("name", STATUS.OWN_KEYS)
def test_fragment_cannot_take_a_name_of_the_programs_own(root: Path, name: str) -> None:
    tell(root, f"{name}.json", '"forged"')
    status = look(root)
    assert (status[name] != "forged", name in status["broken"]) == (True, True)


@pytest.mark.parametrize("name", [".settings.json", "settings.json.new", "notes.txt"])
def test_file_of_another_name_is_no_fragment(root: Path, name: str) -> None:
    tell(root, name, "{}")
    status = look(root)
    assert (set(status), status["broken"]) == (set(STATUS.OWN_KEYS), {})


def test_fragments_that_cannot_be_seen_do_not_take_the_server_out_of_service(root: Path) -> None:
    (root / "run/goldfleet/status.d").rmdir()
    status = look(root)
    assert (status["in_service"], set(status["broken"])) == (True, {"status.d"})


def test_manifest_says_image_and_version(root: Path) -> None:
    manifest = root / "usr/share/goldfleet/manifest.json"
    manifest.parent.mkdir(parents=True)
    manifest.write_text('{"image": "app", "run": "20261125-010203-abcdef", "packages": []}')
    assert STATUS.read_manifest(str(root))["run"] == "20261125-010203-abcdef"


def test_what_is_true_already_is_not_written_again(root: Path) -> None:
    look(root)
    before = (root / "run/goldfleet/status.json").stat().st_ino
    look(root)
    assert (root / "run/goldfleet/status.json").stat().st_ino == before


def test_page_that_somebody_removed_comes_back(root: Path) -> None:
    look(root)
    page(root).unlink()
    look(root)
    assert page(root).exists()


NAMES = st.text(st.characters(exclude_characters="/\0", codec="utf-8"), min_size=1, max_size=40)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(fragments=st.dictionaries(NAMES, st.binary(max_size=60), max_size=4), holds=st.sets(NAMES, max_size=3))
def test_whatever_lies_there_the_status_is_json_and_true(
    tmp_path_factory: pytest.TempPathFactory, fragments: dict[str, bytes], holds: set[str]
) -> None:
    """Out of service if and only if a finished hold is there; every finished fragment is told or named as broken."""
    root = make_folders(tmp_path_factory.mktemp("server"))
    for name, content in fragments.items():
        tell(root, f"{name}.json", content)
    for name in holds - {".", ".."}:
        hold(root, name)
    status = look(root)
    wanted = {name for name in holds if not name.startswith(".")}
    assert (status["in_service"], set(status["holds"]), page(root).exists()) == (not wanted, wanted, not wanted)
    told = {name for name in fragments if not name.startswith(".")}
    assert told <= (set(status) - set(STATUS.OWN_KEYS)) | set(status["broken"])


class Systemd:
    """What listens where systemd would: the messages of a started program."""

    def __init__(self, address: Path) -> None:
        """Listen."""
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(address))
        self.socket.settimeout(20)

    def wait_for(self, message: str) -> None:
        """Wait until the program says it."""
        while self.socket.recv(100).decode() != message:
            pass


@pytest.fixture
def watching(root: Path, tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The program keeping watch, once it has told systemd that it is ready."""
    address = tmp_path / "notify"
    systemd = Systemd(address)
    command = [str(PROGRAM), "--root", str(root)]
    with subprocess.Popen(command, env={"NOTIFY_SOCKET": str(address)}) as program:
        systemd.wait_for("READY=1")
        yield program
        program.send_signal(signal.SIGTERM)
    systemd.socket.close()


def wait_until(what: Callable[[], bool]) -> bool:
    """Return whether it becomes true within what a load balancer may wait."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not what() and time.monotonic() < deadline:
        time.sleep(0.02)
    return what()


def test_page_is_there_when_the_program_says_that_it_is_ready(root: Path, watching: subprocess.Popen[bytes]) -> None:
    assert (page(root).exists(), (root / "run/goldfleet/status.json").exists()) == (True, True)


def test_hold_is_seen_in_time_both_ways(root: Path, watching: subprocess.Popen[bytes]) -> None:
    placed = hold(root)
    assert wait_until(lambda: not page(root).exists())
    placed.unlink()
    assert wait_until(page(root).exists)


def test_no_hold_is_lost_however_quickly_they_come_and_go(root: Path, watching: subprocess.Popen[bytes]) -> None:
    """With a unit that is started at each event 7 of 300 were (docs/adr/0023): here the last state always wins."""
    for pause in (0.0, 0.01, 0.03, 0.1, 0.3):
        for _ in range(3):
            hold(root).unlink()
            time.sleep(pause)
        placed = hold(root)
        assert wait_until(lambda: not page(root).exists())
        placed.unlink()
        assert wait_until(page(root).exists)


def test_asked_for_json_the_program_changes_nothing(root: Path) -> None:
    done = subprocess.run([str(PROGRAM), "--root", str(root), "--json"], capture_output=True, text=True, check=True)
    assert (json.loads(done.stdout)["in_service"], list((root / "run/goldfleet/www").iterdir())) == (True, [])


def test_folder_that_is_missing_is_said_and_ends_the_program(root: Path) -> None:
    (root / "run/goldfleet/www").rmdir()
    done = subprocess.run([str(PROGRAM), "--root", str(root), "--once"], capture_output=True, text=True, check=False)
    assert (done.returncode, "cannot write" in done.stderr) == (4, True)


@pytest.mark.parametrize(
    ("known", "since_asked", "since_started", "again"),
    [
        ({}, 16, 16, True),
        ({}, 14, 14, False),
        ({}, 16, 301, False),
        ({"instance_id": "i-1"}, 16, 16, True),
        ({"image_id": "ami-1"}, 16, 16, True),
        ({"instance_id": "i-1", "image_id": "ami-1"}, 16, 16, False),
    ],
)
def test_slow_metadata_service_is_asked_again_for_some_minutes(
    known: dict[str, str], since_asked: float, since_started: float, again: bool
) -> None:
    assert STATUS.is_asked_again(NOBODY | known, since_asked, since_started) is again
