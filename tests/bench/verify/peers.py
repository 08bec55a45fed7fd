"""Ten hosts, twenty checks: goldfleet beside testinfra's own backends, plain and tuned, at several round-trip times.

Processor time is that of a contender's own processes, without OpenSSH's that keep a shared connection (ControlPersist).
"""

from collections.abc import Mapping, Sequence

from tests.bench.verify.bench import Bench, Figure, median, slope
from tests.bench.verify.contenders import CONTENDERS, GOLDFLEET, JOB, Asked, Contender, Round
from tests.bench.verify.delay import round_trip
from tests.bench.verify.site import FEWEST

GOALS = {0: 1.2, 20: 1.5, 100: 2.5}
"""Seconds, by milliseconds of round-trip time."""

HEADINGS = (
    f"{'contender':40} {'RTT ms':>6} {'seconds':>8} {'rounds':>6} {'ratio':>6} {'connections':>11} {'sessions':>8} "
    f"{'CPU s':>6}"
)


def measure(bench: Bench) -> list[Figure]:
    """Print a line for each contender and round-trip time, and how many round trips each has one after the other."""
    contenders = _choose(bench.options.contenders)
    bench.warm_up(contenders)
    print(HEADINGS, flush=True)
    figures: list[Figure] = []
    medians: dict[Contender, dict[float, float]] = {one: {} for one in contenders}
    for milliseconds in bench.options.round_trips:
        with round_trip(bench.site.addresses[:FEWEST], milliseconds) as port:
            asked = Asked(bench.site, bench.site.addresses[:FEWEST], port)
            taken = bench.take_rounds({one: (one, asked) for one in contenders}, may_be_late=True)
        for one, rounds in taken.items():
            print(_line(one, milliseconds, rounds, median(taken[GOLDFLEET])), flush=True)
            if rounds[-1].found is not None:
                medians[one][milliseconds / 1000] = median(rounds)
        figures += [
            figure for one in (GOLDFLEET, JOB) if one in taken for figure in _figures(one, milliseconds, taken[one])
        ]
    _print_slopes(medians)
    return figures


def _choose(named: str) -> list[Contender]:
    """Return the contenders whose names hold a text, and goldfleet, which the ratios are to."""
    chosen = [one for one in CONTENDERS if one is GOLDFLEET or named in one.name]
    for one in chosen:
        if not one.is_here:
            print(f"{one.name:40} not measured: {one.needs} is not installed")
    return [one for one in chosen if one.is_here]


def _line(contender: Contender, milliseconds: int, rounds: Sequence[Round], goldfleet_seconds: float) -> str:
    seconds, last = median(rounds), rounds[-1]
    start = f"{contender.name:40} {milliseconds:6}"
    ratio = seconds / goldfleet_seconds
    if last.found is None:
        return f"{start} {f'> {seconds:.0f}':>8} {len(rounds):6} {f'> {ratio:.0f}':>6} ended, since it took too long"
    counts = f"{last.connections:11} {last.sessions:8} {median(rounds, lambda one: one.ran.cpu_seconds):6.2f}"
    return f"{start} {seconds:8.2f} {len(rounds):6} {ratio:6.1f} {counts}"


def _figures(contender: Contender, milliseconds: int, rounds: Sequence[Round]) -> list[Figure]:
    name, last = f"{contender.name}: {FEWEST} x 20, RTT {milliseconds} ms", rounds[-1]
    return [
        Figure(name, median(rounds), "s", GOALS.get(milliseconds)),
        Figure(f"{name}: connections per host", last.connections / FEWEST, "", 1, is_exact=True),
        Figure(f"{name}: sessions per host", last.sessions / FEWEST, "", 1, is_exact=True),
    ]


def _print_slopes(medians: Mapping[Contender, Mapping[float, float]]) -> None:
    print("\nseconds per second of round-trip time: how many round trips each has one after the other")
    for contender, points in medians.items():
        trips = f"{slope(points):8.1f}" if len(points) > 1 else "not measured: one round-trip time only"
        print(f"{contender.name:40} {trips}")
