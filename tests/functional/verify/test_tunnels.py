"""Which program opens tunnels: real programs on a PATH."""

import os
from pathlib import Path

import pytest

from goldfleet.errors import UsageError
from goldfleet.verify.tunnels import find_program


def program(folder: Path, says: str) -> str:
    """Write an `aws` that says a version; return its folder."""
    folder.mkdir()
    (folder / "aws").write_text(f"#!/bin/sh\n{says}\n")
    (folder / "aws").chmod(0o755)
    return str(folder)


def test_version_2_is_found_behind_version_1(tmp_path: Path) -> None:
    first = program(tmp_path / "first", "echo aws-cli/1.46.3 Python/3.11.7")
    second = program(tmp_path / "second", "echo aws-cli/2.31.0 Python/3.13.7")
    assert find_program(os.pathsep.join([first, str(tmp_path / "none"), "", second])) == f"{second}/aws"


def test_each_that_will_not_do_is_named(tmp_path: Path) -> None:
    first = program(tmp_path / "first", "echo aws-cli/1.46.3 Python/3.11.7")
    second = program(tmp_path / "second", "echo who knows >&2; exit 1")
    with pytest.raises(UsageError, match=r"first/aws is aws-cli/1\.46\.3; .*second/aws is none that says its version"):
        find_program(os.pathsep.join([first, second]))
    with pytest.raises(UsageError, match="no aws is on PATH"):
        find_program(str(tmp_path / "none"))
