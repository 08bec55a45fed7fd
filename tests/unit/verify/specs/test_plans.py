"""What specs have asked before is kept by what it rests on, and nothing of it changes a server."""

import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from goldfleet.verify.specs.plans import MOST_KEPT, plan_file, read_plan, write_plan

IMAGE, VARIABLES, CHOICE = "ami-1", {"a": 1}, "\n"


@pytest.fixture
def specs(tmp_path: Path) -> Path:
    folder = tmp_path / "specs"
    folder.mkdir()
    (folder / "test_a.py").write_text("def test_a(): pass\n")
    return folder


def test_commands_come_out_as_they_went_in(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "plan.json"
    write_plan(file, ["echo a", "stat '/grüß'"])
    assert read_plan(file) == ("echo a", "stat '/grüß'")
    assert [one.name for one in file.parent.iterdir()] == ["plan.json"]


def test_file_is_not_written_again_for_the_same_commands(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    write_plan(file, ["a", "b"])
    os.utime(file, (1, 1))
    write_plan(file, ["b", "a"])
    assert file.stat().st_mtime == 1
    write_plan(file, ["b"])
    assert read_plan(file) == ("b",)


@pytest.mark.parametrize("text", ["", "{", "{}", '"echo a"', "[1, null, {}]"])
def test_file_that_is_no_plan_is_none(tmp_path: Path, text: str) -> None:
    file = tmp_path / "plan.json"
    file.write_text(text)
    assert read_plan(file) == ()


def test_command_that_changes_a_server_is_in_no_plan(tmp_path: Path) -> None:
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(["echo a", "rm -rf /srv", "systemctl stop nginx"]))
    assert read_plan(file) == ("echo a",)


def test_folder_that_cannot_be_written_is_no_matter(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    write_plan(tmp_path / "file" / "plan.json", ["a"])
    assert read_plan(tmp_path / "file" / "plan.json") == ()


def test_oldest_plans_are_forgotten(tmp_path: Path) -> None:
    for number in range(MOST_KEPT + 2):
        write_plan(tmp_path / f"{number:03}.json", [str(number)])
        os.utime(tmp_path / f"{number:03}.json", (number, number))
    write_plan(tmp_path / "new.json", ["new"])
    kept = sorted(file.stem for file in tmp_path.iterdir())
    assert len(kept) == MOST_KEPT
    assert kept[0] == "003"


@pytest.mark.parametrize(
    "change",
    [
        lambda specs: plan_file(specs, specs, "ami-2", VARIABLES, CHOICE),
        lambda specs: plan_file(specs, specs, IMAGE, {"a": 2}, CHOICE),
        lambda specs: plan_file(specs, specs, IMAGE, VARIABLES, "golden\n"),
        lambda specs: ((specs / "test_a.py").write_text("") and None) or plan_file(specs, specs, IMAGE, VARIABLES, CHOICE),
        lambda specs: (specs / "conftest.py").touch() or plan_file(specs, specs, IMAGE, VARIABLES, CHOICE),
    ],
)  # fmt: skip
def test_plan_is_another_one_for_anything_that_it_rests_on(specs: Path, change: Callable[[Path], Path]) -> None:
    known = plan_file(specs, specs, IMAGE, VARIABLES, CHOICE)
    assert plan_file(specs, specs, IMAGE, dict(VARIABLES), CHOICE) == known
    assert change(specs) != known
