"""Writes what a run came to as text. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence

from tests.mutation.findings import CONVERGE, PREVIEW, RESTART, SECOND_RUN, SETTINGS, SPEC
from tests.mutation.mutants import Mutant
from tests.mutation.results import Key, Verdict

COLUMNS = {
    "converge": (CONVERGE,), "spec": (SPEC,), "run again": (SECOND_RUN, RESTART, PREVIEW), "settings": (SETTINGS,),
}  # fmt: skip
"""How a mutant was caught; the third column is a second run, a restart or a preview."""


def render(verdicts: Sequence[Verdict], reasons: Mapping[Key, str], untried: Sequence[Mutant] = ()) -> str:
    """Return the table of roles, below it the survivors with their reasons, and how many mutants have no verdict."""
    heading = (
        f"{'role':18} {'tasks':>6} {'mutants':>8}" + "".join(f"{name:>11}" for name in COLUMNS) + f"{'survivors':>11}"
    )
    roles = list(dict.fromkeys(verdict.mutant.role for verdict in verdicts))
    rows = [_row(role, [verdict for verdict in verdicts if verdict.mutant.role == role]) for role in roles]
    total = [_row("all", verdicts)] if len(roles) > 1 else []
    survivors = [verdict for verdict in verdicts if verdict.finding is None]
    told = [f"  {one.mutant}\n    {reasons.get(one.mutant.key, 'NO REASON GIVEN')}" for one in survivors]
    counts = Counter(mutant.role for mutant in untried)
    missing = [f"no verdict yet: {', '.join(f'{count} of {role}' for role, count in counts.items())}"] if counts else []
    return "\n".join(
        [heading, *rows, *total, *(["", "survivors:", *told] if told else []), *(["", *missing] if missing else [])]
    )


def render_progress(verdict: Verdict, number: int, total: int) -> str:
    """Return one line about a mutant that has been tried."""
    finding = verdict.finding
    outcome = f"{finding.kind}: {finding.proof} [{finding.step}]" if finding else "SURVIVED"
    spent = "kept" if verdict.was_kept else f"{verdict.seconds:.0f} s"
    return f"[{number}/{total}] {verdict.mutant} -> {outcome} ({spent})"


def _row(name: str, verdicts: Sequence[Verdict]) -> str:
    kinds = Counter(verdict.finding.kind for verdict in verdicts if verdict.finding)
    tasks = len({verdict.mutant.key[:2] for verdict in verdicts})
    caught = "".join(f"{sum(kinds[kind] for kind in column):11d}" for column in COLUMNS.values())
    survived = sum(verdict.finding is None for verdict in verdicts)
    return f"{name:18} {tasks:6d} {len(verdicts):8d}{caught}{survived:11d}"
