"""Draws faults for a fleet by chance that a seed decides. Pure."""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from tests.localcloud.planted import files, systems
from tests.localcloud.planted.model import Fault

KINDS = {kind.__name__: kind for kind in (*files.KINDS, *systems.KINDS)}
REPEATED = 0.25
"""How likely a fault comes on one more server, so that servers share failures, too."""


@dataclass(frozen=True)
class Planted:
    """A fault of a server, which is called by its place among all."""

    server: int
    kind: str
    fault: Fault


def draw(seed: int, servers: int, count: int) -> list[Planted]:
    """Return so many faults for so many servers, one of which is spared; the same ones for the same seed.

    No two faults of a server touch the same, so that none undoes or hides another.
    """
    chance = random.Random(seed)  # noqa: S311 - no secret
    others = list(range(servers))
    others.remove(chance.randrange(servers))
    touched: dict[int, frozenset[str]] = dict.fromkeys(others, frozenset())
    drawn = _faults(chance)
    planted: list[Planted] = []
    while len(planted) < count:
        again = bool(planted) and chance.random() < REPEATED
        kind, fault = (planted[-1].kind, planted[-1].fault) if again else next(drawn)
        server = chance.choice(others)
        if touched[server].isdisjoint(fault.touches):
            touched[server] |= fault.touches
            planted.append(Planted(server, kind, fault))
    return planted


def _faults(chance: random.Random) -> Iterator[tuple[str, Fault]]:
    """Yield faults with their kinds; every kind comes before any comes again."""
    while True:
        for kind in chance.sample(list(KINDS), len(KINDS)):
            yield kind, KINDS[kind](chance)
