"""The import contracts of pyproject.toml hold, and would break if a pure module reached for the outside world."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[2]
LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def lint_imports(project: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(LINT_IMPORTS), "--no-cache", "--config", "pyproject.toml"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project / "scripts"), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROJECT / "scripts" / "goldfleet", tmp_path / "scripts" / "goldfleet", ignore=ignored)
    shutil.copy(PROJECT / "pyproject.toml", tmp_path)
    return tmp_path


def test_contracts_hold() -> None:
    ended = lint_imports(PROJECT)
    assert ended.returncode == 0, ended.stdout


@pytest.mark.parametrize(
    ("module", "planted", "contract"),
    [
        ("bake/decide.py", "import time", "Pure modules reach no outside world BROKEN"),
        ("bake/janitor.py", "import goldfleet.process", "Pure modules reach no outside world BROKEN"),
        ("verify/model.py", "import os", "Pure modules reach no outside world BROKEN"),
        ("bake/drive.py", "import boto3", "Only goldfleet.aws imports boto3 BROKEN"),
        ("bake/make.py", "import goldfleet.localcloud.state", "The product does not know the local cloud BROKEN"),
        ("aws/ec2.py", "import goldfleet.bake.drive", "errors below all BROKEN"),
        ("bake/ports.py", "import goldfleet.bake.make", "Inside bake imports run one way BROKEN"),
        ("scaling/balance.py", "import time", "BROKEN"),
        ("roll/plan.py", "import time", "Pure modules reach no outside world BROKEN"),
        ("roll/classify.py", "import goldfleet.roll.plan", "Inside roll imports run one way BROKEN"),
        ("demo/facts.py", "import time", "Pure modules reach no outside world BROKEN"),
        ("demo/chapters.py", "import goldfleet.localcloud.state", "The product does not know the local cloud BROKEN"),
    ],
    ids=[
        "clock in a pure module",
        "process",
        "os",
        "boto3 in a domain",
        "local cloud",
        "upwards",
        "inside bake",
        "clock in the model",
        "clock in a roll's plan",
        "inside roll",
        "clock in the demo's facts",
        "local cloud in the demo",
    ],
)
def test_planted_import_breaks_its_contract(copy: Path, module: str, planted: str, contract: str) -> None:
    path = copy / "scripts" / "goldfleet" / module
    path.write_text(f"{path.read_text()}\n{planted}\n")
    ended = lint_imports(copy)
    assert ended.returncode == 1
    assert contract in " ".join(ended.stdout.split())


def test_module_that_no_layer_names_breaks_a_contract(copy: Path) -> None:
    (copy / "scripts" / "goldfleet" / "bake" / "helpers.py").write_text("X = 1\n")
    assert "helpers" in lint_imports(copy).stdout
