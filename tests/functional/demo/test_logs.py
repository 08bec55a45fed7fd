"""The two logs, read from files that may still be growing."""

import json
from pathlib import Path

import pytest

from goldfleet.demo.logs import read_events, read_requests
from goldfleet.demo.traffic import Request
from goldfleet.errors import UsageError

EVENT = {
    "time": 12.5, "load_balancer": "web", "target_group": "arn:web", "target": "i-1", "port": 80, "state": "healthy",
    "reason": "", "description": "",
}  # fmt: skip
REQUEST = Request(10.0, 0.1, True, 200, "", "run-1", "kept")


def test_requests_are_read_back(tmp_path: Path) -> None:
    path = tmp_path / "requests.jsonl"
    path.write_text(json.dumps(REQUEST.to_document()) + "\n")
    assert read_requests(path).requests == (REQUEST,)


def test_line_that_is_still_being_written_is_left_for_later(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(json.dumps(EVENT) + "\n" + json.dumps(EVENT)[:40])
    assert len(read_events(path).events) == 1


def test_log_of_which_nothing_is_written_yet_is_empty(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.touch()
    assert read_events(path).events == ()


def test_named_target_group_is_picked(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text("".join(json.dumps({**EVENT, "target_group": arn}) + "\n" for arn in ("arn:web", "arn:api")))
    assert [event.target_group for event in read_events(path, "arn:api").events] == ["arn:api"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("no json", "JSONDecodeError"),
        ("{}", "KeyError: 'time'"),
        ("[]", "TypeError"),
        (json.dumps({**EVENT, "time": "noon"}), "ValueError"),
    ],
    ids=["no JSON", "no field", "no object", "wrong type"],
)
def test_line_that_is_no_record_is_named(line: str, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_text(f"{json.dumps(EVENT)}\n{line}\n")
    with pytest.raises(UsageError) as raised:
        read_events(path)
    assert f"{path}, line 2 is not a record of this log" in str(raised.value)
    assert reason in str(raised.value)


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "nowhere.jsonl"
    with pytest.raises(UsageError, match=r"nowhere\.jsonl cannot be read: No such file"):
        read_requests(path)
