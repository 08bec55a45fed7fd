"""Ten hosts with twenty checks and with two hundred, at several round-trip times: what each check and round trip adds.

Two hundred come in two mixes. *mixed* has each of the twenty ten times; for a quarter of them each server starts programs,
all on this machine's few processors, whoever asks. *plain* has more of those alone that goldfleet's agent answers itself.
"""

import re
from collections.abc import Mapping, Sequence
from itertools import product

from tests.bench.verify import one_job
from tests.bench.verify.bench import Bench, Figure, median, slope
from tests.bench.verify.checks import TWENTY, Mix
from tests.bench.verify.contenders import GOLDFLEET, JOB, Asked, Contender, Round
from tests.bench.verify.delay import round_trip
from tests.bench.verify.site import FEWEST

FEW = "20"
MIXES = {FEW: TWENTY, "200 plain": Mix(plain=13, programs=1), "200 mixed": Mix(plain=10, programs=10)}
CONTENDERS = (JOB, GOLDFLEET)
GOAL_PER_CENT = 25.0
_ROUNDS = re.compile(r"commands in (\d+) rounds")
"""What goldfleet's plugin says at the end of pytest."""

Taken = Mapping[tuple[Contender, str, int], Sequence[Round]]
"""By contender, mix and milliseconds of round-trip time."""


def measure(bench: Bench) -> list[Figure]:
    """Print seconds by checks and round-trip time, and return how much more is added, and by what."""
    bench.warm_up(CONTENDERS)
    taken: dict[tuple[Contender, str, int], list[Round]] = {}
    print(
        f"{'':28} {'checks':10} {'RTT ms':>6} {'seconds':>8} {'asking rounds':>13}  of the job: asked s, judged s, CPU s"
    )
    for milliseconds in bench.options.round_trips:
        with round_trip(bench.site.addresses[:FEWEST], milliseconds) as port:
            turns = {
                (one, name, milliseconds): (one, Asked(bench.site, bench.site.addresses[:FEWEST], port, mix))
                for one, (name, mix) in product(CONTENDERS, MIXES.items())
            }
            fresh = bench.take_rounds(turns)
        for (one, name, _), rounds in fresh.items():
            asking = f"{median(rounds):8.2f} {_asking_rounds(one, rounds):13}"
            print(f"{one.name:28} {name:10} {milliseconds:6} {asking}  {_inside(one, rounds)}", flush=True)
        taken |= fresh
    return [figure for one in CONTENDERS for figure in _figures(one, bench.options.round_trips, taken)]


def _figures(contender: Contender, round_trips: Sequence[int], taken: Taken) -> list[Figure]:
    figures = []
    for milliseconds, (mix, what) in product(round_trips, MIXES.items()):
        if mix == FEW:
            continue
        few, many = taken[contender, FEW, milliseconds], taken[contender, mix, milliseconds]
        added = median(many) - median(few)
        more = _asking_rounds(contender, many) - _asking_rounds(contender, few)
        name = f"{contender.name}: {FEW} -> {mix}, RTT {milliseconds} ms"
        each = 1000 * added / (what.checks - MIXES[FEW].checks)
        figures += [
            Figure(name, 100 * added / median(few), "%", GOAL_PER_CENT),
            Figure(f"{name}: rounds of asking added", more, "", 0, is_exact=True),
            Figure(f"{name}: slope, each check of all hosts", each, "ms"),
        ]
    for mix in MIXES if len(round_trips) > 1 else ():
        points = {one / 1000: median(taken[contender, mix, one]) for one in round_trips}
        figures.append(Figure(f"{contender.name}: {mix}: slope, seconds per second of RTT", slope(points), ""))
    return figures


def _asking_rounds(contender: Contender, rounds: Sequence[Round]) -> int:
    output = rounds[-1].ran.output
    if contender is JOB:
        return one_job.read(output).rounds
    found = _ROUNDS.search(output)
    if found is None:
        raise SystemExit(f"{contender.name} did not say in how many rounds it asked: {output[-2000:]}")
    return int(found[1])


def _inside(contender: Contender, rounds: Sequence[Round]) -> str:
    """Return where a job's time went."""
    if contender is not JOB:
        return ""
    took = [one_job.read(one.ran.output) for one in rounds]
    middle = sorted(took, key=lambda one: one.asked_seconds)[len(took) // 2]
    return f"{middle.asked_seconds:6.2f} {middle.judged_seconds:6.2f} {middle.cpu_seconds:6.2f}"
