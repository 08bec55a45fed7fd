"""What the documentation says of `make` is true: the targets exist, and `make` alone explains every one of them."""

import re
import subprocess
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
NAMED = re.compile(r"(?:`|^)make ([a-z][a-z-]*)", re.MULTILINE)
DOCUMENTS = ("README.md", "CONTRIBUTING.md", "examples/schedules/README.md")


def read_targets() -> set[str]:
    """Return every target of the Makefile."""
    return set(TARGET.findall((PROJECT / "Makefile").read_text(encoding="utf-8")))


def read_named() -> list[tuple[str, str]]:
    """Return (document, target) for each target that a document names."""
    return sorted(
        {(name, target) for name in DOCUMENTS for target in NAMED.findall((PROJECT / name).read_text(encoding="utf-8"))}
    )


@pytest.mark.parametrize(("document", "target"), read_named(), ids=lambda part: part)
def test_named_target_exists(document: str, target: str) -> None:
    assert target in read_targets(), f"{document} names `make {target}`"


@pytest.mark.parametrize("target", sorted(read_targets() - {"help"}))
def test_contributing_explains_the_target(target: str) -> None:
    assert ("CONTRIBUTING.md", target) in read_named()


def test_make_alone_lists_every_target() -> None:
    printed = subprocess.run(
        ["make", "--no-print-directory"], cwd=PROJECT, capture_output=True, text=True, check=True
    ).stdout
    assert {line.split()[0] for line in printed.splitlines()} == read_targets()
