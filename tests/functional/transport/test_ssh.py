"""Servers over SSH, on loopback: one that answers, and every kind that does not. Each is named, and the others are asked."""

import asyncio
import dataclasses
import errno
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import accumulate
from pathlib import Path

import asyncssh
import pytest

from goldfleet.transport.model import Limits, Replies, SshHost
from goldfleet.transport.protocol import HELLO
from goldfleet.transport.ssh import TRIES, SshTransport, explain_unreached
from tests.doubles import tunnel
from tests.doubles.sshd import SERVERS_KEY, Process, Session, as_a_shell, reach, sshd

HASTE = Limits(connect_seconds=3, question_seconds=1, silence_seconds=1, answers_seconds=4)
TUNNEL = (sys.executable, str(Path(tunnel.__file__)))
STRANGERS_KEY = asyncssh.generate_private_key("ssh-ed25519")


async def that_prints_first(process: Process) -> None:
    """Greet, as a profile does, then run the command."""
    process.stdout.write(b"Welcome.\nIt is a fine day.\n")
    await as_a_shell(process)


async def that_has_no_shell(process: Process) -> None:
    """End at once, with a sentence."""
    process.stderr.write(b"This account is currently not available.\n")
    process.exit(1)


async def that_says_nothing(process: Process) -> None:
    """Wait for ever."""
    process.stdout.write(HELLO)
    await asyncio.sleep(60)


async def that_talks_nonsense(process: Process) -> None:
    """Answer something else."""
    process.stdout.write(HELLO + b"hello, how are you?\n")
    await asyncio.sleep(60)


async def that_answers_too_much(process: Process) -> None:
    """Answer what nobody has asked."""
    process.stdout.write(HELLO + b"A 7 0 0 0 10 s\n")
    await asyncio.sleep(60)


async def that_takes_its_time(process: Process) -> None:
    """Say a little, again and again."""
    process.stdout.write(HELLO + b"A 0 0 1000000 0 10 s\n")
    while True:
        process.stdout.write(b".")
        await asyncio.sleep(0.2)


async def that_stops_in_the_middle(process: Process) -> None:
    """Answer the first question and go away."""
    process.stdout.write(HELLO + b"A 0 0 2 0 10 s\nhi")
    await process.stdout.drain()
    process.exit(0)


@contextmanager
def transport(**hosts: SshHost) -> Iterator[SshTransport]:
    """Hand out a transport in a hurry, and close it."""
    opened = SshTransport(hosts, HASTE)
    try:
        yield opened
    finally:
        opened.close()


def ask(host: SshHost, *questions: str) -> Replies:
    """Return what one server says."""
    with transport(one=host) as opened:
        return opened.ask({"one": questions})["one"]


def test_server_is_asked_again_and_again_by_one_connection_and_one_session() -> None:
    with sshd(as_a_shell) as port, transport(a=reach(port), b=reach(port)) as opened:
        first = opened.ask({name: ["uname -s", "echo a; exit 3"] for name in ("a", "b")})
        again = opened.ask({"a": ["echo again"]})["a"]
        cost = opened.cost
    assert [(one.answers["uname -s"].stdout, one.answers["echo a; exit 3"].code) for one in first.values()] == [
        (b"Linux\n", 3)
    ] * 2
    assert again.answers["echo again"].stdout == b"again\n"
    assert (cost.connections, cost.sessions) == (2, 2)


def test_what_a_login_prints_first_is_no_answer() -> None:
    with sshd(that_prints_first) as port:
        assert ask(reach(port), "echo a").answers["echo a"].stdout == b"a\n"


@pytest.mark.parametrize(
    ("session", "trouble", "answered"),
    [
        (that_has_no_shell, "the session ended with exit code 1: This account is currently not available.", 0),
        (that_says_nothing, "it said nothing for 2 s; 0 of 2 commands were answered, the next was: echo a", 0),
        (that_takes_its_time, "it took longer than 4 s; 0 of 2 commands were answered, the next was: echo a", 0),
        (that_talks_nonsense, "it answered b'hello, how are you?", 0),
        (that_answers_too_much, "it answered question 7 of 2", 0),
        (that_stops_in_the_middle, "the session ended early; 1 of 2 commands were answered, the next was: echo b", 1),
    ],
)
def test_server_that_does_not_answer_is_told(session: Session, trouble: str, answered: int) -> None:
    with sshd(session) as port:
        reply = ask(reach(port), "echo a", "echo b")
    assert reply.trouble.startswith(trouble)
    assert len(reply.answers) == answered


def test_server_with_another_key_is_refused_and_told_what_to_do() -> None:
    with sshd(as_a_shell) as port:
        reply = ask(reach(port, key=STRANGERS_KEY), "echo a")
    assert reply.answers == {}
    assert reply.trouble.startswith("the host key of 127.0.0.1 is none of those pinned for it: another machine answers")


def test_login_that_is_denied_names_the_user(tmp_path: Path) -> None:
    key = tmp_path / "key"
    STRANGERS_KEY.write_private_key(str(key))
    with sshd(as_a_shell) as port:
        host = reach(port, user="nobody")
        reply = ask(SshHost(host.address, host.user, host.known_hosts, host.port, str(key)), "echo a")
    assert reply.trouble.startswith("login denied to user nobody on 127.0.0.1: check user and private key")


def test_key_with_a_passphrase_is_told(tmp_path: Path) -> None:
    key = tmp_path / "key"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "secret", "-f", str(key)], check=True)
    with sshd(as_a_shell) as port:
        host = dataclasses.replace(reach(port), private_key=str(key))
        reply = ask(host, "echo a")
    assert reply.trouble.startswith(f"the private key {key} cannot be used")
    assert "ssh-agent" in reply.trouble


def test_port_that_nobody_listens_on_is_told() -> None:
    with sshd(as_a_shell) as port:
        pass
    said = f"connection refused: no sshd listens on port {port} of 127.0.0.1"
    assert ask(reach(port), "echo a").trouble == said


def test_way_that_there_is_not_is_told() -> None:
    gone = OSError(errno.EHOSTUNREACH, "No route to host")
    assert (
        explain_unreached(gone, SshHost("10.0.0.1"), 10)
        == "no way to 10.0.0.1: the instance is gone, or this machine is not in its network"
    )


def test_port_that_does_not_answer_is_told() -> None:
    said = explain_unreached(TimeoutError(), SshHost("10.0.0.1"), 10)
    assert said.startswith(
        "SSH is closed: port 22 of 10.0.0.1 did not answer within 10 s; the instance's security groups"
    )


def test_name_of_no_host_is_told() -> None:
    said = "is not the name of any host; give its address, or a name that is resolved here"
    assert ask(SshHost("x" * 70), "echo a").trouble == f"{'x' * 70} {said}"
    unresolved = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    assert explain_unreached(unresolved, SshHost("web1"), 10) == f"web1 {said}"


def test_server_that_never_says_a_word_costs_one_time_out_and_the_others_are_asked() -> None:
    silent = asyncio.new_event_loop()

    async def listen() -> asyncio.Server:
        return await asyncio.start_server(lambda *_: asyncio.sleep(60), "127.0.0.1", 0)

    server = silent.run_until_complete(listen())
    port = server.sockets[0].getsockname()[1]
    with sshd(as_a_shell) as good, transport(silent=reach(port), good=reach(good)) as opened:
        replies = opened.ask({name: ["echo a"] for name in ("silent", "good")})
    server.close()
    silent.close()
    assert replies["silent"].trouble.startswith(
        f"port {port} of 127.0.0.1 is open, but sshd does not answer within 3 s"
    )
    assert replies["good"].answers["echo a"].stdout == b"a\n"


def test_wait_for_ones_turn_is_not_the_servers_fault() -> None:
    one_at_a_time = Limits(connect_seconds=1, question_seconds=1, silence_seconds=1, handshakes=1)
    with sshd(as_a_shell) as port:
        opened = SshTransport({str(number): reach(port) for number in range(20)}, one_at_a_time)
        replies = opened.ask({str(number): ["echo a"] for number in range(20)})
        opened.close()
    assert {one.trouble for one in replies.values()} == {""}


def test_server_that_turns_connections_away_is_tried_again() -> None:
    with sshd(as_a_shell, turned_away=2) as port:
        assert ask(reach(port), "echo a").answers["echo a"].stdout == b"a\n"


def test_server_that_always_turns_connections_away_is_told() -> None:
    with sshd(as_a_shell, turned_away=10 * TRIES) as port:
        assert ask(reach(port), "echo a").trouble.startswith("sshd on 127.0.0.1 ends connections before the login")


def test_login_that_is_refused_while_a_server_boots_is_tried_again() -> None:
    with sshd(as_a_shell) as port:
        pass
    late = SshTransport({"a": reach(port)}, dataclasses.replace(HASTE, login_seconds=10))
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(late.ask, {"a": ["echo a"]})
        time.sleep(1.5)
        with sshd(as_a_shell, port=port):
            reply = asked.result()["a"]
            late.close()
    assert reply.answers["echo a"].stdout == b"a\n"


def test_patience_with_a_server_that_boots_ends() -> None:
    with sshd(as_a_shell) as port:
        pass
    hasty = SshTransport({"a": reach(port)}, dataclasses.replace(HASTE, login_seconds=1))
    assert hasty.ask({"a": ["echo a"]})["a"].trouble.startswith("connection refused")
    hasty.close()


def test_sessions_that_are_few_end_with_their_answers(tmp_path: Path) -> None:
    log = tmp_path / "log"
    question = f"echo 1 >>{log}; sleep 0.2; echo -1 >>{log}"
    with sshd(as_a_shell) as port:
        few = SshTransport({str(number): reach(port) for number in range(7)}, dataclasses.replace(HASTE, sessions=2))
        first = few.ask({str(number): [question] for number in range(7)})
        second = few.ask({"3": ["echo b"]})
        cost = few.cost
        few.close()
    assert {one.answers[question].code for one in first.values()} == {0}
    assert second["3"].answers["echo b"].stdout == b"b\n"
    assert max(accumulate(map(int, log.read_text().split()))) == 2
    assert few.asks_one_first
    assert (cost.connections, cost.sessions) == (8, 8)


def test_more_servers_than_files_may_be_opened_are_asked_in_turn() -> None:
    program = (
        "import sys; from goldfleet.transport.model import Limits; from goldfleet.transport.ssh import SshTransport\n"
        "from tests.doubles.sshd import reach; import asyncssh\n"
        "key = asyncssh.import_public_key(sys.argv[2])\n"
        "opened = SshTransport({str(one): reach(int(sys.argv[1]), key=key) for one in range(60)}, Limits())\n"
        "replies = opened.ask({str(one): ['echo a'] for one in range(60)})\n"
        "print({one.trouble for one in replies.values()}, len(replies), opened.asks_one_first)\n"
        "opened.close()"
    )
    with sshd(as_a_shell) as port:
        key = SERVERS_KEY.export_public_key().decode()
        words = ["sh", "-c", 'ulimit -n 104; exec "$@"', "sh", sys.executable, "-c", program, str(port), key]
        done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.stdout == "{''} 60 True\n", done.stderr


def test_as_many_sessions_as_servers_are_not_few() -> None:
    with sshd(as_a_shell) as port:
        enough = SshTransport({str(number): reach(port) for number in range(2)}, dataclasses.replace(HASTE, sessions=2))
        for _ in range(2):
            enough.ask({"0": ["echo a"], "1": ["echo a"]})
        cost = enough.cost
        enough.close()
    assert (enough.asks_one_first, cost.connections, cost.sessions) == (False, 2, 2)


def test_server_is_reached_through_the_jump_host_of_ssh_config(tmp_path: Path) -> None:
    async def that_is_asked_nothing(process: Process) -> None:
        process.exit(1)

    with sshd(as_a_shell) as port, sshd(that_is_asked_nothing) as jump:
        keys = reach(jump, address="localhost").known_hosts
        (tmp_path / "known_hosts").write_text(keys)
        config = tmp_path / "config"
        known = f"  UserKnownHostsFile {tmp_path / 'known_hosts'}\n"
        config.write_text(f"Host 127.0.0.1\n  ProxyJump jumper@localhost:{jump}\nHost *\n{known}")
        host = dataclasses.replace(reach(port), config=str(config))
        assert ask(host, "echo a").answers["echo a"].stdout == b"a\n"
        (tmp_path / "known_hosts").write_text(keys.replace("ssh-ed25519 ", "ssh-ed25519 not"))
        assert ask(host, "echo a").trouble


def test_server_is_reached_through_a_program() -> None:
    with sshd(as_a_shell) as port:
        host = dataclasses.replace(reach(port), proxy_command=(*TUNNEL, "127.0.0.1", str(port)), port=None)
        known = host.known_hosts.replace(f"[{host.address}]:{port}", host.address)
        assert ask(dataclasses.replace(host, known_hosts=known), "echo a").answers["echo a"].stdout == b"a\n"


def test_what_a_tunnel_says_is_no_part_of_the_connection() -> None:
    talking = ("sh", "-c", 'yes SSH-warning | head -n 100 >&2; exec "$@"', "sh", *TUNNEL)
    with sshd(as_a_shell) as port:
        host = dataclasses.replace(reach(port), proxy_command=(*talking, "127.0.0.1", str(port)))
        assert ask(host, "echo a").answers["echo a"].stdout == b"a\n"


@pytest.mark.parametrize(
    ("program", "says"),
    [
        ("echo usage: aws >&2; echo Invalid choice: open-tunnel >&2; exit 252",
         "it ended before the login; its program said: Invalid choice: open-tunnel."),
        ("exit 1", "it ended before the login; its program said nothing."),
        ("echo opening >&2; sleep 60", "no answer within 3 s; its program said: opening."),
    ],
)  # fmt: skip
def test_tunnel_that_is_not_opened_says_why(program: str, says: str) -> None:
    trouble = ask(SshHost("10.0.0.1", proxy_command=("sh", "-c", program)), "echo a").trouble
    assert trouble.startswith(f"the tunnel to 10.0.0.1: {says} Check the endpoint")


def test_wrong_host_key_is_told_through_a_tunnel_too() -> None:
    talking = ("sh", "-c", 'echo opening >&2; exec "$@"', "sh", *TUNNEL)
    with sshd(as_a_shell) as port:
        host = dataclasses.replace(reach(port), proxy_command=(*talking, "127.0.0.1", str(port)))
        others = host.known_hosts.replace(SERVERS_KEY.export_public_key().decode().split()[1],
                                          STRANGERS_KEY.export_public_key().decode().split()[1])  # fmt: skip
        trouble = ask(dataclasses.replace(host, known_hosts=others), "echo a").trouble
    assert trouble.startswith("the host key of 127.0.0.1 is none of those pinned for it")


def test_session_is_started_with_what_it_becomes() -> None:
    with sshd(as_a_shell) as port:
        host = reach(port)
        became = SshHost(host.address, host.user, host.known_hosts, host.port, become=("env", "WHO=somebody"))
        assert ask(became, "echo $WHO").answers["echo $WHO"].stdout == b"somebody\n"
