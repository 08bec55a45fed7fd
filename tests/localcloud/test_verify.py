"""`goldfleet verify` on a group of real servers: what is right, what is wrong, and what could not be looked at.

The servers come from the base AMI, whose specs are two files here; a small bake shows whose variables are wanted.
"""

import json
import shutil
import signal
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from tests.localcloud.bakes import RunningBake, pointers, small_project
from tests.localcloud.conftest import BIN, Cloud, wait_for

GROUP = "verify-tests"
EMPTY = "verify-tests-empty"
BAKED = "verify-tests-baked"

SPECS = """import time
import pytest

def test_system(host):
    assert host.system_info.distribution == "debian"
    if host.file("/opt/slow").exists:
        time.sleep(60)

def test_no_flag(host):
    assert not host.file("/opt/broken").exists

@pytest.mark.golden
def test_golden(host):
    assert host.file("/usr/share/goldfleet/manifest.json").exists
"""
SETTINGS = """[images.app]
specs = "specs"

[groups.{group}]
ssh_private_key = "{key}"
"""
BAKED_SPEC = """import json, os, pytest

@pytest.mark.golden
def test_variable_of_the_bake(host):
    with open(os.environ["GOLDFLEET_VARIABLES_FILE"]) as stream:
        variables = json.load(stream)
    assert variables["when"] == "then"
    assert host.file("/opt/marker").exists
"""


@dataclass(frozen=True)
class Group:
    """A group of servers, and the project that says what they should be."""

    cloud: Cloud
    project: Path
    name: str

    def __call__(self, *arguments: str) -> None:
        """Run `aws autoscaling …` about the group."""
        self.cloud.aws("autoscaling", *arguments, "--auto-scaling-group-name", self.name)

    def create(self, image_id: str, count: int) -> None:
        """Make the group, with a launch configuration of its own, and wait until its servers are in service."""
        self.cloud.aws(
            "autoscaling", "create-launch-configuration", "--launch-configuration-name", self.name, "--image-id",
            image_id, "--instance-type", "t3.small", "--key-name", "tests", "--security-groups", "tests",
        )  # fmt: skip
        self(
            "create-auto-scaling-group", "--launch-configuration-name", self.name, "--min-size", "0", "--max-size", "4",
            "--desired-capacity", str(count), "--availability-zones", f"{self.cloud.env['AWS_REGION']}a",
        )  # fmt: skip
        self.wait_in_service(count)

    def members(self) -> list[str]:
        """Return the ids of the instances in service, in Auto Scaling's order."""
        shown = self.cloud.aws(
            "autoscaling", "describe-auto-scaling-groups", "--auto-scaling-group-names", self.name, "--query",
            "AutoScalingGroups[0].Instances[?LifecycleState=='InService'].InstanceId",
        )  # fmt: skip
        return list(shown)

    def in_service(self) -> list[str]:
        """Return the ids of the instances in service, sorted."""
        return sorted(self.members())

    def wait_in_service(self, count: int) -> None:
        """Wait until exactly so many instances are in service."""
        wait_for(f"{count} of {self.name} in service", lambda: len(self.in_service()) == count)

    def verify(self, *options: str, code: int) -> dict[str, Any]:
        """Run `goldfleet verify --json`, which must end with this exit code; return what it printed."""
        done = self.cloud.goldfleet(*self.words(*options), check=False)
        assert done.returncode == code, done.stdout + done.stderr
        return dict(json.loads(done.stdout))

    def words(self, *options: str) -> tuple[str, ...]:
        """Return the command line."""
        return ("verify", self.name, "--project", str(self.project), "--json", *options)


@pytest.fixture(scope="module")
def group(cloud: Cloud, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Group]:
    """Three servers of the base AMI."""
    project = tmp_path_factory.mktemp("project")
    (project / "specs").mkdir()
    (project / "specs" / "test_system.py").write_text(SPECS)
    (project / "goldfleet.toml").write_text(SETTINGS.format(group=GROUP, key=cloud.key_file))
    group = Group(cloud, project, GROUP)
    group.create(cloud.base_image(), 3)
    yield group
    group("delete-auto-scaling-group", "--force-delete")


def by_instance(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the servers of a report by instance id."""
    return {host["instance_id"]: host for host in document["hosts"]}


def read_xml(file: Path) -> ElementTree.Element:
    """Return what is in an XML file."""
    return ElementTree.parse(file).getroot()  # noqa: S314 - written by the command that was just run


def test_good_group_is_proven_and_reported(group: Group) -> None:
    junit, members = group.project / "all.xml", group.in_service()
    document = group.verify("--junit", str(junit), code=0)
    assert document["good"]
    assert sorted(by_instance(document)) == members
    assert (document["passed"], document["failed"]) == (6, 0)
    assert all("no published image of app" in host["note"] for host in document["hosts"])
    folder = Path(document["report_folder"])
    assert by_instance(json.loads((folder / "report.json").read_text())) == by_instance(document)
    assert "<h1>All 3 servers are proven</h1>" in (folder / "report.html").read_text()
    for file in (junit, folder / "junit.xml"):
        assert sorted(suite.attrib["name"] for suite in read_xml(file)) == members


def test_table_names_every_server(group: Group) -> None:
    shown = group.cloud.goldfleet("verify", GROUP, "--project", str(group.project)).stdout
    rows = [line.split() for line in shown.splitlines()[1:4]]
    assert sorted(row[0] for row in rows) == group.in_service()
    assert [row[3:6] for row in rows] == [["good", "2", "0"]] * 3
    page = Path(shown.splitlines()[-1].removeprefix("reports: ")) / "report.html"
    assert "Nothing has changed." in page.read_text()


def test_keyword_chooses_checks(group: Group) -> None:
    document = group.verify("-k", "flag", code=0)
    assert [check["name"] for check in document["checks"]] == ["test_system::test_no_flag"]


def test_keyword_that_chooses_nothing_is_no_success(group: Group) -> None:
    document = group.verify("-k", "nonsense", code=6)
    assert [host["verdict"] for host in document["hosts"]] == ["not checked"] * 3
    assert "holds none that not golden and nonsense" in document["hosts"][0]["not_run"]


def test_sample_is_checked_and_the_rest_is_listed(group: Group) -> None:
    image_id = group.cloud.base_image()
    document = group.verify("--only-image", image_id, "--sample", "50%", code=0)
    assert len(document["hosts"]) == 2
    assert [one["why"] for one in document["not_checked"]] == ["not in the sample"]
    document = group.verify("--only-image", "ami-none", code=3)
    assert f"The images there: {image_id}." in document["error"]["message"]


def test_server_in_standby_is_listed_and_not_checked(group: Group) -> None:
    aside = group.in_service()[0]
    group("enter-standby", "--instance-ids", aside, "--should-decrement-desired-capacity")
    group.wait_in_service(2)
    document = group.verify(code=0)
    group("exit-standby", "--instance-ids", aside)
    group.wait_in_service(3)
    assert document["not_checked"] == [{"instance_id": aside, "lifecycle_state": "Standby", "why": "Standby"}]
    assert aside not in by_instance(document)


def test_unknown_group_is_refused_and_the_known_ones_are_named(group: Group) -> None:
    document = replace(group, name="no-such-group").verify(code=3)
    assert GROUP in document["error"]["message"]
    assert "nothing was verified" in document["error"]["message"]


def test_empty_group_is_refused(group: Group) -> None:
    empty = replace(group, name=EMPTY)
    empty.create(group.cloud.base_image(), 0)
    document = empty.verify(code=3)
    empty("delete-auto-scaling-group", "--force-delete")
    assert "has no instance in service (desired capacity 0): nothing was verified" in document["error"]["message"]


def test_specs_that_cannot_be_run_are_no_success(group: Group, tmp_path: Path) -> None:
    shutil.copytree(group.project, tmp_path / "p", ignore=shutil.ignore_patterns(".goldfleet"))
    (tmp_path / "p" / "specs" / "test_wrong.py").write_text("def test_(:\n")
    document = replace(group, project=tmp_path / "p").verify(code=6)
    assert [host["verdict"] for host in document["hosts"]] == ["not checked"] * 3
    assert "could not be run (pytest's exit code 2)" in document["hosts"][0]["not_run"]


def test_interrupted_run_keeps_the_reports_of_what_was_done(group: Group) -> None:
    *others, slow = group.members()
    group.cloud.ssh(slow, "sudo touch /opt/slow")
    errors = group.project / "verify.err"
    process = subprocess.Popen(
        [str(BIN / "goldfleet"), *group.words()],
        env=group.cloud.env,
        stdout=subprocess.PIPE,
        stderr=errors.open("w"),
        text=True,
    )
    wait_for("two servers judged", lambda: "judged 2 of 3 servers" in errors.read_text())
    process.send_signal(signal.SIGINT)
    printed, _ = process.communicate(timeout=60)
    group.cloud.ssh(slow, "sudo rm /opt/slow")
    document = json.loads(printed)
    assert process.returncode == 5
    assert sorted(by_instance(document)) == sorted(others)
    assert document["error"]["message"].endswith(f"Servers of {GROUP} checked before: 2.")
    report = Path(document["report_folder"]) / "report.json"
    assert sorted(by_instance(json.loads(report.read_text()))) == sorted(others)


def test_every_kind_of_bad_server_is_named_as_such(group: Group) -> None:
    failed, closed, impostor = group.in_service()
    group.cloud.ssh(failed, "sudo touch /opt/broken")
    group.cloud.ssh(impostor, "sudo sh -c 'rm /etc/ssh/ssh_host_* && ssh-keygen -A && systemctl restart ssh'")
    closing = group.cloud.aws("ec2", "create-security-group", "--group-name", "verify-closed", "--description", "x")
    group.cloud.aws("ec2", "modify-instance-attribute", "--instance-id", closed, "--groups", closing["GroupId"])
    document = group.verify(code=6)
    hosts = by_instance(document)
    verdicts = {one: host["verdict"] for one, host in hosts.items()}
    assert verdicts == {failed: "failed", closed: "unreachable", impostor: "unreachable"}
    own = [document["checks"][number] for number in hosts[failed]["checks"]]
    bad = [check["name"] for check in own if check["outcome"] == "failed"]
    assert bad == ["test_system::test_no_flag"]
    assert hosts[closed]["unreachable"].startswith("SSH is closed: port 22 of ")
    assert "security groups" in hosts[closed]["unreachable"]
    assert hosts[impostor]["unreachable"].startswith("the host key of ")
    assert document["error"]["message"] == f"3 of 3 servers of {GROUP} are not proven: 1 failed, 2 unreachable."
    merged = read_xml(Path(document["report_folder"]) / "junit.xml")
    assert (len(merged.findall(".//failure")), len(merged.findall(".//error"))) == (1, 2)


def test_server_is_checked_with_the_variables_of_its_own_image(cloud: Cloud, tmp_path: Path) -> None:
    project = small_project(tmp_path / "p", spec=BAKED_SPEC)
    toml = (project / "goldfleet.toml").read_text() + SETTINGS.format(group=BAKED, key=cloud.key_file).split("\n\n")[1]
    settings = toml + '\n[images.app.variables]\nwhen = "{}"\n'
    (project / "goldfleet.toml").write_text(settings.format("then"))
    code, said = RunningBake(cloud, project).end()
    assert code == 0, said
    (project / "goldfleet.toml").write_text(settings.format("now"))
    baked = Group(cloud, project, BAKED)
    baked.create(pointers(cloud)["current"], 1)
    document = baked.verify(code=0)
    baked("delete-auto-scaling-group", "--force-delete")
    (host,) = document["hosts"]
    assert (host["note"], host["image_id"]) == ("", pointers(cloud)["current"])
    assert [check["name"] for check in document["checks"]] == ["test_marker::test_variable_of_the_bake"]
