"""Ten hosts with twenty and with two hundred checks, at several round-trip times: what each check and round trip adds."""

import re
from collections.abc import Mapping, Sequence
from itertools import product

from tests.bench.verify import one_job
from tests.bench.verify.bench import Bench, Figure, median, slope
from tests.bench.verify.contenders import GOLDFLEET, JOB, Asked, Contender, Round
from tests.bench.verify.delay import round_trip
from tests.bench.verify.site import FEWEST

FEW, MANY = 20, 200
GOAL_PER_CENT = 25.0
_ROUNDS = re.compile(r"commands in (\d+) rounds")
"""What goldfleet's plugin says at the end of pytest."""


def measure(bench: Bench) -> list[Figure]:
    """Print seconds by checks and round-trip time, and return how much more is added, and by what."""
    contenders = (GOLDFLEET, JOB)
    bench.warm_up(contenders)
    taken: dict[tuple[Contender, int, int], list[Round]] = {}
    print(f"{'':38} {'RTT ms':>6} {'seconds, 20':>11} {'seconds, 200':>12} {'rounds of asking':>16}")
    for milliseconds in bench.options.round_trips:
        with round_trip(bench.site.addresses[:FEWEST], milliseconds) as port:
            turns = {
                (one, checks, milliseconds): (one, Asked(bench.site, bench.site.addresses[:FEWEST], port, checks))
                for one, checks in product(contenders, (FEW, MANY))
            }
            taken |= bench.take_rounds(turns)
        for one in contenders:
            few, many = taken[one, FEW, milliseconds], taken[one, MANY, milliseconds]
            asking = f"{_asking_rounds(one, few)} and {_asking_rounds(one, many)}"
            print(f"{one.name:38} {milliseconds:6} {median(few):11.2f} {median(many):12.2f} {asking:>16}", flush=True)
    return [figure for one in contenders for figure in _figures(one, bench.options.round_trips, taken)]


def _figures(
    contender: Contender, round_trips: Sequence[int], taken: Mapping[tuple[Contender, int, int], list[Round]]
) -> list[Figure]:
    name = contender.name
    figures = []
    for milliseconds in round_trips:
        few, many = taken[contender, FEW, milliseconds], taken[contender, MANY, milliseconds]
        added = median(many) - median(few)
        more = _asking_rounds(contender, many) - _asking_rounds(contender, few)
        figures += [
            Figure(
                f"{name}: {FEW} -> {MANY} checks, RTT {milliseconds} ms", 100 * added / median(few), "%", GOAL_PER_CENT
            ),
            Figure(f"{name}: rounds of asking added, RTT {milliseconds} ms", more, "", 0, is_exact=True),
            Figure(f"slope: {name}: each check on all hosts, RTT {milliseconds} ms", 1000 * added / (MANY - FEW), "ms"),
        ]
    if len(round_trips) > 1:
        for checks in (FEW, MANY):
            points = {one / 1000: median(taken[contender, checks, one]) for one in round_trips}
            figures.append(Figure(f"slope: {name}: {checks} checks, seconds per second of RTT", slope(points), ""))
    return figures


def _asking_rounds(contender: Contender, rounds: Sequence[Round]) -> int:
    output = rounds[-1].ran.output
    if contender is JOB:
        return one_job.read(output).rounds
    found = _ROUNDS.search(output)
    if found is None:
        raise SystemExit(f"{contender.name} did not say in how many rounds it asked: {output[-2000:]}")
    return int(found[1])
