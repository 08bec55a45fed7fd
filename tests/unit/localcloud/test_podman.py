"""podman's own races with other processes, played by a podman command that fails as the real one did."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from goldfleet.localcloud.podman import LISTINGS, Podman, PodmanError, is_named_by_a_process

NOT_KNOWN = 'Error: checking if image "bf7d" is dangling: locating image with ID "bf7d": image not known'


@pytest.fixture
def podman_that_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str, int], Path]:
    def install(complaint: str, times: int) -> Path:
        counter = tmp_path / "calls"
        counter.write_text("")
        program = tmp_path / "podman"
        program.write_text(
            f"#!/bin/sh\necho call >> {counter}\n"
            f"if [ $(wc -l < {counter}) -le {times} ]; then echo '{complaint}' >&2; exit 125; fi\n"
            "printf 'a1\\nb2\\na1\\n'\n"
        )
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
        return counter

    return install


@pytest.mark.parametrize("times", [0, 1, LISTINGS - 1])
def test_images_are_listed_while_another_process_removes_some(
    podman_that_says: Callable[[str, int], Path], times: int
) -> None:
    podman_that_says(NOT_KNOWN, times)
    assert Podman().images("goldfleet.cloud=x") == ["a1", "b2"]


def test_endless_removals_are_an_error_in_the_end(podman_that_says: Callable[[str, int], Path]) -> None:
    calls = podman_that_says(NOT_KNOWN, LISTINGS)
    with pytest.raises(PodmanError, match="image not known"):
        Podman().images("goldfleet.cloud=x")
    assert len(calls.read_text().splitlines()) == LISTINGS


def test_another_failure_is_told_at_once(podman_that_says: Callable[[str, int], Path]) -> None:
    calls = podman_that_says("Error: no space left on device", 1)
    with pytest.raises(PodmanError, match="no space left"):
        Podman().images("goldfleet.cloud=x")
    assert len(calls.read_text().splitlines()) == 1


def test_process_that_names_a_container_is_seen_until_it_ends() -> None:
    container_id = "e7" * 32
    assert not is_named_by_a_process(container_id)
    program = "import sys; print(flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", program, "container", "cleanup", container_id]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as cleanup:
        assert cleanup.stdout is not None
        cleanup.stdout.readline()
        assert is_named_by_a_process(container_id)
        assert not is_named_by_a_process(container_id[:12])
    assert not is_named_by_a_process(container_id)
