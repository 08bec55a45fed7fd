"""Keeps verdicts between runs, and compares survivors with the reasons that are written down for them.

All verdicts take hours, so they land with the project; each holds while what it rests on is the same (basis).
"""

import json
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from tests.mutation.basis import Basis, digest
from tests.mutation.findings import Finding
from tests.mutation.mutants import Mutant

REASONS = Path(__file__).with_name("survivors.yml")
VERDICTS = Path(__file__).with_name("verdicts")
ITSELF = "the role itself"
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
    """Verdicts that land with the project: one file for each role, one line for each mutant."""

    folder: Path = VERDICTS
    lock: threading.Lock = field(default_factory=threading.Lock)

    def read(self, mutants: Sequence[Mutant], basis: Basis) -> dict[Mutant, Verdict]:
        """Return the verdicts of earlier runs that hold still: same change, same role, same proofs."""
        found = {}
        for mutant in mutants:
            kept = self._load(mutant.role).get(_line(mutant))
            if kept is None:
                continue
            finding = Finding(**kept["caught"]) if kept["caught"] else None
            if kept["basis"] == _basis(mutant, finding, basis):
                found[mutant] = Verdict(mutant, finding, 0.0, was_kept=True)
        return found

    def write(self, verdict: Verdict, basis: Basis) -> None:
        """Keep a verdict."""
        caught = asdict(verdict.finding) if verdict.finding else None
        with self.lock:
            kept = self._load(verdict.mutant.role)
            kept[_line(verdict.mutant)] = {"caught": caught, "basis": _basis(verdict.mutant, verdict.finding, basis)}
            self._save(verdict.mutant.role, kept)

    def tidy(self, role: str, mutants: Sequence[Mutant]) -> None:
        """Forget what is no mutant of a role any more."""
        with self.lock:
            kept, lines = self._load(role), {*map(_line, mutants), ITSELF}
            if kept.keys() - lines:
                self._save(role, {line: kept[line] for line in kept.keys() & lines})

    def read_defects(self, role: str, basis: Basis) -> list[str]:
        """Return what the role itself did not pass when verdicts about it were made."""
        kept = self._load(role).get(ITSELF, {})
        return list(kept["defects"]) if kept.get("basis") == basis.of(None) else []

    def write_defects(self, role: str, basis: Basis, defects: list[str]) -> None:
        """Keep what the role itself does not pass."""
        with self.lock:
            kept = self._load(role)
            kept.pop(ITSELF, None)
            self._save(role, kept | ({ITSELF: {"defects": defects, "basis": basis.of(None)}} if defects else {}))

    def _load(self, role: str) -> dict[str, Any]:
        try:
            return dict(json.loads(self._file(role).read_text(encoding="utf-8")))
        except FileNotFoundError:
            return {}

    def _save(self, role: str, kept: Mapping[str, Any]) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = ",\n".join(f"  {json.dumps(line)}: {json.dumps(kept[line])}" for line in sorted(kept))
        unfinished = self._file(role).with_suffix(".unfinished")
        unfinished.write_text(f"{{\n{lines}\n}}\n", encoding="utf-8")
        unfinished.rename(self._file(role))

    def _file(self, role: str) -> Path:
        return self.folder / f"{role}.json"


def _line(mutant: Mutant) -> str:
    return f"{mutant.place.file}: {mutant.place.name}: {mutant.mutation}"


def _basis(mutant: Mutant, finding: Finding | None, basis: Basis) -> str:
    return digest(mutant.content, basis.of(finding))


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
