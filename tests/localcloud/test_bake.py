"""Bakes on the local cloud: the real Packer, the real Ansible, real machines, and everything that can go wrong."""

import functools
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.localcloud.bakes import (
    FAILING_TASK,
    HEADINGS,
    NOTHING_LEFT,
    SLOW_TASK,
    RunningBake,
    leftovers,
    pointers,
    project_with_broken_web_server,
    settle,
    small_project,
)
from tests.localcloud.conftest import Cloud, wait_for

MOMENTS: dict[str, Callable[[RunningBake], None]] = {
    "the group is made": lambda bake: bake.wait_call("CreateSecurityGroup"),
    "the builder is launched": lambda bake: bake.wait_call("RunInstances"),
    "Ansible works": lambda bake: bake.wait_said("Leave a marker"),
    "the builder is stopped": lambda bake: bake.wait_call("StopInstances"),
    "the image is made": lambda bake: bake.wait_call("CreateImage"),
}


@pytest.fixture(scope="module")
def published(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Bake the small project once, so that there are pointers that must not move."""
    project = small_project(tmp_path_factory.mktemp("published"))
    code, said = RunningBake(cloud, project).end()
    assert code == 0, said
    assert leftovers(cloud) == NOTHING_LEFT
    return pointers(cloud)


def test_published_image_is_verified_and_current(cloud: Cloud, published: dict[str, str]) -> None:
    shown = json.loads(cloud.goldfleet("images", "show", "app", "--json").stdout)
    assert shown["image_id"] == published["current"]
    assert shown["facts"]["checks"] == {"passed": 1, "failed": 0, "skipped": 0}


def test_second_bake_moves_both_pointers_and_rollback_moves_them_back(
    cloud: Cloud, published: dict[str, str], tmp_path: Path
) -> None:
    project = small_project(tmp_path / "p")
    code, said = RunningBake(cloud, project).end()
    assert code == 0, said
    moved = pointers(cloud)
    assert moved["previous"] == published["current"]
    cloud.goldfleet("images", "rollback", "app")
    back = pointers(cloud)
    assert back["current"] == published["current"]
    unchanged = json.loads(cloud.goldfleet("bake", "--if-changed", "--project", str(project), "--json").stdout)
    assert unchanged["action"] == "nothing to do"
    assert unchanged["aws_calls"] <= 3
    assert pointers(cloud) == back


def test_image_with_a_broken_web_server_is_not_published(
    cloud: Cloud, published: dict[str, str], tmp_path: Path
) -> None:
    before = pointers(cloud)
    code, said = RunningBake(cloud, project_with_broken_web_server(tmp_path / "p")).end(600)
    assert code == 6, said
    assert "is not published" in said
    assert "test_web_stack" in said
    assert "nginx" in said
    assert pointers(cloud) == before
    assert leftovers(cloud) == NOTHING_LEFT  # the AMI is kept, marked as failed


def test_failing_playbook_leaves_no_image_and_no_orphan(
    cloud: Cloud, published: dict[str, str], tmp_path: Path
) -> None:
    images = len(cloud.ec2.describe_images(Owners=["self"])["Images"])
    code, said = RunningBake(cloud, small_project(tmp_path / "p", extra_task=FAILING_TASK)).end()
    assert code == 4
    assert "Fail in the middle" in said
    assert len(cloud.ec2.describe_images(Owners=["self"])["Images"]) == images
    assert leftovers(cloud) == NOTHING_LEFT


def test_wrong_type_in_goldfleet_toml_is_refused_before_anything_is_made(cloud: Cloud, tmp_path: Path) -> None:
    project = small_project(tmp_path / "p")
    toml = (project / "goldfleet.toml").read_text()
    (project / "goldfleet.toml").write_text(toml.replace("lease_minutes = 1", 'lease_minutes = "soon"\nnonsense = 1'))
    code, said = RunningBake(cloud, project).end()
    assert code == 2
    for word in ("goldfleet.toml", "lease_minutes", "soon", "nonsense"):
        assert word in said


def test_two_bakes_at_once_second_is_refused_and_names_the_first(
    cloud: Cloud, published: dict[str, str], tmp_path: Path
) -> None:
    first = RunningBake(cloud, small_project(tmp_path / "1", extra_task=SLOW_TASK))
    first.wait_call("RunInstances")
    code, said = RunningBake(cloud, small_project(tmp_path / "2")).end()
    assert code == 3, said
    assert "until" in said
    first.process.send_signal(signal.SIGTERM)
    assert first.end()[0] == 5
    assert leftovers(cloud) == NOTHING_LEFT


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_bake_cleans_up_and_says_that_it_may_be_run_again(
    cloud: Cloud, published: dict[str, str], tmp_path: Path, number: signal.Signals
) -> None:
    bake = RunningBake(cloud, small_project(tmp_path / "p", extra_task=SLOW_TASK))
    bake.wait_said("Take a while")
    bake.process.send_signal(number)
    code, said = bake.end(90)
    assert code == 5, said
    assert number.name in said
    assert leftovers(cloud) == NOTHING_LEFT


def test_killed_packer_is_cleaned_up_after_by_the_bake_itself(
    cloud: Cloud, published: dict[str, str], tmp_path: Path
) -> None:
    bake = RunningBake(cloud, small_project(tmp_path / "p", extra_task=SLOW_TASK))
    bake.wait_said("Take a while")
    for pid in bake.descendants("packer"):
        os.kill(pid, signal.SIGKILL)
    code, said = bake.end()
    assert code == 4, said
    assert "SIGKILL" in said
    assert leftovers(cloud) == NOTHING_LEFT


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ('source_ami = "ami-00000000000000000"', "ami-00000000000000000"),
        ('source_ami_name = "no-such-name-*"', "no-such-name-*"),
    ],
)
def test_base_ami_that_is_not_there_is_refused_before_anything_is_made(
    cloud: Cloud, tmp_path: Path, setting: str, words: str
) -> None:
    project = small_project(tmp_path / "p")
    (project / "goldfleet.toml").write_text((project / "goldfleet.toml").read_text() + setting + "\n")
    code, said = RunningBake(cloud, project).end()
    assert code == 3, said
    assert words in said
    assert leftovers(cloud) == NOTHING_LEFT


@pytest.mark.long
def test_killed_at_five_moments_gc_leaves_no_orphan_and_touches_nothing_foreign(
    cloud: Cloud, published: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cloud.aws("ec2", "create-key-pair", "--key-name", "foreign", "--tag-specifications",
              "ResourceType=key-pair,Tags=[{Key=goldfleet:expires,Value=2001-01-01T00:00:00Z}]")  # fmt: skip
    foreign = _foreign(cloud)
    table = [f"{'killed when':24} {'':6} {HEADINGS}"]
    for number, (moment, wait) in enumerate(MOMENTS.items()):
        bake = RunningBake(cloud, small_project(tmp_path / str(number), extra_task=SLOW_TASK))
        wait(bake)
        bake.kill_everything()
        before = settle(lambda: leftovers(cloud))
        run = _run_of(cloud)
        refused = cloud.goldfleet("images", "gc", "--run", run, check=False)
        assert refused.returncode == 3, "the killed bake's lease is still live"
        wait_for("the lease's end", functools.partial(_collected, cloud, run), 180)
        after = leftovers(cloud)
        table += [f"{moment:24} before {before}", f"{'':24} after  {after}"]
        assert after == NOTHING_LEFT, "\n".join(table)
        assert _foreign(cloud) == foreign
    with capsys.disabled():
        sys.stdout.write("\n" + "\n".join(table) + "\n")
    assert pointers(cloud)["current"] == published["current"] or pointers(cloud)["previous"] == published["current"]
    cloud.aws("ec2", "delete-key-pair", "--key-name", "foreign")


def _collected(cloud: Cloud, run: str) -> bool:
    time.sleep(5)
    return cloud.goldfleet("images", "gc", "--run", run, check=False).returncode == 0


def _run_of(cloud: Cloud) -> str:
    tagged = [{"Name": "tag-key", "Values": ["goldfleet:run"]}]
    (pair,) = cloud.ec2.describe_key_pairs(Filters=tagged)["KeyPairs"]
    return str(next(tag["Value"] for tag in pair["Tags"] if tag["Key"] == "goldfleet:run"))


def _foreign(cloud: Cloud) -> tuple[list[str], list[str], list[str]]:
    """Return what no bake made: key pairs, security groups, verified images."""
    pairs = [pair["KeyName"] for pair in cloud.ec2.describe_key_pairs()["KeyPairs"] if not _has_run(pair)]
    groups = [
        group["GroupId"] for group in cloud.ec2.describe_security_groups()["SecurityGroups"] if not _has_run(group)
    ]
    images = [
        image["ImageId"]
        for image in cloud.ec2.describe_images(Owners=["self"])["Images"]
        if any(tag["Key"] == "goldfleet:verified" for tag in image.get("Tags", []))
    ]
    return sorted(pairs), sorted(groups), sorted(images)


def _has_run(resource: dict[str, list[dict[str, str]]]) -> bool:
    return any(tag["Key"] == "goldfleet:run" for tag in resource.get("Tags", []))
