"""This server itself is asked as any other."""

import pytest

from goldfleet.transport.local import LocalTransport
from goldfleet.transport.model import Cost, Limits, LocalHost, SshHost
from goldfleet.transport.opening import open_transport
from tests.doubles.sshd import as_a_shell, reach, sshd


def test_this_server_answers_again_and_again() -> None:
    opened = LocalTransport({"here": LocalHost()}, Limits())
    try:
        first = opened.ask({"here": ["echo a", "exit 3"]})["here"]
        second = opened.ask({"here": ["pwd"]})["here"]
        cost = opened.cost
    finally:
        opened.close()
    assert (first.answers["echo a"].stdout, first.answers["exit 3"].code, first.trouble) == (b"a\n", 3, "")
    assert second.answers["pwd"].stdout == b"/\n"
    assert (cost.connections, cost.sessions) == (0, 1)
    assert cost.server_seconds > 0


def test_user_who_may_not_become_another_is_told_so() -> None:
    opened = LocalTransport({"here": LocalHost(become=("false",))}, Limits(silence_seconds=2, question_seconds=1))
    try:
        reply = opened.ask({"here": ["echo a"]})["here"]
    finally:
        opened.close()
    assert reply.answers == {}
    assert (
        reply.trouble == "the session ended early with exit code 1; 0 of 1 commands were answered, the next was: echo a"
    )


@pytest.mark.parametrize("is_mixed", [False, True])
def test_each_server_is_reached_in_its_own_way(is_mixed: bool) -> None:
    with sshd(as_a_shell) as port:
        hosts: dict[str, SshHost | LocalHost] = {"here": LocalHost()}
        if is_mixed:
            hosts["there"] = reach(port)
        opened = open_transport(hosts, Limits())
        try:
            replies = opened.ask({name: [f"echo {name}"] for name in hosts})
            cost = opened.cost
        finally:
            opened.close()
    assert {name: reply.answers[f"echo {name}"].stdout for name, reply in replies.items()} == {
        name: f"{name}\n".encode() for name in hosts
    }
    assert (cost.connections, cost.sessions, opened.asks_one_first) == (int(is_mixed), len(hosts), False)
    assert cost == sum((Cost(), cost), Cost())
