"""What issue [verify] names under "Speed", each figure beside its goal. Run as root: python -m tests.bench.verify

Parts, one after the other, `--only` chooses:

- peers: goldfleet beside testinfra's own backends, ten hosts with twenty checks; most of the time goes here.
- servers: processor time and memory of `goldfleet verify`'s job for up to 200 servers.
- slopes: twenty checks and two hundred, at each round-trip time.
- black-hole: one of ten hosts does not answer.
- judging: answers of thousands of servers that are not there (needs no root).

All contenders run the same test files against the same sshds on loopback, and take turns, so that a slow minute of the
machine touches all alike. Three checks of 200 are made to fail, and each contender must find these and no others.
Connections and sessions are counted by sshd's log. Figures go to standard output, progress to standard error. A run with the
defaults takes about 30 minutes on a quiet machine with two cores (added up from its parts), 18 of them for slow peers.
A further part is a module with `measure`, and a line in PARTS.
"""

import argparse
import os
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from types import FrameType

from tests.bench.verify import black_hole, peers, scale, servers, slopes
from tests.bench.verify.bench import Bench, Figure, Options
from tests.bench.verify.site import MOST

PARTS: dict[str, Callable[[Bench], list[Figure]]] = {
    "peers": peers.measure,
    "servers": servers.measure,
    "slopes": slopes.measure,
    "black-hole": black_hole.measure,
    "judging": scale.measure,
}
_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the chosen parts, print their tables, and last every figure that has a goal."""
    options, parts = _parse(arguments)
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup has it
            signal.signal(number, _end)
    print(f"load average {_load()} before; medians of {options.rounds} rounds, of fewer where it says so")
    figures: list[Figure] = []
    with ExitStack() as ends:
        bench = Bench(options, ends)
        for part in parts:
            print(f"\n== {part}", flush=True)
            measured = PARTS[part](bench)
            for figure in measured:
                if figure.goal is None:
                    print(figure, flush=True)
            figures += [figure for figure in measured if figure.goal is not None]
    print(f"\n== goals; load average {_load()} after")
    print(*figures, sep="\n")


def _parse(arguments: Sequence[str] | None) -> tuple[Options, list[str]]:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.verify", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS), metavar="PART", help=" ".join(PARTS))
    parser.add_argument("--rounds", type=int, default=3, help="of each measurement that is not slow (default 3)")
    parser.add_argument("--round-trips", type=int, nargs="+", default=[0, 20, 100], metavar="MS")
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=[10, 50, 100, 200], metavar="SERVERS", help="of `servers`"
    )
    parser.add_argument("--contenders", default="", metavar="TEXT", help="of `peers`: only those whose names hold this")
    parser.add_argument(
        "--longest", type=float, default=150.0, metavar="SECONDS",
        help="a run that takes longer is ended, and said to have taken more (default 150)",
    )  # fmt: skip
    chosen = parser.parse_args(arguments)
    if not all(2 <= size <= MOST for size in chosen.sizes):
        parser.error(f"--sizes: from 2 to {MOST}")
    if min(chosen.rounds, chosen.longest, 1 + min(chosen.round_trips)) < 1:
        parser.error("--rounds and --longest: at least 1; --round-trips: at least 0")
    options = Options(chosen.rounds, chosen.longest, chosen.round_trips, sorted(chosen.sizes), chosen.contenders)
    return options, chosen.only


def _load() -> str:
    return " ".join(f"{one:.1f}" for one in os.getloadavg())


def _end(number: int, _frame: FrameType | None) -> None:
    """End in an orderly way, so that nothing is left behind, whatever comes meanwhile."""
    for one in _ENDING:
        signal.signal(one, signal.SIG_IGN)
    sys.exit(128 + number)


if __name__ == "__main__":
    main()
