"""Nine hosts, and an address where nobody answers: how much longer than its time-out a run takes, and what is said of it.

Two ways of not answering. *Dropped*: nothing ever comes back to a SYN, as behind a firewall that drops; here since the
queue of a listener is full, in which case Linux drops it (tcp_conn_request), so that no rule of this machine is touched.
*Silent*: the connection is made and nothing is ever said, as by a machine whose kernel lives on and whose sshd does not.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from tests.bench.verify.bench import Bench, Figure, median
from tests.bench.verify.contenders import GOLDFLEET, JOB, NODELAY, Asked, Contender, Round
from tests.bench.verify.site import FEWEST, PORT

DROPPED, SILENT = "127.0.10.1", "127.0.10.2"
TIMEOUT_SECONDS = 5.0
GOAL_SECONDS = 1.5
"""More than the time-out."""

PEER_TIMEOUT_SECONDS = 1.0
"""A peer waits for each check anew; it gets a short time-out, so that the bench ends."""


def measure(bench: Bench) -> list[Figure]:
    """Print what each made of it, and return by how much each passed its time-out."""
    bench.warm_up([GOLDFLEET, JOB])
    good = bench.site.addresses[: FEWEST - 1]
    with _dropped(), _silent():
        turns = {
            (contender, kind): (contender, Asked(bench.site, [hole, *good], connect_seconds=seconds))
            for contender, kind, hole, seconds in _turns()
        }
        taken = bench.take_rounds(turns, may_be_late=True)
    print(f"{'':38} {'one of 10 hosts':15} {'time-out s':>10} {'seconds':>8} {'rounds':>6} {'its verdicts':>12}")
    figures = []
    for contender, kind, hole, seconds in _turns():
        rounds = taken[contender, kind]
        verdicts = _verdicts(rounds[-1], hole)
        said = "ended: too long" if verdicts is None else f"{verdicts:12}"
        print(f"{contender.name:38} {kind:15} {seconds:10.0f} {median(rounds):8.2f} {len(rounds):6} {said}")
        if contender is JOB:
            name = f"{contender.name}: one of {FEWEST} hosts {kind}"
            figures += [
                Figure(f"{name}, seconds beyond the time-out", median(rounds) - seconds, "s", GOAL_SECONDS),
                Figure(f"{name}, its verdicts", verdicts or 0, "", 1, is_exact=True),
            ]
    return figures


def _turns() -> Iterator[tuple[Contender, str, str, float]]:
    yield JOB, "dropped", DROPPED, TIMEOUT_SECONDS
    yield JOB, "silent", SILENT, TIMEOUT_SECONDS
    yield GOLDFLEET, "dropped", DROPPED, 10.0  # goldfleet's default; pytest has no option for it
    if NODELAY.is_here:
        yield NODELAY, "dropped", DROPPED, PEER_TIMEOUT_SECONDS


def _verdicts(one: Round, hole: str) -> int | None:
    """Return how many verdicts there are about the hole: of checks, and that it is unreachable. None: no end."""
    if one.found is None:
        return None
    return one.found.checks.get(hole, 0) + (hole in one.found.unreachable)


@contextmanager
def _dropped() -> Iterator[None]:
    """Have an address that drops whatever asks for a connection, and prove that it does."""
    with (
        socket.create_server((DROPPED, PORT), backlog=0),
        socket.create_connection((DROPPED, PORT)),
    ):  # the queue is full
        with suppress(TimeoutError):
            socket.create_connection((DROPPED, PORT), timeout=1).close()
            raise SystemExit(f"{DROPPED} was meant to drop connections, and took one")
        yield


@contextmanager
def _silent() -> Iterator[None]:
    """Have an address that takes connections and never says anything."""
    with socket.create_server((SILENT, PORT), backlog=1000):
        yield
