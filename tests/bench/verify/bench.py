"""What every part of the bench is given: the options, the site, a way to tell how far it is; and what it gives: figures."""

import statistics
import sys
import time
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

from tests.bench.verify.contenders import Asked, Contender, Round, take_round
from tests.bench.verify.site import FEWEST, Site, hosts

K = TypeVar("K", bound=Hashable)
SLOW_SECONDS = 20.0
"""A contender that takes longer than this has one round."""


@dataclass(frozen=True)
class Options:
    """How often is measured, and how far: milliseconds of round-trip time, numbers of servers, seconds for one run."""

    rounds: int
    longest_seconds: float
    round_trips: Sequence[int]
    sizes: Sequence[int]
    contenders: str = ""


@dataclass(frozen=True)
class Figure:
    """One figure beside its goal, which is its most, or the one number that it must be."""

    name: str
    seen: float
    unit: str
    goal: float | None = None
    is_exact: bool = False

    @property
    def is_met(self) -> bool:
        """Tell whether the goal is met, where there is one."""
        if self.goal is None:
            return True
        return self.seen == self.goal if self.is_exact else self.seen <= self.goal

    def __str__(self) -> str:
        """Return it as a line."""
        line = f"{self.name:84} {self.seen:9.2f} {self.unit:2}"
        if self.goal is None:
            return line
        return f"{line}  goal {'=' if self.is_exact else '<='} {self.goal:g}: {'met' if self.is_met else 'MISSED'}"


@dataclass
class Bench:
    """One run of the bench. The site is made when a part first asks for it, and lives until `ends` is closed."""

    options: Options
    ends: ExitStack
    began: float = field(default_factory=time.monotonic)

    @cached_property
    def site(self) -> Site:
        """The hosts."""
        folder = Path(self.ends.enter_context(TemporaryDirectory(prefix="goldfleet-bench-")))
        number = max(FEWEST, *self.options.sizes)
        self.say(f"starting sshds for {number} hosts")
        return self.ends.enter_context(hosts(number, folder))

    def say(self, what: str) -> None:
        """Tell people how far it is; the figures go elsewhere."""
        print(f"{time.monotonic() - self.began:6.0f} s  {what}", file=sys.stderr, flush=True)

    def warm_up(self, contenders: Iterable[Contender]) -> None:
        """Have each contender ask one host once, so that Python's bytecode is there."""
        for contender in contenders:
            self.say(f"warming up: {contender.name}")
            take_round(contender, Asked(self.site, self.site.addresses[:1]), self.options.longest_seconds)

    def take_rounds(
        self, turns: Mapping[K, tuple[Contender, Asked]], *, may_be_late: bool = False
    ) -> dict[K, list[Round]]:
        """Run each in turn, then each again; one that is slow only once.

        Raises SystemExit when one takes longer than it may, unless that is a figure, too.
        """
        taken: dict[K, list[Round]] = {name: [] for name in turns}
        for number in range(self.options.rounds):
            for name, (contender, asked) in turns.items():
                if any(one.ran.seconds > SLOW_SECONDS for one in taken[name]):
                    continue
                one = take_round(contender, asked, self.options.longest_seconds)
                taken[name].append(one)
                if one.ran.was_late and not may_be_late:
                    raise SystemExit(
                        f"{contender.name}, {_describe(asked)}: not done after {one.ran.seconds:.0f} s (--longest)"
                    )
                self.say(f"round {number + 1}, {contender.name}, {_describe(asked)}: {one.ran.seconds:.2f} s")
        return taken


def median(rounds: Iterable[Round], of: Callable[[Round], float] = lambda one: one.ran.seconds) -> float:
    """Return the median over rounds, of seconds unless told otherwise."""
    return statistics.median(map(of, rounds))


def slope(points: Mapping[float, float]) -> float:
    """Return how much is added for each one more, by least squares."""
    return statistics.linear_regression(list(points), list(points.values())).slope


def _describe(asked: Asked) -> str:
    return f"{len(asked.addresses)} hosts, {asked.mix}, port {asked.port}"
