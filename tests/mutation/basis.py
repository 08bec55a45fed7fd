"""What a verdict rests on, as digests: a verdict is kept between runs while what could change it is the same.

As incremental mutation testing does elsewhere (PIT, Stryker): a mutant that was caught rests on its own file, the scenarios
that it was caught with and the spec that caught it; one that survived on its own file, every scenario, every spec and every
test of settings. So a new spec, or a new scenario, tries the survivors again and nothing else; so does another change of a
role for the mutants of the files that it touches. Reads files only. Neighbours: project, which says where they are; results.
"""

import ast
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.mutation.findings import SETTINGS, SPEC, Finding

DIGITS = 16


@dataclass(frozen=True)
class Basis:
    """What verdicts about one role rest on beside the mutant's own file: how it is tried, and what looks at it."""

    how: str
    scenarios: Mapping[str, str]
    specs: str
    settings: str
    tests: Mapping[str, str]

    def of(self, finding: Finding | None) -> str:
        """Return the digest of what a verdict with this finding rests on; None means that the mutant survived."""
        if finding is None:
            return digest(self.how, *self._with(self.scenarios), self.specs, self.settings)
        if finding.kind == SETTINGS:
            return digest(self.settings)
        tried = self._with(name for name in self.scenarios if name in finding.step)
        if finding.kind == SPEC:
            return digest(self.how, *tried, self.tests.get(finding.proof.partition("[")[0], "no such test"))
        return digest(self.how, *tried)

    def _with(self, scenarios: Iterable[str]) -> list[str]:
        return [f"{name} {self.scenarios[name]}" for name in sorted(scenarios)]


def digest(*parts: str) -> str:
    """Return a digest of texts, in their order."""
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:DIGITS]


def digest_files(folder: Path, trees: Iterable[Path]) -> str:
    """Return a digest of files and of all files below folders; both are relative to `folder`. READMEs count for nothing."""
    files = [path for tree in trees for path in _files(folder / tree)]
    return digest(*(f"{path.relative_to(folder)} {hashlib.sha256(path.read_bytes()).hexdigest()}" for path in files))


def digest_tests(text: str) -> dict[str, str]:
    """Return a digest of each test of a Python file, and of all that it names in that file, by the test's name."""
    named: dict[str, ast.stmt] = {}
    for node in ast.parse(text).body:
        for name in _names_given(node):
            named[name] = node
    return {name: digest(*_with_all_it_names(name, named)) for name in named if name.startswith("test_")}


def _names_given(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.FunctionDef | ast.ClassDef):
        return [node.name]
    if isinstance(node, ast.Assign | ast.AnnAssign):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        return [part.id for target in targets for part in ast.walk(target) if isinstance(part, ast.Name)]
    return []


def _with_all_it_names(name: str, named: Mapping[str, ast.stmt]) -> list[str]:
    """Return the text of a definition and of all that it rests on in its file; a fixture is named as an argument."""
    reached, left = {name}, [name]
    while left:
        for part in ast.walk(named[left.pop()]):
            other = part.id if isinstance(part, ast.Name) else part.arg if isinstance(part, ast.arg) else ""
            if other in named and other not in reached:
                reached.add(other)
                left.append(other)
    return [ast.dump(named[one]) for one in sorted(reached)]


def _files(tree: Path) -> list[Path]:
    found = sorted(tree.rglob("*")) if tree.is_dir() else [tree]
    return [path for path in found if path.is_file() and path.name != "README.md" and path.suffix != ".pyc"]
