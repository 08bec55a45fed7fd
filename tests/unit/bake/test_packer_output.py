import json

import pytest

from goldfleet.bake.packer_output import explain_failure, parse_manifest, parse_version
from goldfleet.errors import AwsError, UsageError

FAILED_TASK = """
==> amazon-ebs.golden: Provisioning with Ansible...
    amazon-ebs.golden: Executing Ansible: ansible-playbook -e x
    amazon-ebs.golden:
    amazon-ebs.golden: TASK [base : Create administrators] ****************************
    amazon-ebs.golden: ok: [default]
    amazon-ebs.golden:
    amazon-ebs.golden: TASK [web_stack : Install nginx] *******************************
    amazon-ebs.golden: fatal: [default]: FAILED! =>
    amazon-ebs.golden:     changed: false
    amazon-ebs.golden:     msg: No package matching 'nginxx' is available
    amazon-ebs.golden:
    amazon-ebs.golden: PLAY RECAP *****************************************************
    amazon-ebs.golden: default : ok=3 failed=1
==> amazon-ebs.golden: Terminating the source AWS instance...
Build 'amazon-ebs.golden' errored: Error executing Ansible: Non-zero exit status: exit status 2
""".splitlines()


def manifest(*artifact_ids: str) -> str:
    builds = [{"artifact_id": one, "packer_run_uuid": "new"} for one in artifact_ids]
    return json.dumps(
        {"builds": [{"artifact_id": "us-east-1:ami-0", "packer_run_uuid": "old"}, *builds], "last_run_uuid": "new"}
    )


@pytest.mark.parametrize(
    ("lines", "version"),
    [
        (["Packer v1.6.6"], (1, 6, 6)),
        (["Packer v1.11.2", "", "Your version of Packer is out of date!"], (1, 11, 2)),
        (["Packer v1.9.0-dev"], (1, 9, 0)),
    ],
)
def test_version_is_read(lines: list[str], version: tuple[int, ...]) -> None:
    assert parse_version(lines) == version


def test_another_program_called_packer_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="cracklib"):
        parse_version(["cracklib packer"])


def test_ami_of_the_last_run_in_the_region_is_read() -> None:
    assert parse_manifest(manifest("us-east-1:ami-1,eu-west-1:ami-2"), "eu-west-1") == "ami-2"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "cannot be read"),
        ("[]", "cannot be read"),
        (manifest(), "names none"),
        (manifest("us-west-2:ami-1"), "one AMI in us-east-1, but names"),
        (manifest("us-east-1:ami-1", "us-east-1:ami-2"), "one AMI in us-east-1, but names"),
    ],
    ids=["missing", "no manifest", "no build", "another region", "two builds"],
)
def test_manifest_without_exactly_one_ami_is_an_error(text: str, told: str) -> None:
    with pytest.raises(AwsError, match=told):
        parse_manifest(text, "us-east-1")


def test_failed_task_is_shown_with_its_result_and_nothing_else() -> None:
    assert explain_failure(FAILED_TASK) == (
        "TASK [web_stack : Install nginx]",
        "fatal: [default]: FAILED! =>",
        "    changed: false",
        "    msg: No package matching 'nginxx' is available",
    )


def test_packers_own_error_is_shown_when_no_task_failed() -> None:
    lines = ["==> amazon-ebs.golden: Launching", "==> amazon-ebs.golden: Error launching source instance: denied"]
    assert explain_failure(lines) == ("Error launching source instance: denied",)


def test_last_lines_are_shown_when_nothing_looks_like_an_error() -> None:
    assert explain_failure(["one", "", "two"]) == ("one", "two")
