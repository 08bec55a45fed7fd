"""Bad settings of every role: each is refused by the role's preflight, which names variable, value and remedy.

The cases are in `settings/<role>.yml`. One ansible-playbook tries all of them and writes down what was said; it touches no
machine. GOLDFLEET_ROLES_PATH may name another folder of roles, such as one with a mutant, and GOLDFLEET_ROLE the only role
that is tried.
"""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

PROJECT = Path(__file__).resolve().parents[3]
ROLES = Path(os.environ.get("GOLDFLEET_ROLES_PATH", PROJECT / "roles"))
CASES = sorted(Path(__file__).with_name("settings").glob(f"{os.environ.get('GOLDFLEET_ROLE', '*')}.yml"))
SERVER = {
    "os_family": "Debian", "distribution": "Debian", "distribution_release": "bookworm", "distribution_version": "12",
    "distribution_major_version": "12", "service_mgr": "systemd", "env": {}, "cacheable": True,
}  # fmt: skip
"""The facts of a Debian 12 server, whatever this host is."""


@dataclass(frozen=True)
class Case:
    """Settings that a role must refuse, and what its refusal must say."""

    role: str
    number: int
    settings: dict[str, Any]
    says: tuple[str, ...]
    facts: dict[str, Any]
    """What is another than the facts of SERVER."""

    @property
    def name(self) -> str:
        """Return the role and the settings that are wrong."""
        return f"{self.role}-{self.number}-{'-'.join([*self.settings, *self.facts])}"


def read_cases() -> list[Case]:
    """Return every case of every role."""
    return [
        Case(file.stem, number, case.get("settings", {}), tuple(map(str, case["says"])), case.get("facts", {}))
        for file in CASES
        for number, case in enumerate(yaml.safe_load(file.read_text()))
    ]


def judge(case_name: str, role: str, settings: dict[str, Any], tasks_from: str = "preflight") -> dict[str, Any]:
    """Return the tasks that give a role's preflight some settings and note what it says, nothing when it accepts them."""
    judged = {"ansible.builtin.include_role": {"name": role, "tasks_from": tasks_from}, "vars": settings}
    noted = {"ansible.builtin.set_fact": {"said": "{{ said | default({}) | combine({name: ansible_failed_result}) }}"}}
    return {"block": [judged], "rescue": [{**noted, "vars": {"name": case_name}}]}


def judge_on(facts: dict[str, Any], task: dict[str, Any]) -> dict[str, Any]:
    """Return a task that finds other facts, where there are some."""
    if not facts:
        return task
    known = {name: SERVER[name] for name in facts}
    return {
        "block": [
            {"ansible.builtin.set_fact": {**facts, "cacheable": True}},
            task,
            {"ansible.builtin.set_fact": {**known, "cacheable": True}},
        ]
    }


def build_play(tasks: list[dict[str, Any]], result: Path) -> list[dict[str, Any]]:
    """Return a play that is a server without being one, runs the tasks and writes down what was said."""
    written = {"content": "{{ said | default({}) | to_json }}", "dest": str(result), "mode": "0600"}
    ending = {"ansible.builtin.copy": written, "check_mode": False}
    # `vars` of the play would be seen by every case; facts are not settings.
    return [
        {
            "hosts": "localhost", "connection": "local", "gather_facts": False, "any_errors_fatal": False,
            "vars": {"ansible_python_interpreter": sys.executable},
            "tasks": [{"ansible.builtin.set_fact": SERVER}, *tasks, ending],
        }
    ]  # fmt: skip


def run_cases(folder: Path) -> None:
    """Give the roles every case, and their own defaults, and write what they say into said.json."""
    tasks = [judge_on(case.facts, judge(case.name, case.role, case.settings)) for case in read_cases()]
    tasks += [judge(f"{file.stem}-defaults", file.stem, {}) for file in CASES]
    run_play(tasks, folder / "said.json")


def run_whole_roles(result: Path) -> None:
    """Give each role as a whole its first case, in a preview, and write what it says."""
    first = [case for case in read_cases() if case.number == 0]
    run_play([judge(case.name, case.role, case.settings, "main") for case in first], result, "--check")


def run_play(tasks: list[dict[str, Any]], result: Path, *options: str) -> None:
    """Run tasks on a server that is none, which write down what was said."""
    play = result.with_suffix(".play.yml")
    play.write_text(json.dumps(build_play(tasks, result)))
    done = subprocess.run(
        [str(Path(sys.executable).parent / "ansible-playbook"), *options, str(play)], cwd=PROJECT,
        env={**os.environ, "ANSIBLE_ROLES_PATH": str(ROLES), "ANSIBLE_FORCE_COLOR": "0"},
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]


@pytest.fixture(scope="session")
def said(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> dict[str, str]:
    """What the roles say, by the case's name. The workers of one run share one ansible-playbook."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "settings"
    folder.mkdir(exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "said.json").exists():
            run_cases(folder)
    return read_said(folder / "said.json")


def read_said(file: Path) -> dict[str, str]:
    """Return what was said, by the case's name, in one line each."""
    results: dict[str, Any] = json.loads(file.read_text())
    return {name: " ".join(json.dumps(result, ensure_ascii=False).split()) for name, result in results.items()}


@pytest.mark.parametrize("case", read_cases(), ids=lambda case: case.name)
def test_bad_setting_is_refused_with_variable_value_and_remedy(case: Case, said: dict[str, str]) -> None:
    answer = said.get(case.name, "")
    assert [text for text in case.says if text not in answer] == [], answer or "it was accepted"


def test_role_alone_has_its_settings_judged_before_anything_else(tmp_path: Path) -> None:
    run_whole_roles(tmp_path / "said.json")
    said, first = read_said(tmp_path / "said.json"), [case for case in read_cases() if case.number == 0]
    missing = {case.name: [text for text in case.says if text not in said.get(case.name, "")] for case in first}
    assert {name: texts for name, texts in missing.items() if texts} == {}


@pytest.mark.parametrize("role", [file.stem for file in CASES])
def test_defaults_are_accepted(role: str, said: dict[str, str]) -> None:
    assert said.get(f"{role}-defaults", "") == ""
