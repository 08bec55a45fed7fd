"""Evidence is what can be had, and says what could not."""

import json
from pathlib import Path

from goldfleet.aws.model import Activity
from goldfleet.errors import AwsError, VerificationError
from goldfleet.roll.evidence import EvidenceFolder
from goldfleet.roll.model import GateResult, GateVerdict
from tests.unit.roll.fleets import news, olds, roll, snapshot

SEEN = snapshot([*olds(3), *news(1)], 4, unhealthy=["i-new0"])
RESULTS = {"i-new0": GateResult("i-new0", GateVerdict.FAILED, "ami-2", "test_nginx")}


def refuse_units(_instance_id: str) -> str:
    raise VerificationError("i-new0 is not running.")


def refuse_console(_instance_id: str) -> str:
    raise AwsError("AWS could not be reached.")


def test_everything_that_can_be_had_is_kept(tmp_path: Path) -> None:
    activity = Activity("a-1", "Launching a new EC2 instance: i-new0", "At …", "Successful")
    evidence = EvidenceFolder(
        tmp_path / "r", lambda _i: "boot log\n", lambda _i: "nginx.service failed\n", lambda: (activity,)
    )
    assert evidence.keep(roll(why="it failed"), SEEN, ["i-new0"], RESULTS) == str(tmp_path / "r")
    assert (tmp_path / "r" / "i-new0-console.log").read_text() == "boot log\n"
    assert (tmp_path / "r" / "i-new0-units.txt").read_text() == "nginx.service failed\n"
    document = json.loads((tmp_path / "r" / "roll.json").read_text())
    assert document["why"] == "it failed"
    assert document["instances"]["i-new0"]["targets"]["tg-1"]["reason"] == "Target.FailedHealthChecks"
    assert document["instances"]["i-new0"]["checks"]["why"] == "test_nginx"
    assert document["scaling_activities"][0]["description"] == "Launching a new EC2 instance: i-new0"
    assert document["could_not_be_had"] == []


def test_what_cannot_be_had_is_said_and_stops_nothing(tmp_path: Path) -> None:
    evidence = EvidenceFolder(tmp_path, refuse_console, refuse_units, lambda: ())
    evidence.keep(roll(), SEEN, ["i-gone"], {})
    document = json.loads((tmp_path / "roll.json").read_text())
    assert document["could_not_be_had"] == [
        "console of i-gone: AWS could not be reached.",
        "units of i-gone: i-new0 is not running.",
    ]
    assert document["instances"]["i-gone"]["lifecycle_state"] == "gone"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["i-gone.json", "roll.json"]


def test_what_was_seen_of_an_instance_stays_when_it_is_gone_later(tmp_path: Path) -> None:
    folder = EvidenceFolder(tmp_path, lambda _id: "booted\n", lambda _id: "nginx failed\n", tuple)
    folder.keep(roll(), SEEN, ["i-new0"], {})
    folder.keep(roll(), snapshot(olds(3), 3), ["i-new0"], {})
    assert json.loads((tmp_path / "i-new0.json").read_text())["lifecycle_state"] == "InService"
    assert json.loads((tmp_path / "roll.json").read_text())["instances"]["i-new0"]["lifecycle_state"] == "gone"
