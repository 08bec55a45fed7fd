"""Servers over SSH, on loopback: one that answers, and every kind that does not. Each is named, and the others are asked."""

import asyncio
import socket
import threading
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncssh
import pytest

from goldfleet.transport.model import Replies
from goldfleet.transport.protocol import HELLO
from goldfleet.transport.ssh import TRIES, SshHost, SshLimits, SshTransport, explain_unreached

pytestmark = pytest.mark.filterwarnings(
    "ignore:coroutine 'Queue.join' was never awaited"
)  # asyncssh, of servers that end
Process = asyncssh.SSHServerProcess[bytes]
Session = Callable[[Process], Awaitable[None]]
HASTE = SshLimits(connect_seconds=3, question_seconds=1, silence_seconds=1)
SERVERS_KEY, STRANGERS_KEY = (asyncssh.generate_private_key("ssh-ed25519") for _ in range(2))


async def as_a_shell(process: Process) -> None:
    """Run the command, as sshd does."""
    program = await asyncio.create_subprocess_exec(
        "/bin/sh", "-c", str(process.command),
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    await process.redirect(stdin=program.stdin, stdout=program.stdout, stderr=program.stderr)
    process.exit(await program.wait())


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


async def that_stops_in_the_middle(process: Process) -> None:
    """Answer the first question and go away."""
    process.stdout.write(HELLO + b"A 0 0 2 0 10 s\nhi")
    await process.stdout.drain()
    process.exit(0)


class Anybody(asyncssh.SSHServer):
    """Lets everybody in whose connection is not one of the first few."""

    left_to_turn_away = 0

    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        if type(self).left_to_turn_away:
            type(self).left_to_turn_away -= 1
            conn.abort()

    def begin_auth(self, username: str) -> bool:
        return username == "nobody"


@contextmanager
def sshd(session: Session, turned_away: int = 0) -> Iterator[int]:
    """Run an SSH server whose sessions do this, in a thread, and hand out its port."""
    factory = type("Anybody", (Anybody,), {"left_to_turn_away": turned_away})
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    async def listen() -> asyncssh.SSHAcceptor:
        keys = [SERVERS_KEY]
        return await asyncssh.listen(
            "127.0.0.1", 0, server_factory=factory, server_host_keys=keys, process_factory=session, encoding=None
        )

    async def end() -> None:
        acceptor.close()
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        await asyncio.sleep(0.05)

    acceptor = asyncio.run_coroutine_threadsafe(listen(), loop).result()
    try:
        yield acceptor.get_port()
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


def reach(port: int, user: str = "admin", key: asyncssh.SSHKey = SERVERS_KEY) -> SshHost:
    """Return how a server here is reached, with this key as the one that is known for it."""
    public = key.export_public_key().decode().strip()
    return SshHost("127.0.0.1", user, f"[127.0.0.1]:{port} {public}\n", port)


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
        (that_has_no_shell, "the session ended: This account is currently not available.", 0),
        (that_says_nothing, "it said nothing for 2 s; 0 of 2 commands were answered, the next was: echo a", 0),
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
    assert (reply.answers, "the host key that 127.0.0.1 shows is none of those known" in reply.trouble) == ({}, True)
    assert "goldfleet known-hosts" in reply.trouble


def test_login_that_is_denied_names_the_user(tmp_path: Path) -> None:
    key = tmp_path / "key"
    STRANGERS_KEY.write_private_key(str(key))
    with sshd(as_a_shell) as port:
        host = reach(port, user="nobody")
        reply = ask(SshHost(host.address, host.user, host.known_hosts, host.port, str(key)), "echo a")
    assert reply.trouble.startswith("login denied to nobody on 127.0.0.1: check user and private key")


def test_port_that_nobody_listens_on_is_told() -> None:
    with sshd(as_a_shell) as port:
        pass
    assert ask(reach(port), "echo a").trouble == "no connection to 127.0.0.1: Connection refused"


def test_name_of_no_host_is_told() -> None:
    said = "it is not the name of any host; give its address, or a name that is resolved here"
    assert ask(SshHost("x" * 70), "echo a").trouble == f"no connection to {'x' * 70}: {said}"
    unresolved = socket.gaierror(socket.EAI_NONAME, "Name or service not known")
    assert explain_unreached(unresolved, SshHost("web1"), 10) == f"no connection to web1: {said}"


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
    assert replies["silent"].trouble.startswith("no answer from 127.0.0.1 within 3 s: see whether it runs")
    assert replies["good"].answers["echo a"].stdout == b"a\n"


def test_wait_for_ones_turn_is_not_the_servers_fault() -> None:
    one_at_a_time = SshLimits(connect_seconds=1, question_seconds=1, silence_seconds=1, handshakes=1)
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


def test_session_is_started_with_what_it_becomes() -> None:
    with sshd(as_a_shell) as port:
        host = reach(port)
        became = SshHost(host.address, host.user, host.known_hosts, host.port, become=("env", "WHO=somebody"))
        assert ask(became, "echo $WHO").answers["echo $WHO"].stdout == b"somebody\n"
