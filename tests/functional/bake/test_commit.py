import subprocess
from pathlib import Path

import pytest

from goldfleet.bake.commit import read_commit


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    identity = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
    (tmp_path / "file").write_text("one")
    for words in (("init", "-q"), ("add", "."), (*identity, "commit", "-q", "-m", "one")):
        subprocess.run(["git", "-C", str(tmp_path), *words], check=True, capture_output=True)
    return tmp_path


def test_clean_repository_has_its_commit(repository: Path) -> None:
    commit = read_commit(repository)
    assert len(commit) == 40


def test_changed_file_makes_it_dirty(repository: Path) -> None:
    clean = read_commit(repository)
    (repository / "file").write_text("two")
    assert read_commit(repository) == f"{clean}-dirty"


def test_outside_of_a_repository_there_is_no_commit(tmp_path: Path) -> None:
    assert read_commit(tmp_path) == ""
