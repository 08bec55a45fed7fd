"""Servers by Run Command, whose service is the local cloud's own; what a command does on one is done by /bin/sh here."""

import os
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache

from goldfleet.aws.run_command import RunCommand
from goldfleet.clock import SystemClock
from goldfleet.localcloud.ssm.ports import Reach
from goldfleet.localcloud.ssm.throttle import Rate
from goldfleet.transport.model import Limits, Replies, SsmHost
from goldfleet.transport.ssm import GONE, NOT_MANAGED, SsmTransport
from tests.doubles.machines import machines_of
from tests.doubles.run_command import EmulatedFleet, VanishedError, run_command
from tests.functional.transport.test_agent import by_shell, said, without_python

__all__ = ["without_python"]  # a fixture

HASTE = Limits(question_seconds=5, answers_seconds=10)
QUESTIONS = ["uname -s", "cat /etc/os-release", "exit 7", "echo a; echo b >&2; exit 3", "printf '\\377\\000\\n'"]


def here(instance_id: str, script: str, path: str = "") -> tuple[int, bytes, bytes]:
    """Run a script as the agent of an instance does, which knows its id."""
    env = {**os.environ, "AWS_SSM_INSTANCE_ID": instance_id, **({"PATH": path} if path else {})}
    done = subprocess.run(
        ["/bin/sh", "-c", script], env=env, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


@cache
def once(script: str) -> tuple[int, bytes, bytes]:
    """Run a script for all instances that are given it."""
    return here("any", script)


@contextmanager
def transport(fleet: EmulatedFleet, limits: Limits = HASTE, group: str = "") -> Iterator[SsmTransport]:
    """Hand out the way to all instances, which are called by their ids, and close it."""
    hosts = {one: SsmHost(one, group=group) for one in fleet.instance_ids}
    client = fleet.client(retries={"mode": "standard", "total_max_attempts": 6})
    opened = SsmTransport(hosts, limits, RunCommand(client), machines_of(*fleet.instance_ids), SystemClock())
    try:
        yield opened
    finally:
        opened.close()


def ask_all(fleet: EmulatedFleet, opened: SsmTransport, questions: Sequence[str]) -> dict[str, Replies]:
    return opened.ask(dict.fromkeys(fleet.instance_ids, questions))


def texts(replies: Mapping[str, Replies], question: str) -> dict[str, bytes]:
    return {name: reply.answers[question].stdout for name, reply in replies.items()}


def test_answers_are_the_shells() -> None:
    with run_command(here) as fleet, transport(fleet) as opened:
        replies = ask_all(fleet, opened, QUESTIONS)
    for reply in replies.values():
        assert {one: said(answer) for one, answer in reply.answers.items()} == {one: by_shell(one) for one in QUESTIONS}
    assert len(replies) == 3


def test_each_server_answers_for_itself() -> None:
    question = "echo $AWS_SSM_INSTANCE_ID"
    with run_command(here) as fleet, transport(fleet) as opened:
        replies = ask_all(fleet, opened, [question, "uname -s"])
    assert texts(replies, question) == {name: f"{name}\n".encode() for name in fleet.instance_ids}
    assert set(texts(replies, "uname -s").values()) == {b"Linux\n"}


def test_what_one_has_answered_does_not_come_back_from_the_others() -> None:
    question = "seq 5000 | sha256sum; seq 5000"
    with run_command(here) as fleet, transport(fleet) as opened:
        first, *others = fleet.instance_ids
        told = opened.ask({first: [question]})
        received = opened.cost.bytes_received
        replies = opened.ask({name: [question] for name in others})
        more = opened.cost.bytes_received - received
    assert set(texts({**told, **replies}, question).values()) == {by_shell(question)[1]}
    assert more < 100 * len(others) < received


def test_output_that_the_list_cuts_is_fetched_whole() -> None:
    question = "head -c 8000 /dev/urandom | od -An -tx1"
    with run_command(here, count=2) as fleet, transport(fleet) as opened:
        replies = ask_all(fleet, opened, [question])
    assert all(len(text) > 20_000 for text in texts(replies, question).values())
    assert fleet.calls["GetCommandInvocation"] == 2


def test_answers_that_are_too_much_together_come_one_by_one_and_one_that_is_too_much_alone_is_told() -> None:
    questions = ["echo a", *(f"head -c 12000 /dev/urandom; true {number}" for number in range(3))]
    questions.append("head -c 40000 /dev/urandom")
    with run_command(here, count=1) as fleet, transport(fleet) as opened:
        (reply,) = ask_all(fleet, opened, questions).values()
    assert [reply.answers[one].killed for one in questions] == ["", "", "", "", "cut"]
    assert [len(reply.answers[one].stdout) for one in questions] == [2, 12000, 12000, 12000, 0]
    assert reply.trouble == ""


def test_server_without_python_answers_in_as_many_parts_as_it_takes(without_python: str) -> None:
    questions = ["echo a", "head -c 12000 /dev/urandom", "head -c 12001 /dev/urandom", "head -c 40000 /dev/urandom"]

    def bare(instance_id: str, script: str) -> tuple[int, bytes, bytes]:
        return here(instance_id, script, without_python)

    with run_command(bare, count=1) as fleet, transport(fleet) as opened:
        (reply,) = ask_all(fleet, opened, questions).values()
    assert [reply.answers[one].killed for one in questions] == ["", "", "", "cut"]
    assert [len(reply.answers[one].stdout) for one in questions] == [2, 12000, 12001, 0]


def test_command_that_is_larger_than_a_document_is_sent_in_parts() -> None:
    questions = [f"echo {number} {os.urandom(4000).hex()} | cut -d ' ' -f 1" for number in range(20)]
    with run_command(here, count=2) as fleet, transport(fleet) as opened:
        replies = ask_all(fleet, opened, questions)
    for reply in replies.values():
        assert [int(reply.answers[one].stdout) for one in questions] == list(range(20))
    assert fleet.calls["SendCommand"] > 1


def test_large_fleet_is_one_command_and_its_pages() -> None:
    with run_command(lambda _, script: once(script), count=120) as fleet, transport(fleet, group="web") as opened:
        replies = ask_all(fleet, opened, QUESTIONS)
        calls = opened.cost.api_calls
    assert {reply.trouble for reply in replies.values()} == {""}
    assert set(texts(replies, "uname -s").values()) == {b"Linux\n"}
    assert (fleet.calls["SendCommand"], fleet.calls["ListCommandInvocations"], fleet.calls["GetCommandInvocation"]) == (
        1,
        3,
        0,
    )
    assert calls == fleet.calls.total()


def test_some_of_a_group_are_named_and_the_others_run_nothing() -> None:
    ran: list[str] = []

    def noted(instance_id: str, script: str) -> tuple[int, bytes, bytes]:
        ran.append(instance_id)
        return once(script)

    with run_command(noted, count=120) as fleet, transport(fleet, group="web") as opened:
        some = fleet.instance_ids[:60]
        replies = opened.ask({name: ["uname -s"] for name in some})
    assert set(texts(replies, "uname -s").values()) == {b"Linux\n"}
    assert sorted(ran) == sorted(some)
    assert fleet.calls["SendCommand"] == 2


def test_fleet_is_read_within_a_cap_on_calls() -> None:
    rates = {"ListCommandInvocations": Rate(5, 2), "ListCommands": Rate(5, 2)}
    with (
        run_command(lambda _, script: once(script), count=300, rates=rates) as fleet,
        transport(fleet, group="web") as opened,
    ):
        replies = ask_all(fleet, opened, ["uname -s"])
    assert {reply.trouble for reply in replies.values()} == {""}
    assert fleet.throttled.total() == 0


def test_server_that_is_not_managed_is_told_and_the_others_answer() -> None:
    with run_command(here) as fleet, transport(fleet) as opened:
        gone = fleet.instance_ids[1]
        fleet.played.reaches[gone] = Reach.GONE
        replies = ask_all(fleet, opened, ["uname -s"])
    assert replies.pop(gone) == Replies({}, NOT_MANAGED)
    assert set(texts(replies, "uname -s").values()) == {b"Linux\n"}


def test_script_that_fails_is_trouble_with_its_own_words() -> None:
    with (
        run_command(lambda *_: (127, b"", b"sh: 1: base64: not found\n"), count=1) as fleet,
        transport(fleet) as opened,
    ):
        (reply,) = ask_all(fleet, opened, ["uname -s"]).values()
    assert reply.trouble.startswith("Run Command ended with Failed: ")
    assert "127" in reply.trouble


def test_server_that_says_something_else_is_trouble() -> None:
    with run_command(lambda *_: (0, b"Welcome!\n", b""), count=1) as fleet, transport(fleet) as opened:
        (reply,) = ask_all(fleet, opened, ["uname -s"]).values()
    assert reply.trouble == "it said 'Welcome!'"


class SwiftClock(SystemClock):
    """Ten times as fast as the service's own."""

    def monotonic(self) -> float:
        return 10 * super().monotonic()

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds / 10)


def test_server_that_ends_while_it_answers_is_not_waited_for_until_aws_tells_but_one_that_has_not_begun_is() -> None:
    def first_vanishes(instance_id: str, script: str) -> tuple[int, bytes, bytes]:
        if instance_id.endswith("1"):
            raise VanishedError
        return here(instance_id, script)

    with run_command(first_vanishes) as fleet:
        first, late, *_ = fleet.instance_ids
        fleet.played.reaches[late] = Reach.STOPPED
        starting = threading.Timer(2.2, fleet.played.reaches.pop, [late])  # after the first look, which is at 1.5 s
        starting.start()
        hosts = {one: SsmHost(one) for one in fleet.instance_ids}
        instances = machines_of(*(one for one in fleet.instance_ids if one != first))
        opened = SsmTransport(hosts, Limits(), RunCommand(fleet.client()), instances, SwiftClock())
        began = time.monotonic()
        replies = ask_all(fleet, opened, ["uname -s"])
        seconds = time.monotonic() - began
        opened.close()
        starting.join()
        assert fleet.calls["CancelCommand"] == 1
    assert replies.pop(first) == Replies({}, GONE)
    assert set(texts(replies, "uname -s").values()) == {b"Linux\n"}
    assert seconds < 30  # AWS tells it after 330


def test_command_that_hangs_costs_its_own_time_only() -> None:
    with run_command(here) as fleet, transport(fleet, Limits(question_seconds=0.5)) as opened:
        replies = ask_all(fleet, opened, ["echo a", "sleep 30", "echo b"])
    for reply in replies.values():
        assert [reply.answers[one].killed for one in ("echo a", "sleep 30", "echo b")] == ["", "late", ""]


def test_aws_that_refuses_is_trouble_of_every_server() -> None:
    with run_command(here, rates={"SendCommand": Rate(0.001, 0)}) as fleet:
        hosts = {one: SsmHost(one) for one in fleet.instance_ids}
        opened = SsmTransport(hosts, HASTE, RunCommand(fleet.client()), machines_of(), SystemClock())
        replies = ask_all(fleet, opened, ["uname -s"])
        opened.close()
    assert len(replies) == 3
    for reply in replies.values():
        assert reply.trouble.startswith("AWS does not run its commands: ")
        assert "throttl" in reply.trouble.lower()


def test_cancellation_that_aws_refuses_ends_nothing() -> None:
    def first_vanishes(instance_id: str, script: str) -> tuple[int, bytes, bytes]:
        raise VanishedError

    with run_command(first_vanishes, count=1, rates={"CancelCommand": Rate(0.001, 0)}) as fleet:
        hosts = {one: SsmHost(one) for one in fleet.instance_ids}
        opened = SsmTransport(hosts, Limits(), RunCommand(fleet.client()), machines_of(), SwiftClock())
        replies = ask_all(fleet, opened, ["uname -s"])
        opened.close()
        assert fleet.throttled["CancelCommand"] == 1
    assert [reply.trouble for reply in replies.values()] == [GONE]
