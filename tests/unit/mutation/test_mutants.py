"""Mutants: each parses and differs from its role in exactly one task. For the roles here, and for roles that nobody wrote."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.mutation.mutants import Mutant, Place, find_places, make_mutants
from tests.mutation.project import NOT_RESTARTED, NOT_SERVERS, SCENARIOS, SPECS, TREE, Project
from tests.mutation.rules import module_of

ROLES = Project(TREE).roles()

WORDS = st.sampled_from(["a", "nginx", "/etc/x", "{{ item }}", "", "it's <odd>: #1", "ä"])
CONDITIONS = st.one_of(WORDS, st.lists(WORDS, min_size=1, max_size=3, unique=True))
ARGS = st.fixed_dictionaries(
    {},
    optional={
        "name": st.one_of(WORDS, st.lists(WORDS, min_size=1, max_size=3, unique=True)),
        "state": st.sampled_from(["present", "absent", "started", "directory", "latest", "{{ 'present' if x else 'absent' }}"]),
        "enabled": st.one_of(st.booleans(), st.just("{{ flag }}")),
        "mode": st.sampled_from(["0644", "0640", "0777", "u=rw"]),
        "owner": st.sampled_from(["root", "{{ owner }}"]),
        "group": st.sampled_from(["root", "adm"]),
        "src": WORDS, "dest": WORDS, "that": CONDITIONS,
    },
)  # fmt: skip
MODULES = st.sampled_from(["template", "copy", "file", "apt", "systemd_service", "assert", "command"])
KEYS = st.fixed_dictionaries(
    {},
    optional={
        "when": CONDITIONS,
        "notify": CONDITIONS,
        "loop": st.lists(WORDS, max_size=3, unique=True),
        "register": WORDS,
    },
)
TASKS = st.builds(
    lambda module, args, keys: {f"ansible.builtin.{module}": args, **keys},
    MODULES, ARGS, KEYS,
)  # fmt: skip
ITEMS = st.recursive(
    TASKS,
    lambda inner: st.fixed_dictionaries(
        {"block": st.lists(inner, min_size=1, max_size=2)},
        optional={"always": st.lists(inner, min_size=1, max_size=2), "when": CONDITIONS},
    ),
    max_leaves=5,
)


def name_all(tasks: list[dict[str, Any]], prefix: str = "t") -> list[dict[str, Any]]:
    """Return the tasks with a name for each, so that none is mistaken for another."""
    return [
        {"name": f"{prefix}{number}", **{
            key: name_all(value, f"{prefix}{number}{key}") if key in ("block", "always") else value
            for key, value in task.items()
        }}
        for number, task in enumerate(tasks)
    ]  # fmt: skip


def leaves(tasks: list[dict[str, Any]]) -> dict[str, Any]:
    """Return each task, and each block without its tasks, by name."""
    found: dict[str, Any] = {}
    for task in tasks:
        parts = [task[part] for part in ("block", "rescue", "always") if part in task]
        found[task["name"]] = {key: value for key, value in task.items() if key not in ("block", "rescue", "always")}
        for part in parts:
            found |= leaves(part)
    return found


def differing(mutant: Mutant, original: str) -> set[str]:
    """Return the names of the tasks and blocks that a mutant has otherwise than the original."""
    before, after = leaves(yaml.safe_load(original)), leaves(yaml.safe_load(mutant.content))
    return {name for name in before | after if before.get(name) != after.get(name)}


def module_of_leaf(leaf: dict[str, Any]) -> str | None:
    """Return the module of a task, None for a block whose tasks were taken out."""
    return next((key for key in leaf if "." in key), None)


@given(st.lists(ITEMS, min_size=1, max_size=3))
def test_mutant_of_any_role_differs_in_exactly_one_task(tasks: list[dict[str, Any]]) -> None:
    text = yaml.safe_dump(name_all(tasks), sort_keys=False)
    for mutant in make_mutants("any", {"tasks/main.yml": text}):
        assert differing(mutant, text) == {mutant.place.name}, mutant


@given(st.lists(ITEMS, min_size=1, max_size=3))
def test_every_task_of_any_role_is_deleted_once(tasks: list[dict[str, Any]]) -> None:
    text = yaml.safe_dump(name_all(tasks), sort_keys=False)
    deleted = [m.place.name for m in make_mutants("any", {"tasks/main.yml": text}) if m.mutation == "deleted"]
    assert sorted(deleted) == sorted(
        name for name, leaf in leaves(yaml.safe_load(text)).items() if module_of_leaf(leaf)
    )


@pytest.mark.parametrize("role", ROLES)
def test_mutant_of_a_role_is_a_list_of_tasks_unlike_the_role(role: str) -> None:
    for mutant in Project(TREE).mutants(role):
        if not mutant.place.file.startswith(("tasks/", "handlers/")):
            continue
        original = yaml.safe_load((TREE / "roles" / role / mutant.place.file).read_text())
        changed = yaml.safe_load(mutant.content) or []
        assert changed != original, mutant
        assert all(module_of(task) or task["block"] for task in changed), mutant


@pytest.mark.parametrize("role", ROLES)
def test_no_two_mutants_of_a_role_have_the_same_content_and_name(role: str) -> None:
    keys = [mutant.key for mutant in Project(TREE).mutants(role)]
    assert len(keys) == len(set(keys))


@pytest.mark.parametrize("role", ROLES)
def test_preflight_is_left_out_only_where_it_can_notice_nothing(role: str) -> None:
    """Not for what judges settings or has them judged, and not for items, which may be in what is judged."""
    mutants = Project(TREE).mutants(role)
    unnoticed = [mutant for mutant in mutants if mutant.cannot_be_refused]
    assert not any(mutant.place.file == "tasks/preflight.yml" for mutant in unnoticed)
    assert not any(mutant.is_judged_by_settings for mutant in unnoticed)
    assert all(mutant.place.file.startswith(("tasks/", "handlers/")) for mutant in unnoticed)
    assert unnoticed


PLAIN_TASK = {"name": "Write", "ansible.builtin.copy": {"dest": "/a", "content": "x", "mode": "0644"}}


def of_one_task(task: dict[str, Any], file: str = "tasks/main.yml") -> dict[str, Mutant]:
    """Return the mutants of a role that has one task, by what was done to it."""
    return {mutant.mutation: mutant for mutant in make_mutants("role", {file: yaml.safe_dump([task])})}


@pytest.mark.parametrize(
    ("change", "file", "seen"),
    [
        ({}, "tasks/main.yml", []),
        ({"when": "a"}, "tasks/main.yml", ["when dropped"]),
        ({"when": ["a", "b"]}, "tasks/main.yml", ["when 'a' dropped", "when 'b' dropped"]),
        ({"register": "a"}, "tasks/main.yml", ["deleted"]),
        ({}, "handlers/main.yml", None),
        ({"name": "Write {{ a }}"}, "tasks/main.yml", None),
    ],
    ids=["plain", "condition", "conditions", "register", "handler", "name of a variable"],
)
def test_change_of_a_task_that_nothing_runs_is_seen_by_nothing_but(
    change: dict[str, Any], file: str, seen: list[str] | None
) -> None:
    """A dropped condition runs it, a variable that nobody registers is missed; handlers and changing names are always tried."""
    mutants = of_one_task(PLAIN_TASK | change, file)
    within_reach = [mutation for mutation, mutant in mutants.items() if not mutant.is_out_of_reach({"Other"})]
    assert within_reach == (list(mutants) if seen is None else seen)
    assert not any(mutant.is_out_of_reach({"Other", str(mutant.place.name)}) for mutant in mutants.values())


@pytest.mark.parametrize("module", ["import_tasks", "include_tasks", "meta", "assert"])
def test_what_is_not_printed_when_it_runs_is_always_tried(module: str) -> None:
    mutants = of_one_task({"name": "Do", f"ansible.builtin.{module}": {"that": ["a", "b"]}})
    assert mutants
    assert not any(mutant.is_out_of_reach(set()) for mutant in mutants.values())


ONE = """---
- name: Write a file
  ansible.builtin.template:
    src: a.j2
    dest: /etc/a
    owner: root
    group: adm
    mode: "0640"
    validate: check %s
  notify: "a : changed"
  when: not ansible_check_mode
"""
RULES = [
    ("deleted", lambda task: task is None),
    ("when dropped", lambda task: "when" not in task),
    ("notify dropped", lambda task: "notify" not in task),
    ("mode 0777", lambda task: task["ansible.builtin.template"]["mode"] == "0777"),
    ("owner nobody", lambda task: task["ansible.builtin.template"]["owner"] == "nobody"),
    ("group root", lambda task: task["ansible.builtin.template"]["group"] == "root"),
    ("content emptied", lambda task: task["ansible.builtin.copy"] == {
        "content": "", "dest": "/etc/a", "owner": "root", "group": "adm", "mode": "0640", "validate": "check %s"}),
]  # fmt: skip


@pytest.mark.parametrize(("mutation", "is_done"), RULES, ids=[name for name, _ in RULES])
def test_rule_does_what_it_says(mutation: str, is_done: Any) -> None:
    (mutant,) = [one for one in make_mutants("a", {"tasks/main.yml": ONE}) if one.mutation == mutation]
    assert is_done(next(iter(yaml.safe_load(mutant.content)), None))


def test_rules_are_these_and_no_others() -> None:
    assert [one.mutation for one in make_mutants("a", {"tasks/main.yml": ONE})] == [name for name, _ in RULES]


@pytest.mark.parametrize(
    ("argument", "value", "turned"),
    [
        ("state", "present", "absent"),
        ("state", "stopped", "started"),
        ("enabled", True, False),
        ("enabled", "{{ wanted }}", "{{ not (wanted) }}"),
    ],
)
def test_state_and_flags_are_turned_round(argument: str, value: Any, turned: Any) -> None:
    text = yaml.safe_dump([{"name": "a", "ansible.builtin.service": {"name": "x", argument: value}}])
    altered = [one for one in make_mutants("a", {"tasks/main.yml": text}) if one.mutation != "deleted"]
    assert [yaml.safe_load(one.content)[0]["ansible.builtin.service"][argument] for one in altered] == [turned]


@pytest.mark.parametrize(("key", "module"), [("name", "apt"), ("that", "assert")])
def test_each_listed_item_is_dropped_in_turn(key: str, module: str) -> None:
    text = yaml.safe_dump([{"name": "a", f"ansible.builtin.{module}": {key: ["x", "y"]}}])
    dropped = [one for one in make_mutants("a", {"tasks/main.yml": text}) if one.mutation != "deleted"]
    seen = [yaml.safe_load(one.content)[0][f"ansible.builtin.{module}"][key] for one in dropped]
    assert (seen, [one.mutation for one in dropped]) == ([["y"], ["x"]], [f"{key} 'x' dropped", f"{key} 'y' dropped"])


def test_handler_is_deleted_and_made_to_do_nothing() -> None:
    text = "- name: Reload\n  ansible.builtin.service: {name: x, state: reloaded}\n  listen: changed\n"
    made = make_mutants("a", {"handlers/main.yml": text})
    assert [one.mutation for one in made] == ["deleted", "does nothing", "state started"]
    assert yaml.safe_load(made[1].content)[0]["listen"] == "changed"


def test_same_name_in_two_files_is_told_apart_by_the_file() -> None:
    one = "- name: Same\n  ansible.builtin.debug: {msg: x}\n"
    places = find_places({"tasks/a.yml": one, "tasks/b.yml": one + one})
    assert [place.name for place in places] == [
        "Same (tasks/a.yml)", "Same (tasks/b.yml) (no. 1)", "Same (tasks/b.yml) (no. 2)",
    ]  # fmt: skip


def test_task_with_two_modules_is_an_error() -> None:
    with pytest.raises(ValueError, match="cannot tell the module"):
        make_mutants("a", {"tasks/main.yml": "- {name: x, a.b.c: {}, d.e.f: {}}"})


def test_exceptions_are_molecules_own() -> None:
    molecule = Path(TREE / ".config/molecule")
    (verify,) = yaml.safe_load((molecule / "verify.yml").read_text())
    (restart, *_) = yaml.safe_load((molecule / "side_effect.yml").read_text())
    assert str(SPECS) in verify["vars"]["molecule_specs"]
    assert f"not in {sorted(NOT_SERVERS | NOT_RESTARTED, reverse=True)}" in restart["vars"]["molecule_restarts"]


@pytest.mark.parametrize(
    ("name", "tasks", "is_one"),
    [
        ("Write", {"Write"}, True),
        ("Write (tasks/a.yml)", {"Write"}, True),
        ("Write it", {"Write"}, False),
        ("Write", set(), False),
    ],
)
def test_task_is_known_by_the_name_that_ansible_prints(name: str, tasks: set[str], is_one: bool) -> None:
    assert Place("tasks/main.yml", (0,), 1, name).is_called_one_of(tasks) is is_one


@pytest.mark.parametrize("role", Project(TREE).roles())
@pytest.mark.parametrize("scenario", SCENARIOS)
def test_variables_of_a_scenario_name_files_that_are_there(role: str, scenario: str) -> None:
    assert "${MOLECULE_PROJECT_DIRECTORY}" not in str(Project(TREE).shared_variables(role, scenario))
