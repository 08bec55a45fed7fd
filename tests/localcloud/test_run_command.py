"""Run Command of the local cloud: what AWS documents is what it shows, and the commands really run.

The table of calls in docs/local_cloud.md names the test that proves each row; what needs no machine is in
tests/functional/localcloud/test_run_command.py.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

import boto3
import pytest
from botocore.exceptions import ClientError

from goldfleet.localcloud.state import StateFolder
from tests.localcloud.conftest import Cloud, wait_for
from tests.localcloud.test_inside import TRUST

NAME = "run-command"
CORE = "arn:aws:iam::aws:policy/AmazonSSMManagedInstanceCore"
GROUP_TARGET = {"Key": "tag:aws:autoscaling:groupName", "Values": [NAME]}
OPEN = ("Pending", "InProgress", "Delayed", "Cancelling")
SEVERAL_RUN_AT_ONCE: dict[str, Any] = {"MaxConcurrency": "100%", "MaxErrors": "100%"}


@dataclass(frozen=True)
class Site:
    """Two managed instances in a group, and one whose instance has no role."""

    cloud: Cloud
    managed: tuple[str, str]
    plain: str

    def client(self, service: str) -> Any:
        """Return a boto3 client of the cloud."""
        env, make = self.cloud.env, cast("Any", boto3.client)
        return make(
            service, region_name=env["AWS_REGION"], endpoint_url=env["AWS_ENDPOINT_URL"],
            aws_access_key_id=env["AWS_ACCESS_KEY_ID"], aws_secret_access_key=env["AWS_SECRET_ACCESS_KEY"],
        )  # fmt: skip

    def send(self, *commands: str, timeout: int = 60, folder: str = "", **options: Any) -> str:
        """Send a command to the first managed instance, or to whom the options name; return its id."""
        whom = {} if options.keys() & {"InstanceIds", "Targets"} else {"InstanceIds": [self.managed[0]]}
        parameters = {"commands": list(commands), "executionTimeout": [str(timeout)], "workingDirectory": [folder]}
        sent = self.client("ssm").send_command(
            DocumentName="AWS-RunShellScript", Parameters=parameters, **whom, **options
        )
        return str(sent["Command"]["CommandId"])

    def invocations(self, command_id: str, **options: Any) -> dict[str, dict[str, Any]]:
        """Return what ListCommandInvocations says of a command, by instance."""
        found = self.client("ssm").list_command_invocations(CommandId=command_id, **options)["CommandInvocations"]
        return {one["InstanceId"]: one for one in found}

    def wait(self, command_id: str, count: int = 1, seconds: float = 30) -> dict[str, dict[str, Any]]:
        """Wait until all invocations of a command are over and return them, with details."""

        def over() -> dict[str, dict[str, Any]] | None:
            found = self.invocations(command_id, Details=True)
            return found if len(found) == count and all(one["Status"] not in OPEN for one in found.values()) else None

        return wait_for(f"command {command_id} is over", over, seconds)

    def result(self, command_id: str) -> dict[str, Any]:
        """Wait for the end of a command on the first managed instance and return GetCommandInvocation's answer."""
        self.wait(command_id)
        return dict(self.client("ssm").get_command_invocation(CommandId=command_id, InstanceId=self.managed[0]))

    def run(self, *commands: str, **options: Any) -> dict[str, Any]:
        """Run a command on the first managed instance to its end."""
        return self.result(self.send(*commands, **options))


def make_profile(cloud: Cloud) -> None:
    """Make a role and an instance profile as users give them to managed instances."""
    cloud.aws("iam", "create-role", "--role-name", NAME, "--assume-role-policy-document", TRUST)
    cloud.aws("iam", "attach-role-policy", "--role-name", NAME, "--policy-arn", CORE)
    cloud.aws("iam", "create-instance-profile", "--instance-profile-name", NAME)
    cloud.aws("iam", "add-role-to-instance-profile", "--instance-profile-name", NAME, "--role-name", NAME)


@pytest.fixture(scope="module")
def site(cloud: Cloud) -> Iterator[Site]:
    """A group of two with a role, and an instance without one."""
    make_profile(cloud)
    data = {
        "ImageId": cloud.base_image(), "InstanceType": "t3.small", "KeyName": "tests", "SecurityGroups": ["tests"],
        "IamInstanceProfile": {"Name": NAME},
    }  # fmt: skip
    cloud.aws(
        "ec2", "create-launch-template", "--launch-template-name", NAME, "--launch-template-data", json.dumps(data)
    )
    group = ("--auto-scaling-group-name", NAME)
    cloud.aws(
        "autoscaling", "create-auto-scaling-group", *group, "--launch-template", f"LaunchTemplateName={NAME}",
        "--min-size", "2", "--max-size", "2", "--availability-zones", "us-east-1a",
    )  # fmt: skip
    (plain,) = cloud.launch()
    site = Site(cloud, ("", ""), plain)

    def members() -> list[str] | None:
        found = site.client("autoscaling").describe_auto_scaling_groups(AutoScalingGroupNames=[NAME])
        ids = [
            one["InstanceId"]
            for one in found["AutoScalingGroups"][0]["Instances"]
            if one["LifecycleState"] == "InService"
        ]
        return ids if len(ids) == 2 else None

    first, second = wait_for("two in service", members)
    cloud.wait_state(plain, "running")
    yield Site(cloud, (first, second), plain)
    cloud.aws("autoscaling", "delete-auto-scaling-group", *group, "--force-delete")
    cloud.terminate(plain)


def test_commands_run_as_root_in_the_agents_own_folder_and_surroundings(site: Site) -> None:
    done = site.run("id -un", "pwd", 'echo "$AWS_SSM_INSTANCE_ID $AWS_SSM_REGION_NAME ${HOME-no home}"', "echo bad >&2")
    assert (done["Status"], done["StatusDetails"], done["ResponseCode"]) == ("Success", "Success", 0)
    assert done["StandardOutputContent"] == f"root\n/usr/bin\n{site.managed[0]} us-east-1 no home\n"
    assert done["StandardErrorContent"] == "bad\n"
    assert done["PluginName"] == "aws:runShellScript"


def test_the_last_line_decides_and_the_agent_names_the_code(site: Site) -> None:
    assert site.run("false", "echo on")["Status"] == "Success"
    done = site.run("echo out", "echo bad >&2", "exit 7")
    assert (done["Status"], done["StatusDetails"], done["ResponseCode"]) == ("Failed", "Failed", 7)
    assert done["StandardErrorContent"] == "bad\nfailed to run commands: exit status 7"


def test_lines_are_one_script_whose_first_may_name_an_interpreter(site: Site) -> None:
    assert site.run("x=1", "cd /tmp", 'echo "$x $PWD"')["StandardOutputContent"] == "1 /tmp\n"
    done = site.run("#!/usr/bin/env python3", "import sys", "print(sys.version_info.major)")
    assert done["StandardOutputContent"] == "3\n"


def test_working_directory_is_where_commands_run(site: Site) -> None:
    assert site.run("pwd", folder="/var/tmp")["StandardOutputContent"] == "/var/tmp\n"
    assert site.run("pwd", folder="/nowhere")["ResponseCode"] == 1


def test_what_takes_too_long_is_killed_with_all_that_it_started(site: Site) -> None:
    began = time.monotonic()
    done = site.run("echo begun", "sleep 301 & sleep 302", "echo never", timeout=5)
    assert (done["Status"], done["StatusDetails"], done["ResponseCode"]) == ("TimedOut", "ExecutionTimedOut", 137)
    assert done["StandardOutputContent"] == "begun\n"
    assert 5 <= time.monotonic() - began < 20
    assert site.run("pgrep -fa '[s]leep 30[12]'")["StandardOutputContent"] == ""


def test_a_cancelled_command_is_killed(site: Site) -> None:
    command_id = site.send("echo begun", "sleep 303", "echo never")
    running = lambda: site.invocations(command_id).get(site.managed[0], {}).get("Status") == "InProgress"  # noqa: E731
    wait_for("it runs", running)
    site.client("ssm").cancel_command(CommandId=command_id)
    done = site.result(command_id)
    assert (done["Status"], done["StatusDetails"]) == ("Cancelled", "Cancelled")
    assert site.run("pgrep -fa '[s]leep 303'")["StandardOutputContent"] == ""


def test_lists_show_2500_characters_and_get_24000_and_8000(site: Site) -> None:
    command_id = site.send("head -c 30000 /dev/zero | tr '\\0' o", "head -c 9000 /dev/zero | tr '\\0' e >&2")
    done = site.result(command_id)
    assert len(done["StandardOutputContent"]) == 24000
    assert done["StandardOutputContent"].endswith("ooo--output truncated--")
    assert len(done["StandardErrorContent"]) == 8000
    (plugin,) = site.invocations(command_id, Details=True)[site.managed[0]]["CommandPlugins"]
    assert len(plugin["Output"]) == 2500
    assert "ooo\n---Output truncated---\n----------ERROR-------\neee" in plugin["Output"]


def test_whole_outputs_are_kept_in_the_bucket_that_the_command_names(site: Site) -> None:
    store = site.client("s3")
    store.create_bucket(Bucket="run-command-outputs")
    command_id = site.send(
        "head -c 300000 /dev/zero | tr '\\0' o", OutputS3BucketName="run-command-outputs", OutputS3KeyPrefix="here"
    )
    done = site.result(command_id)
    folder = f"here/{command_id}/{site.managed[0]}/awsrunShellScript/0.awsrunShellScript"
    listed = store.list_objects_v2(Bucket="run-command-outputs")["Contents"]
    assert [(one["Key"], one["Size"]) for one in listed] == [(f"{folder}/stdout", 300000)]
    assert done["StandardOutputUrl"] == f"https://s3.us-east-1.amazonaws.com/run-command-outputs/{folder}/stdout"


def test_a_groups_tag_reaches_its_instances_side_by_side_and_no_other(site: Site) -> None:
    began = time.monotonic()
    command_id = site.send("sleep 5; hostname", Targets=[GROUP_TARGET], **SEVERAL_RUN_AT_ONCE)
    done = site.wait(command_id, count=2)
    assert time.monotonic() - began < 10
    assert set(done) == set(site.managed)
    names = {done[one]["InstanceName"].partition(".")[0] for one in site.managed}
    assert {done[one]["CommandPlugins"][0]["Output"].strip() for one in site.managed} == names
    (command,) = site.client("ssm").list_commands(CommandId=command_id)["Commands"]
    counts = {key: command[key] for key in ("TargetCount", "CompletedCount", "ErrorCount", "DeliveryTimedOutCount")}
    assert counts == {"TargetCount": 2, "CompletedCount": 2, "ErrorCount": 0, "DeliveryTimedOutCount": 0}


def test_a_long_command_holds_up_no_other_call(site: Site) -> None:
    command_id = site.send("sleep 3")
    wait_for("it runs", lambda: "InProgress" in [one["Status"] for one in site.invocations(command_id).values()])
    began = time.monotonic()
    site.client("ec2").describe_instances()
    assert time.monotonic() - began < 1.5
    assert site.invocations(command_id)[site.managed[0]]["Status"] == "InProgress"
    site.wait(command_id)


@pytest.mark.parametrize("which", ["plain", "unknown"])
def test_what_is_no_managed_node_is_an_invalid_instance_id(site: Site, which: str) -> None:
    instance_id = site.plain if which == "plain" else "i-0123456789abcdef0"
    with pytest.raises(ClientError) as refused:
        site.send("true", InstanceIds=[instance_id])
    error = refused.value.response["Error"]
    assert error["Code"] == "InvalidInstanceId"
    assert error["Message"] == f"Instances [[{instance_id}]] not in a valid state for account 123456789012"


def test_managed_nodes_are_those_whose_role_may_register(site: Site) -> None:
    found = site.client("ssm").describe_instance_information()["InstanceInformationList"]
    assert {one["InstanceId"]: one["PingStatus"] for one in found} == dict.fromkeys(site.managed, "Online")
    address = site.cloud.instance(site.managed[0])["PrivateIpAddress"]
    assert address in {one["IPAddress"] for one in found}


def test_a_role_may_send_what_its_policy_names_and_nothing_else(site: Site) -> None:
    cloud = site.cloud
    region = "arn:aws:ssm:us-east-1::document/AWS-RunShellScript"
    instance = f"arn:aws:ec2:us-east-1:123456789012:instance/{site.managed[0]}"
    policy = {"Effect": "Allow", "Action": "ssm:SendCommand", "Resource": [region, instance]}
    document = json.dumps({"Version": "2012-10-17", "Statement": [policy]})
    cloud.aws("iam", "create-role", "--role-name", "sender", "--assume-role-policy-document", TRUST)
    cloud.aws("iam", "put-role-policy", "--role-name", "sender", "--policy-name", "p", "--policy-document", document)
    arn = "arn:aws:iam::123456789012:role/sender"
    keys = site.client("sts").assume_role(RoleArn=arn, RoleSessionName="test")["Credentials"]
    sender = boto3.client(
        "ssm", region_name="us-east-1", endpoint_url=cloud.env["AWS_ENDPOINT_URL"], aws_session_token=keys["SessionToken"],
        aws_access_key_id=keys["AccessKeyId"], aws_secret_access_key=keys["SecretAccessKey"],
    )  # fmt: skip
    command: Any = {"DocumentName": "AWS-RunShellScript", "Parameters": {"commands": ["true"]}}
    assert sender.send_command(InstanceIds=[site.managed[0]], **command)["Command"]["Status"] == "Pending"
    for whom in ({"InstanceIds": list(site.managed)}, {"Targets": [GROUP_TARGET]}):
        with pytest.raises(ClientError, match="AccessDeniedException"):
            sender.send_command(**command, **whom)


def launch_managed(site: Site) -> str:
    """Launch one more instance with the role and wait until it is a managed node."""
    (instance_id,) = site.cloud.launch("--iam-instance-profile", f"Name={NAME}")
    site.cloud.wait_state(instance_id, "running")
    return instance_id


def test_a_stopped_instance_is_delayed_and_has_the_command_once_it_is_started(site: Site) -> None:
    instance_id = launch_managed(site)
    site.cloud.ec2.stop_instances(InstanceIds=[instance_id])
    site.cloud.wait_state(instance_id, "stopped")
    command_id = site.send("echo late", InstanceIds=[instance_id])
    wait_for("it is delayed", lambda: site.invocations(command_id).get(instance_id, {}).get("Status") == "Delayed")
    described = site.client("ssm").describe_instance_information()["InstanceInformationList"]
    assert instance_id not in {one["InstanceId"] for one in described}
    site.cloud.ec2.start_instances(InstanceIds=[instance_id])
    assert site.wait(command_id)[instance_id]["CommandPlugins"][0]["Output"] == "late\n"
    site.cloud.terminate(instance_id)


def test_an_instance_that_is_terminated_while_it_runs_a_command_never_answers(site: Site) -> None:
    instance_id = launch_managed(site)
    command_id = site.send("sleep 300", InstanceIds=[instance_id], timeout=5 * 60, TimeoutSeconds=30)
    short = site.send("sleep 300", InstanceIds=[instance_id], timeout=5, TimeoutSeconds=30)
    wait_for("both run", lambda: all(_status(site, one, instance_id) == "InProgress" for one in (command_id, short)))
    site.cloud.terminate(instance_id)
    assert _status(site, command_id, instance_id) == "InProgress"
    done = site.wait(short, seconds=60)[instance_id]  # over after 30 s + 5 s
    assert (done["Status"], done["StatusDetails"]) == ("TimedOut", "DeliveryTimedOut")
    assert done["CommandPlugins"][0]["ResponseCode"] == -1
    assert _status(site, command_id, instance_id) == "InProgress"
    with pytest.raises(ClientError, match="InvalidInstanceId"):
        site.send("true", InstanceIds=[instance_id])


def test_an_instance_that_is_terminated_before_it_has_the_command_is_undeliverable(site: Site) -> None:
    instance_id = launch_managed(site)
    site.cloud.ec2.stop_instances(InstanceIds=[instance_id])
    site.cloud.wait_state(instance_id, "stopped")
    command_id = site.send("echo never", InstanceIds=[instance_id])
    wait_for("it is delayed", lambda: _status(site, command_id, instance_id) == "Delayed")
    site.cloud.terminate(instance_id)
    done = site.wait(command_id)[instance_id]
    assert (done["Status"], done["StatusDetails"]) == ("Failed", "Undeliverable")


def _status(site: Site, command_id: str, instance_id: str) -> str:
    return str(site.invocations(command_id).get(instance_id, {}).get("Status"))


def test_calls_are_recorded_and_no_fault_of_the_service_is_in_the_log(site: Site) -> None:
    site.run("true")
    folder = StateFolder(site.cloud.state)
    actions = {json.loads(line)["action"] for line in folder.calls.read_text().splitlines()}
    assert {"SendCommand", "ListCommandInvocations", "GetCommandInvocation"} <= actions
    assert "an act failed" not in folder.log.read_text()
