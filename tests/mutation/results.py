"""Keeps verdicts between runs, and compares survivors with the reasons that are written down for them.

A verdict is kept under a digest of all that it depends on, so that an interrupted run goes on where it was.
"""

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import yaml

from tests.mutation.mutants import Mutant
from tests.mutation.trial import Finding

REASONS = Path(__file__).with_name("survivors.yml")
Key = tuple[str, str, str]


@dataclass(frozen=True)
class Verdict:
    """What became of a mutant: what caught it, None when it survived; whether it was tried now or before."""

    mutant: Mutant
    finding: Finding | None
    seconds: float
    was_kept: bool = False

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as a mapping of plain values."""
        mutant, place = self.mutant, self.mutant.place
        about = {"role": mutant.role, "file": place.file, "line": place.line, "task": place.name}
        caught = asdict(self.finding) if self.finding else None
        return {**about, "mutation": mutant.mutation, "caught": caught, "seconds": round(self.seconds, 1)}


@dataclass(frozen=True)
class Shelf:
    """Verdicts on disk, one file each."""

    folder: Path

    def read(self, mutant: Mutant, depends_on: str) -> Verdict | None:
        """Return the verdict of an earlier run over the same role, specs and change."""
        try:
            kept = json.loads(self._file(mutant, depends_on).read_text())
        except FileNotFoundError:
            return None
        finding = Finding(**kept["finding"]) if kept["finding"] else None
        return Verdict(mutant, finding, kept["seconds"], was_kept=True)

    def write(self, verdict: Verdict, depends_on: str) -> None:
        """Keep a verdict."""
        self.folder.mkdir(parents=True, exist_ok=True)
        file = self._file(verdict.mutant, depends_on)
        finding = asdict(verdict.finding) if verdict.finding else None
        unfinished = file.with_suffix(".unfinished")
        unfinished.write_text(json.dumps({"finding": finding, "seconds": verdict.seconds}))
        unfinished.rename(file)

    def read_defects(self, role: str, depends_on: str) -> list[str]:
        """Return what the role itself did not pass when verdicts about it were made."""
        try:
            return list(json.loads(self._defects(role, depends_on).read_text()))
        except FileNotFoundError:
            return []

    def write_defects(self, role: str, depends_on: str, defects: list[str]) -> None:
        """Keep what the role itself does not pass."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._defects(role, depends_on).write_text(json.dumps(defects))

    def _defects(self, role: str, depends_on: str) -> Path:
        return self.folder / f"role-{hashlib.sha256(f'{role} {depends_on}'.encode()).hexdigest()[:24]}.json"

    def _file(self, mutant: Mutant, depends_on: str) -> Path:
        text = "\0".join((depends_on, mutant.place.file, *mutant.key, mutant.content))
        return self.folder / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.json"


def read_reasons(file: Path = REASONS) -> dict[Key, str]:
    """Return why each listed mutant survives, by (role, task, mutation). Raises ValueError when an entry lacks something."""
    reasons: dict[Key, str] = {}
    for entry in yaml.safe_load(file.read_text(encoding="utf-8")) or []:
        if set(entry) != {"role", "task", "mutation", "reason"} or not all(entry.values()):
            raise ValueError(f"{file.name}: an entry has role, task, mutation and reason, but not this one: {entry}")
        key = (entry["role"], entry["task"], entry["mutation"])
        if key in reasons:
            raise ValueError(f"{file.name}: listed twice: {key}")
        reasons[key] = " ".join(entry["reason"].split())
    return reasons


def problems(verdicts: Iterable[Verdict], reasons: dict[Key, str], roles: Collection[str]) -> list[str]:
    """Return survivors without a reason and reasons without a survivor; `roles` names those that were tried whole."""
    seen = {verdict.mutant.key: verdict for verdict in verdicts}
    unexplained = [
        f"survived, and nobody has said why: {verdict.mutant}"
        for key, verdict in seen.items()
        if verdict.finding is None and key not in reasons
    ]
    stale = []
    for key in reasons:
        verdict = seen.get(key)
        if verdict is None and key[0] in roles:
            stale.append(f"survivors.yml lists what is no mutant: {key}")
        elif verdict is not None and verdict.finding is not None:
            stale.append(f"survivors.yml lists what is caught now by {verdict.finding.proof}: {key}")
    return unexplained + stale
