"""The program goldfleet-workers of role web_stack: how many processes a server gets, and who is told."""

from __future__ import annotations

import json
import subprocess
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given
from hypothesis import strategies as st

PROGRAM = Path(__file__).resolve().parents[3] / "roles/web_stack/files/goldfleet-workers"
MEMINFO = "MemTotal:        4025180 kB\nMemFree:          123456 kB\n"


def load_program() -> ModuleType:
    """Import the program, whose name is no module's."""
    loader = SourceFileLoader("goldfleet_workers", str(PROGRAM))
    spec = spec_from_loader(loader.name, loader)
    assert spec is not None
    module = module_from_spec(spec)
    loader.exec_module(module)
    return module


WORKERS = load_program()
CPUS = st.integers(1, 512)
MEMORY = st.integers(1, 4_000_000)
PERCENT = st.integers(1, 100)
PROCESS = st.integers(1, 8192)
PER_CPU = st.sampled_from([WORKERS.PHP_PER_CPU, WORKERS.UPSTREAM_PER_CPU])


def run(root: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the program below a folder."""
    (root / "run/goldfleet").mkdir(parents=True, exist_ok=True)
    command = [str(PROGRAM), "--root", str(root), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def written(root: Path) -> dict[str, str]:
    """Return what the program has left, by file."""
    return {file.name: file.read_text() for file in (root / "run/goldfleet").iterdir()}


@pytest.mark.parametrize(
    ("cpus", "memory_mb", "percent", "process_mb", "per_cpu", "count"),
    [
        pytest.param(2, 1900, 60, 64, 16, 17, id="t3.small runs out of memory first"),
        pytest.param(2, 7800, 60, 64, 16, 32, id="m5.large runs out of CPUs first"),
        pytest.param(4, 15600, 60, 64, 16, 64, id="twice the CPUs have twice the processes"),
        pytest.param(2, 450, 60, 64, 16, 4, id="t3.nano"),
        pytest.param(1, 100, 60, 64, 16, 1, id="not even one fits, and one there is"),
        pytest.param(8, 15600, 60, 256, 1, 8, id="upstream has one for each CPU"),
        pytest.param(8, 1900, 60, 256, 1, 4, id="upstream has less when memory is short"),
    ],
)
def test_count_suits_the_server(
    cpus: int, memory_mb: int, percent: int, process_mb: int, per_cpu: int, count: int
) -> None:
    assert WORKERS.count_processes(cpus, memory_mb, percent, process_mb, per_cpu) == count


@given(cpus=CPUS, memory=MEMORY, percent=PERCENT, process=PROCESS, per_cpu=PER_CPU)
def test_count_is_at_least_one_and_never_takes_more_than_the_share(
    cpus: int, memory: int, percent: int, process: int, per_cpu: int
) -> None:
    count = WORKERS.count_processes(cpus, memory, percent, process, per_cpu)
    assert count == 1 or (count > 1 and count * process * 100 <= memory * percent)


@given(cpus=CPUS, more=CPUS, memory=MEMORY, percent=PERCENT, process=PROCESS, per_cpu=PER_CPU)
def test_more_cpus_never_have_fewer_processes(
    cpus: int, more: int, memory: int, percent: int, process: int, per_cpu: int
) -> None:
    fewer = WORKERS.count_processes(cpus, memory, percent, process, per_cpu)
    assert fewer <= WORKERS.count_processes(cpus + more, memory, percent, process, per_cpu)


@given(cpus=CPUS, memory=MEMORY, more=MEMORY, percent=PERCENT, process=PROCESS, per_cpu=PER_CPU)
def test_more_memory_never_has_fewer_processes(
    cpus: int, memory: int, more: int, percent: int, process: int, per_cpu: int
) -> None:
    fewer = WORKERS.count_processes(cpus, memory, percent, process, per_cpu)
    assert fewer <= WORKERS.count_processes(cpus, memory + more, percent, process, per_cpu)


def test_memory_is_read_in_mib() -> None:
    assert WORKERS.parse_memory_mb(MEMINFO) == 3930


def test_php_is_told_what_its_pool_includes(tmp_path: Path) -> None:
    run(tmp_path, "--runtime", "php", "--count", "7")
    assert [file.partition("\n")[2] for file in written(tmp_path).values()] == ["pm.max_children = 7\n"]


def test_upstream_is_told_by_an_environment_file(tmp_path: Path) -> None:
    run(tmp_path, "--runtime", "proxy", "--count", "7")
    assert written(tmp_path)["workers.env"].partition("\n")[2] == "WEB_CONCURRENCY=7\n"


@pytest.mark.parametrize(
    ("before", "after", "files"),
    [("php", "proxy", ["workers.env"]), ("proxy", "php", ["php_workers.conf"]), ("php", "static", [])],
)
def test_file_of_another_runtime_goes(tmp_path: Path, before: str, after: str, files: list[str]) -> None:
    run(tmp_path, "--runtime", before)
    run(tmp_path, "--runtime", after)
    assert list(written(tmp_path)) == files


def test_count_of_zero_is_computed_for_this_machine(tmp_path: Path) -> None:
    found = json.loads(run(tmp_path, "--runtime", "php", "--json").stdout)
    computed = WORKERS.count_processes(found["cpus"], found["memory_mb"], 60, 64, WORKERS.PHP_PER_CPU)
    assert (found["processes"], written(tmp_path)) == (computed, {})


@pytest.mark.parametrize(
    "options",
    [
        (),
        ("--runtime", "perl"),
        ("--runtime", "php", "--memory-percent", "0"),
        ("--runtime", "php", "--memory-percent", "101"),
        ("--runtime", "php", "--process-mb", "0"),
        ("--runtime", "php", "--count", "many"),
        ("--runtime", "php", "--count", "-1"),
    ],
    ids=" ".join,
)
def test_option_that_cannot_be_is_a_usage_error(tmp_path: Path, options: tuple[str, ...]) -> None:
    assert run(tmp_path, *options).returncode == 2


def test_folder_that_is_missing_is_said(tmp_path: Path) -> None:
    done = subprocess.run(
        [str(PROGRAM), "--runtime", "php", "--root", str(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, "php_workers.conf" in done.stderr) == (4, True)
