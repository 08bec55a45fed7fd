"""The command line as users meet it: a real process, with no AWS anywhere near."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from goldfleet import __version__
from goldfleet.cli.app import report_error
from goldfleet.errors import AwsError
from tests.doubles.project import make_project

ISOLATED = {
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
    "AWS_MAX_ATTEMPTS": "1",
}


def goldfleet(*arguments: str, environment: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    return subprocess.run(
        [sys.executable, "-m", "goldfleet", *arguments],
        env={**inherited, **(ISOLATED if environment is None else environment)},
        capture_output=True,
        text=True,
        check=False,
    )


def test_version_is_printed() -> None:
    ended = goldfleet("--version")
    assert (ended.returncode, ended.stdout.strip()) == (0, f"goldfleet {__version__}")


@pytest.mark.parametrize("command", ["bake", "images", "known-hosts", "verify"])
def test_help_lists_the_command(command: str) -> None:
    ended = goldfleet("--help")
    assert ended.returncode == 0
    assert f"\n  {command} " in ended.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("bak",), "goldfleet: No such command 'bak'. See `goldfleet --help`."),
        (("bake", "--nonsense"), "goldfleet: No such option: --nonsense"),
        (("images", "show"), "goldfleet: Missing argument"),
        (
            ("bake", "--project", "/nowhere"),
            "There is no /nowhere/goldfleet.toml. Run goldfleet in the project's folder",
        ),
        (("verify",), "goldfleet: Wanted one of: an Auto Scaling group"),
        (("known-hosts",), "No instance was named. Give instance ids, or --tag key=value."),
        (("known-hosts", "--tag", "web"), "--tag web: wanted key=value."),
        (("images", "rollback", "bad name"), "'bad name' is no name of an image: wanted 1 to 40 small letters"),
        (("images", "gc", "--run", "nonsense"), "'nonsense' is no run id: wanted one such as 20261123-141530-a1b2c3"),
    ],
    ids=["command", "option", "argument", "project", "no group", "no instances", "tag", "image", "run"],
)
def test_wrong_usage_is_one_sentence_and_exit_2(arguments: tuple[str, ...], told: str) -> None:
    ended = goldfleet(*arguments)
    assert ended.returncode == 2
    assert told in ended.stderr
    assert "Traceback" not in ended.stderr
    assert ended.stdout == ""


def test_wrong_configuration_is_told_completely(tmp_path: Path) -> None:
    (tmp_path / "goldfleet.toml").write_text("[images.app]\nplybook = 1\nlease_minutes = 'x'\n")
    ended = goldfleet("bake", "--project", str(tmp_path))
    assert ended.returncode == 2
    assert f"{tmp_path}/goldfleet.toml: key images.app.plybook: unknown. Wanted playbook?" in ended.stderr
    assert f"{tmp_path}/goldfleet.toml: key images.app.lease_minutes: seen 'x', wanted a whole number." in ended.stderr


@pytest.mark.parametrize("arguments", [("images", "list"), ("images", "gc"), ("images", "show", "ami-1")])
def test_missing_credentials_are_exit_2(arguments: tuple[str, ...]) -> None:
    ended = goldfleet(*arguments)
    assert ended.returncode == 2
    assert ended.stderr.startswith("goldfleet: No AWS credentials were found.")


def test_missing_region_is_exit_2() -> None:
    ended = goldfleet("images", "list", environment={**ISOLATED, "AWS_DEFAULT_REGION": ""})
    assert (ended.returncode, ended.stderr.splitlines()[0].startswith("goldfleet: No AWS region is set.")) == (2, True)


def test_aws_out_of_reach_is_exit_4(tmp_path: Path) -> None:
    keys = {"AWS_ACCESS_KEY_ID": "AKIDEXAMPLE", "AWS_SECRET_ACCESS_KEY": "secret"}
    ended = goldfleet("bake", "--project", str(make_project(tmp_path)), environment={**ISOLATED, **keys})
    assert ended.returncode == 4
    assert "AWS could not be reached" in ended.stderr


def test_error_is_json_too_when_json_was_asked_for() -> None:
    ended = goldfleet("images", "list", "--json")
    error = json.loads(ended.stdout)["error"]
    assert (error["kind"], error["exit_code"]) == ("UsageError", 2)
    assert error["message"] in ended.stderr


def test_error_after_facts_is_one_json_document_with_both(capsys: pytest.CaptureFixture[str]) -> None:
    code = report_error(AwsError("No keys.", "Wait."), as_json=True, facts={"instances": [{"keys": 0}]})
    captured = capsys.readouterr()
    document = json.loads(captured.out)
    assert code == AwsError.exit_code
    assert document["instances"] == [{"keys": 0}]
    assert (document["error"]["kind"], document["error"]["message"]) == ("AwsError", "No keys.")
    assert captured.err == "goldfleet: No keys. Wait.\n"
