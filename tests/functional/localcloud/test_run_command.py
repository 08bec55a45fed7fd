"""Run Command as boto3 meets it, against the service with played instances."""

import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from botocore.exceptions import ClientError

from goldfleet.localcloud.ssm.ports import Reach
from goldfleet.localcloud.ssm.service import Settings
from goldfleet.localcloud.ssm.throttle import Rate
from tests.doubles.run_command import EmulatedFleet, VanishedError, run_command

OPEN = ("Pending", "InProgress", "Delayed", "Cancelling")
NO_LIMITS: dict[str, Any] = {"MaxConcurrency": "100%", "MaxErrors": "100%"}


def says_its_name(instance_id: str, script: str) -> tuple[int, str, str]:
    return 0, f"{instance_id}: {script}", ""


@pytest.fixture(scope="module")
def three() -> Iterator[EmulatedFleet]:
    """Three instances that answer at once."""
    with run_command(says_its_name) as fleet:
        yield fleet


def send(fleet: EmulatedFleet, *commands: str, timeout: int = 60, **options: Any) -> str:
    """Send a command to the whole group unless the options name others; return its id."""
    whom = {} if options.keys() & {"InstanceIds", "Targets"} else {"Targets": [fleet.target]}
    parameters = {"commands": list(commands) or ["true"], "executionTimeout": [str(timeout)]}
    sent = fleet.client().send_command(DocumentName="AWS-RunShellScript", Parameters=parameters, **whom, **options)
    return str(sent["Command"]["CommandId"])


def command(fleet: EmulatedFleet, command_id: str) -> dict[str, Any]:
    """Return what ListCommands says of a command."""
    return dict(fleet.client().list_commands(CommandId=command_id)["Commands"][0])


def invocations(fleet: EmulatedFleet, command_id: str, **options: Any) -> list[dict[str, Any]]:
    """Return all that ListCommandInvocations lists of a command."""
    pages = fleet.client().get_paginator("list_command_invocations").paginate(CommandId=command_id, **options)
    return [one for page in pages for one in page["CommandInvocations"]]


def wait_for(look: Callable[[], Any], seconds: float = 10) -> Any:
    """Return the first true thing that `look` returns."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if seen := look():
            return seen
        time.sleep(0.02)
    return pytest.fail("not in time")


def finished(fleet: EmulatedFleet, command_id: str, seconds: float = 10) -> dict[str, Any]:
    """Wait until a command is over and return it."""

    def over() -> dict[str, Any] | None:
        seen = command(fleet, command_id)
        return None if seen["Status"] in OPEN else seen

    return dict(wait_for(over, seconds))


def details(found: list[dict[str, Any]]) -> list[str]:
    """Return StatusDetails of invocations, sorted."""
    return sorted(one["StatusDetails"] for one in found)


def test_a_command_to_a_group_runs_on_each_instance(three: EmulatedFleet) -> None:
    sent = three.client().send_command(
        DocumentName="AWS-RunShellScript", Targets=[three.target], Parameters={"commands": ["a", "b"]}, Comment="hello"
    )["Command"]
    assert (sent["Status"], sent["TargetCount"], sent["CompletedCount"]) == ("Pending", 0, 0)
    assert (sent["ExpiresAfter"] - sent["RequestedDateTime"]).total_seconds() == 7200  # one hour to deliver, one to run
    done = finished(three, sent["CommandId"])
    assert (done["Status"], done["StatusDetails"]) == ("Success", "Success")
    assert (done["TargetCount"], done["CompletedCount"], done["ErrorCount"]) == (3, 3, 0)
    found = invocations(three, sent["CommandId"], Details=True)
    assert [one["InstanceId"] for one in found] == three.instance_ids
    assert [one["CommandPlugins"][0]["Output"] for one in found] == [f"{one}: a\nb\n" for one in three.instance_ids]
    assert {one["Comment"] for one in found} == {"hello"}
    assert all(one["CommandPlugins"] == [] for one in invocations(three, sent["CommandId"]))


def test_get_command_invocation_tells_of_one(three: EmulatedFleet) -> None:
    command_id = send(three, "x")
    finished(three, command_id)
    seen = three.client().get_command_invocation(CommandId=command_id, InstanceId=three.instance_ids[1])
    assert (seen["Status"], seen["ResponseCode"], seen["PluginName"]) == ("Success", 0, "aws:runShellScript")
    assert seen["StandardOutputContent"] == f"{three.instance_ids[1]}: x\n"
    assert seen["ExecutionStartDateTime"].endswith("Z")
    assert seen["ExecutionElapsedTime"].startswith("PT")
    with pytest.raises(ClientError, match="InvalidPluginName"):
        three.client().get_command_invocation(
            CommandId=command_id, InstanceId=three.instance_ids[1], PluginName="other"
        )


def test_botocores_own_waiter_meets_what_it_expects(three: EmulatedFleet) -> None:
    command_id = send(three)
    waiter = three.client().get_waiter("command_executed")
    waiter.wait(CommandId=command_id, InstanceId=three.instance_ids[0], WaiterConfig={"Delay": 1, "MaxAttempts": 5})
    assert command(three, command_id)["CompletedCount"] >= 1


def test_invocations_are_not_found_for_a_moment() -> None:
    slow = Settings(pick_up=1.0, visible_after=0.5)
    with run_command(says_its_name, settings=slow) as fleet:
        command_id = send(fleet)
        assert invocations(fleet, command_id) == []
        with pytest.raises(ClientError, match="InvocationDoesNotExist"):
            fleet.client().get_command_invocation(CommandId=command_id, InstanceId=fleet.instance_ids[0])
        assert details(wait_for(lambda: invocations(fleet, command_id))) == ["Pending"] * 3
        early = fleet.client().get_command_invocation(CommandId=command_id, InstanceId=fleet.instance_ids[0])
        assert (early["ResponseCode"], early["ExecutionStartDateTime"], early["StandardOutputContent"]) == (-1, "", "")


def test_unknown_commands_and_instances_are_told_apart(three: EmulatedFleet) -> None:
    nobody = "00000000-0000-0000-0000-000000000000"
    assert invocations(three, nobody) == []
    assert three.client().list_commands(CommandId=nobody)["Commands"] == []
    with pytest.raises(ClientError, match="InvalidCommandId"):
        three.client().cancel_command(CommandId=nobody)
    with pytest.raises(ClientError, match="InvalidInstanceId"):
        send(three, InstanceIds=["i-0123456789abcdef0"])


def test_targets_that_match_nothing_are_no_instances_in_tag(three: EmulatedFleet) -> None:
    command_id = send(three, Targets=[{"Key": "tag:aws:autoscaling:groupName", "Values": ["other"]}])
    assert command(three, command_id)["Status"] == "Pending"
    done = finished(three, command_id)
    assert (done["Status"], done["StatusDetails"], done["TargetCount"]) == ("Success", "NoInstancesInTag", 0)
    assert invocations(three, command_id) == []


def test_lists_are_paged_by_fifty_and_by_what_is_asked() -> None:
    with run_command(says_its_name, count=120) as fleet:
        command_id = send(fleet, **NO_LIMITS)
        finished(fleet, command_id)
        before = fleet.calls["ListCommandInvocations"]
        assert [one["InstanceId"] for one in invocations(fleet, command_id)] == fleet.instance_ids
        assert fleet.calls["ListCommandInvocations"] - before == 3
        page = fleet.client().list_command_invocations(CommandId=command_id, MaxResults=7, NextToken="117")
        assert len(page["CommandInvocations"]) == 3
        assert "NextToken" not in page
        with pytest.raises(ClientError, match="InvalidNextToken"):
            fleet.client().list_command_invocations(CommandId=command_id, NextToken="nonsense")
        first = fleet.client().describe_instance_information(MaxResults=50)
        assert len(first["InstanceInformationList"]) == 50
        pages = fleet.client().get_paginator("describe_instance_information").paginate()
        assert sum(len(page["InstanceInformationList"]) for page in pages) == 120


def test_lists_are_filtered() -> None:
    def odd_fails(instance_id: str, script: str) -> tuple[int, str, str]:
        return int(instance_id[-1], 16) % 2, "", ""

    with run_command(odd_fails) as fleet:
        command_id = send(fleet, **NO_LIMITS)
        finished(fleet, command_id)
        other = send(fleet, InstanceIds=[fleet.instance_ids[1]])
        finished(fleet, other)
        client = fleet.client()
        failed = invocations(fleet, command_id, Filters=[{"key": "Status", "value": "Failed"}])
        assert [one["InstanceId"] for one in failed] == [fleet.instance_ids[0], fleet.instance_ids[2]]
        one = invocations(fleet, command_id, InstanceId=fleet.instance_ids[1])
        assert [row["Status"] for row in one] == ["Success"]
        on_first = client.list_commands(InstanceId=fleet.instance_ids[0])["Commands"]
        assert [row["CommandId"] for row in on_first] == [command_id]
        listed = client.list_commands(Filters=[{"key": "ExecutionStage", "value": "Complete"}])["Commands"]
        assert [row["CommandId"] for row in listed] == [other, command_id]
        assert (
            client.list_commands(Filters=[{"key": "InvokedBefore", "value": "2020-01-01T00:00:00Z"}])["Commands"] == []
        )
        of_instance = client.list_command_invocations(InstanceId=fleet.instance_ids[1])["CommandInvocations"]
        assert [row["CommandId"] for row in of_instance] == [other, command_id]


@pytest.mark.parametrize(
    ("options", "failed"),
    [({"MaxConcurrency": "1"}, 1), ({}, 3)],
    ids=["one at a time", "two more have it before the first has failed"],
)
def test_by_default_the_first_error_stops_the_rest(options: dict[str, Any], failed: int) -> None:
    unhurried = Settings(pick_up=1.0)  # the first has failed before the next two look
    with run_command(lambda _id, _script: (3, "", "bad\n"), count=5, settings=unhurried) as fleet:
        command_id = send(fleet, **options)
        done = finished(fleet, command_id)
        assert (done["Status"], done["StatusDetails"]) == ("Failed", "Failed")
        assert (done["ErrorCount"], done["CompletedCount"]) == (failed, 5)
        found = invocations(fleet, command_id, Details=True)
        assert details(found) == ["Failed"] * failed + ["Terminated"] * (5 - failed)
        (plugin,) = next(one for one in found if one["StatusDetails"] == "Failed")["CommandPlugins"]
        assert plugin["ResponseCode"] == 3
        assert plugin["Output"] == "\n----------ERROR-------\nbad\nfailed to run commands: exit status 3"
        terminated = next(one for one in found if one["StatusDetails"] == "Terminated")
        assert (terminated["Status"], terminated["CommandPlugins"][0]["ResponseCode"]) == ("Cancelled", -1)


def test_with_all_errors_allowed_every_instance_runs_it() -> None:
    with run_command(lambda _id, _script: (1, "", ""), count=5) as fleet:
        command_id = send(fleet, **NO_LIMITS)
        done = finished(fleet, command_id)
        assert details(invocations(fleet, command_id)) == ["Failed"] * 5
        assert (done["StatusDetails"], done["ErrorCount"]) == ("Incomplete", 5)


@pytest.mark.parametrize(("written", "at_once"), [("3", 3), ("50%", 6), ("1", 1)])
def test_no_more_run_at_once_than_max_concurrency(written: str, at_once: int) -> None:
    running, peak, lock = 0, 0, threading.Lock()

    def counts(_id: str, _script: str) -> tuple[int, str, str]:
        nonlocal running, peak
        with lock:
            running += 1
            peak = max(peak, running)
        time.sleep(0.1)
        with lock:
            running -= 1
        return 0, "", ""

    with run_command(counts, count=12) as fleet:
        assert finished(fleet, send(fleet, MaxConcurrency=written))["CompletedCount"] == 12
    assert peak <= at_once
    assert peak > 1 or at_once == 1


def test_a_running_command_can_be_cancelled() -> None:
    free = threading.Event()

    def waits(_id: str, _script: str) -> tuple[int, str, str]:
        free.wait(20)
        return 0, "never told", ""

    with run_command(waits, count=2) as fleet:
        command_id = send(fleet, MaxConcurrency="1")
        wait_for(lambda: "InProgress" in details(invocations(fleet, command_id)))
        fleet.client().cancel_command(CommandId=command_id)
        done = finished(fleet, command_id)
        free.set()
        assert (done["Status"], done["CompletedCount"]) == ("Cancelled", 2)
        found = invocations(fleet, command_id, Details=True)
        assert details(found) == ["Cancelled", "Cancelled"]
        assert sorted(one["CommandPlugins"][0]["ResponseCode"] for one in found) == [-1, 137]


def test_what_takes_longer_than_its_execution_timeout_is_killed() -> None:
    free = threading.Event()
    with run_command(lambda _id, _script: (0, "", str(free.wait(20))), count=1) as fleet:
        command_id = send(fleet, timeout=5)
        done = finished(fleet, command_id)
        free.set()
        assert (done["Status"], done["StatusDetails"], done["ErrorCount"]) == ("TimedOut", "ExecutionTimedOut", 1)
        (one,) = invocations(fleet, command_id, Details=True)
        assert one["CommandPlugins"][0]["ResponseCode"] == 137


def test_an_instance_that_vanishes_stays_in_progress() -> None:
    def vanishes(_id: str, _script: str) -> tuple[int, str, str]:
        raise VanishedError

    with run_command(vanishes, count=1) as fleet:
        command_id = send(fleet)
        wait_for(lambda: details(invocations(fleet, command_id)) == ["InProgress"])
        time.sleep(0.5)
        assert details(invocations(fleet, command_id)) == ["InProgress"]
        assert command(fleet, command_id)["Status"] == "InProgress"


@pytest.mark.parametrize("reach", [Reach.LOST, Reach.GONE])
def test_an_instance_that_does_not_respond_is_undeliverable(reach: Reach) -> None:
    with run_command(says_its_name) as fleet:
        gone = fleet.instance_ids[0]
        if reach is Reach.LOST:
            fleet.played.reaches[gone] = reach
        command_id = send(fleet, **NO_LIMITS)
        fleet.played.reaches[gone] = reach  # before it has looked for the command
        done = finished(fleet, command_id)
        assert (done["Status"], done["ErrorCount"]) == ("Success", 0)
        assert details(invocations(fleet, command_id)) == ["Success", "Success", "Undeliverable"]
        described = fleet.client().describe_instance_information()["InstanceInformationList"]
        expected = {"Online", "ConnectionLost"} if reach is Reach.LOST else {"Online"}
        assert {one["PingStatus"] for one in described} == expected


def test_a_stopped_instance_is_delayed_until_it_runs_again() -> None:
    with run_command(says_its_name) as fleet:
        fleet.played.reaches[fleet.instance_ids[0]] = Reach.STOPPED
        command_id = send(fleet, **NO_LIMITS)
        wait_for(lambda: details(invocations(fleet, command_id)) == ["Delayed", "Success", "Success"])
        assert command(fleet, command_id)["Status"] == "InProgress"
        fleet.played.reaches.clear()
        assert finished(fleet, command_id)["StatusDetails"] == "Success"


def test_calls_above_the_rate_are_throttled_and_counted() -> None:
    rates = {"GetCommandInvocation": Rate(per_second=0.1, burst=2)}
    with run_command(says_its_name, rates=rates) as fleet:
        command_id = send(fleet)
        finished(fleet, command_id)
        client = fleet.client()
        get = partial(client.get_command_invocation, CommandId=command_id, InstanceId=fleet.instance_ids[0])
        assert [get()["Status"], get()["Status"]] == ["Success", "Success"]
        for _ in range(2):
            with pytest.raises(ClientError, match="ThrottlingException") as refused:
                get()
            assert refused.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400
        assert (fleet.calls["GetCommandInvocation"], dict(fleet.throttled)) == (4, {"GetCommandInvocation": 2})


def test_botocores_retries_get_through_a_rate_cap() -> None:
    with run_command(says_its_name, otherwise=Rate(per_second=1, burst=1)) as fleet:
        client = fleet.client(retries={"mode": "standard", "total_max_attempts": 10})
        seen = [client.describe_instance_information()["InstanceInformationList"] for _ in range(3)]
        assert [len(one) for one in seen] == [3, 3, 3]
        assert fleet.throttled["DescribeInstanceInformation"] >= 1


def test_outputs_go_to_the_bucket_in_full() -> None:
    with run_command(lambda _id, _script: (0, "o" * 30_000, ""), count=1) as fleet:
        command_id = send(fleet, OutputS3BucketName="outputs", OutputS3KeyPrefix="p")
        finished(fleet, command_id)
        key = f"p/{command_id}/{fleet.instance_ids[0]}/awsrunShellScript/0.awsrunShellScript/stdout"
        assert {key: len(content) for (_, key), content in fleet.outputs.objects.items()} == {key: 30_000}


def test_a_thousand_instances_cost_less_than_two_seconds_of_this_machine() -> None:
    with run_command(says_its_name, count=1000) as fleet:
        client = fleet.client()
        client.describe_instance_information()  # connects, and loads what is loaded once
        began = time.process_time()  # of the service, its HTTP server and the client
        command_id = send(fleet, **NO_LIMITS)
        wait_for(lambda: client.list_commands(CommandId=command_id)["Commands"][0]["Status"] == "Success", 60)
        pages = client.get_paginator("list_command_invocations").paginate(CommandId=command_id, Details=True)
        rows = [row for page in pages for row in page["CommandInvocations"]]
        took = time.process_time() - began
        assert len(rows) == 1000
        assert {row["Status"] for row in rows} == {"Success"}
        assert fleet.calls["SendCommand"] == 1
        assert fleet.calls["ListCommandInvocations"] == 20
        assert took < 2, f"{took:.2f} s"
