"""Measure one decision of a roll at several sizes of the group; gates nothing. Run: python -m tests.bench.roll_decision

A decision is what a turn does between two looks at AWS: watch, then next_step. Medians of many, by CPU time.
"""

import statistics
import time
from dataclasses import replace

from goldfleet.roll.model import GateResult, GateVerdict, Progress
from goldfleet.roll.plan import next_step
from goldfleet.roll.progress import watch
from tests.unit.roll.fleets import NEW, NOW, news, olds, roll, snapshot

SIZES = (10, 100, 1000)
ROUNDS = 50
TARGET_MS = 5.0


def main() -> None:
    """Print the table."""
    for size in SIZES:
        print(f"{size:5} instances: {measure(size):6.2f} ms a decision  (target at 1000: {TARGET_MS} ms)")


def measure(size: int) -> float:
    """Return the median of milliseconds for a group in the middle of its roll, ten at a time."""
    here = roll(10, 10)
    seen = snapshot([*olds(size // 2 + 10), *news(size - size // 2)], size + 10, sizes=(1, 2 * size))
    gate = {f"i-new{number}": GateResult(f"i-new{number}", GateVerdict.GOOD, NEW.image_id) for number in range(size)}
    known = watch(Progress(gate=gate), seen, here, NOW)
    spent = []
    for turn in range(ROUNDS):
        started = time.process_time()
        known = watch(replace(known, gate=gate), seen, here, NOW + turn)
        next_step(seen, here, known, NOW + turn)
        spent.append((time.process_time() - started) * 1000)
    return statistics.median(spent)


if __name__ == "__main__":
    main()
