"""Items of lists in a role's variables: each is mutated by itself, and nothing else of the variables changes."""

import copy
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.mutation.items import Loop, find_items
from tests.mutation.mutants import Mutant, make_mutants
from tests.mutation.project import TREE, Project

ROLES = Project(TREE).roles()
VARIABLES = "vars/main.yml"

WRITE = """---
- name: Write the files that differ
  ansible.builtin.template: {src: "{{ item.src }}", dest: "{{ item.dest }}"}
  loop: "{{ _files }}"
"""
COPY = WRITE.replace("template", "copy")
JUDGE = """---
- name: Judge the numbers
  ansible.builtin.assert: {that: "item.lowest < 2"}
  loop: "{{ _files }}"
"""
FILES = """---
# What the role writes.
_files:
  - src: a.j2
    dest: /etc/a
    mode: "0600"
    validate: check %s
    notify: "a : changed"
  - src: b.j2
    dest: "{{ _other }}/b"
_other: '{{ "x" ~ ''\\A[a-z]\\Z'' }}'
"""

TEXTS = st.sampled_from(
    ["a", "/etc/x", "{{ a | default('x') }}", "{% if x %}\\d: #1{% endif %}", "it's <odd>\n", "ä", "0644", "yes"]
)
VALUES = st.one_of(TEXTS, st.integers(), st.booleans(), st.lists(TEXTS, max_size=2))
ITEM = st.fixed_dictionaries(
    {"dest": TEXTS},
    optional={
        "src": TEXTS,
        "content": TEXTS,
        "mode": st.sampled_from(["0644", "0777", "u=rw"]),
        "notify": st.one_of(TEXTS, st.lists(TEXTS, max_size=3, unique=True)),
        "other": VALUES,
    },
)
ROLE = st.fixed_dictionaries(
    {"_files": st.lists(ITEM, min_size=1, max_size=4), "_first": VALUES}, optional={"last": VALUES}
)


def of_items(files: dict[str, str]) -> list[Mutant]:
    """Return the mutants of a role that change no task."""
    return [one for one in make_mutants("a", files) if not one.place.file.startswith(("tasks/", "handlers/"))]


def items_of(mutant: Mutant) -> Any:
    """Return the list as a mutant has it."""
    return yaml.safe_load(mutant.content)["_files"]


RULES = [
    ("dropped", lambda item: item == {"src": "b.j2", "dest": "{{ _other }}/b"}),
    ("notify dropped", lambda item: item["notify"] == []),
    ("mode 0777", lambda item: item["mode"] == "0777"),
]  # fmt: skip


@pytest.mark.parametrize(("mutation", "is_done"), RULES, ids=[name for name, _ in RULES])
def test_rule_does_what_it_says(mutation: str, is_done: Any) -> None:
    made = of_items({"tasks/main.yml": WRITE, VARIABLES: FILES})
    (mutant,) = [one for one in made if (one.place.name, one.mutation) == ("_files: /etc/a", mutation)]
    assert is_done(items_of(mutant)[0])


def test_mutants_of_items_are_these_and_no_others() -> None:
    made = of_items({"tasks/main.yml": WRITE, VARIABLES: FILES})
    assert [str(one) for one in made] == [
        "a vars/main.yml:4 '_files: /etc/a' dropped",
        "a vars/main.yml:4 '_files: /etc/a' notify dropped",
        "a vars/main.yml:4 '_files: /etc/a' mode 0777",
        "a templates/a.j2:1 '_files: /etc/a' content emptied",
        "a vars/main.yml:9 '_files: {{ _other }}/b' dropped",
        "a templates/b.j2:1 '_files: {{ _other }}/b' content emptied",
    ]


@pytest.mark.parametrize(("tasks", "folder"), [(WRITE, "templates"), (COPY, "files")])
def test_file_that_an_item_comes_from_is_emptied(tasks: str, folder: str) -> None:
    made = of_items({"tasks/main.yml": tasks, VARIABLES: FILES})
    emptied = [(one.place.file, one.content) for one in made if one.mutation == "content emptied"]
    assert emptied == [(f"{folder}/a.j2", ""), (f"{folder}/b.j2", "")]


def test_content_that_an_item_has_itself_is_emptied() -> None:
    variables = yaml.safe_dump({"_files": [{"dest": "/a", "content": "{{ x }}"}]})
    made = of_items({"tasks/main.yml": COPY, VARIABLES: variables})
    (emptied,) = [one for one in made if one.mutation == "content emptied"]
    assert (emptied.place.file, items_of(emptied)) == (VARIABLES, [{"dest": "/a", "content": ""}])


def test_each_handler_of_an_item_is_dropped_in_turn() -> None:
    variables = yaml.safe_dump({"_files": [{"dest": "/a", "notify": ["x", "y"]}]})
    made = of_items({"tasks/main.yml": COPY, VARIABLES: variables})
    dropped = [(one.mutation, items_of(one)[0]["notify"]) for one in made if one.mutation.startswith("notify")]
    assert dropped == [("notify 'x' dropped", ["y"]), ("notify 'y' dropped", ["x"])]


def test_same_name_in_a_list_is_told_apart() -> None:
    variables = yaml.safe_dump({"_files": [{"dest": "/a"}, {"dest": "/a"}, {"other": 1}]})
    names = [one.place.name for one in of_items({"tasks/main.yml": COPY, VARIABLES: variables})]
    assert names == ["_files: /a (no. 1)", "_files: /a (no. 2)", "_files: no. 3"]


def test_item_that_only_an_assertion_looks_at_is_judged_by_settings() -> None:
    variables = yaml.safe_dump({"_files": [{"name": "a_number", "lowest": 1}]})
    (mutant,) = of_items({"tasks/preflight.yml": JUDGE, VARIABLES: variables})
    assert (mutant.key, mutant.is_judged_by_settings) == (("a", "_files: a_number", "dropped"), True)


@pytest.mark.parametrize(
    ("variables", "is_looped_over"),
    [
        ({}, False),
        ({"_files": "{{ _list }}"}, True),
        ({"_files": "{{ _more + [] }}", "_more": "{{ (_list if x else []) + _rest }}"}, True),
        ({"_files": "{{ _lists + _list_of_others + a_list }}"}, False),
        ({"_files": [], "_unused": "{{ _list }}"}, False),
    ],
)
def test_list_counts_where_a_task_loops_over_it_or_over_what_is_built_from_it(
    variables: dict[str, Any], is_looped_over: bool
) -> None:
    text = yaml.safe_dump({"_list": [{"dest": "/a"}], **variables})
    assert bool(of_items({"tasks/main.yml": WRITE, VARIABLES: text})) is is_looped_over


@pytest.mark.parametrize("value", [["a", "b"], [], [{"dest": "/a"}, "b"], {"dest": "/a"}, 3, "{{ [] }}"])
def test_what_is_no_list_of_mappings_has_no_items(value: Any) -> None:
    assert of_items({"tasks/main.yml": WRITE, VARIABLES: yaml.safe_dump({"_files": value})}) == []


APPENDED = """---
_files: >-
  {%- set files = [] -%}
  {%- for name in names -%}
  {%- set _ = files.append({
    'dest': _folder ~ '/' ~ name,
    'content': {'a': name} | to_nice_json(indent=2) ~ '\\n',
  }) -%}
  {%- endfor -%}
  {%- if names -%}
  {%- set _ = files.append({'dest': _second, 'source': names[0]}) -%}
  {%- endif -%}
  {{ files }}
"""


def test_statement_that_appends_to_a_list_is_an_item_too() -> None:
    made = of_items({"tasks/main.yml": COPY, VARIABLES: APPENDED})
    before = yaml.safe_load(APPENDED)["_files"]
    second = "{%- set _ = files.append({'dest': _second, 'source': names[0]}) -%}"
    assert [(one.place.name, one.mutation) for one in made] == [
        ("_files: _folder ~ '/' ~ name", "dropped"),
        ("_files: _folder ~ '/' ~ name", "content emptied"),
        ("_files: _second", "dropped"),
    ]
    dropped, emptied, last = [items_of(one) for one in made]
    assert (dropped.count("append("), second in dropped) == (1, True)
    assert emptied == before.replace("\n}) -%}", "\n} | combine({'content': ''})) -%}")
    assert last == before.replace(second, "")


@given(ROLE)
def test_mutant_of_any_item_differs_in_that_item_only(variables: dict[str, Any]) -> None:
    files = {"tasks/main.yml": COPY, VARIABLES: yaml.safe_dump(variables, sort_keys=False, allow_unicode=True)}
    for mutant in of_items(files):
        if mutant.place.file == VARIABLES:
            assert_is_changed_at(mutant, variables)


@pytest.mark.parametrize("role", ROLES)
def test_mutant_of_a_roles_variables_differs_in_one_item_only(role: str) -> None:
    variables = yaml.safe_load((TREE / "roles" / role / VARIABLES).read_text())
    made = [one for one in Project(TREE).mutants(role) if one.place.file == VARIABLES]
    for mutant in made:
        assert_is_changed_at(mutant, variables)


def assert_is_changed_at(mutant: Mutant, variables: dict[str, Any]) -> None:
    """Say that a mutant's variables are these but for one item; expressions come back letter by letter."""
    changed = yaml.safe_load(mutant.content)
    variable, number = str(mutant.place.path[0]), mutant.place.path[1]
    before, after = copy.deepcopy(variables), copy.deepcopy(changed)
    whole, mutated = before.pop(variable), after.pop(variable)
    assert (after, list(changed)) == (before, list(variables)), mutant
    assert mutated != whole, mutant
    if isinstance(whole, list) and isinstance(number, int):
        assert mutated[:number] == whole[:number], mutant
        rest = mutated[number:] if mutant.mutation == "dropped" else mutated[number + 1 :]
        assert rest == whole[number + 1 :], mutant


@pytest.mark.parametrize("role", ROLES)
def test_file_that_is_emptied_is_one_of_the_roles(role: str) -> None:
    emptied = [
        one.place.file for one in Project(TREE).mutants(role) if one.place.file.startswith(("templates/", "files/"))
    ]
    assert [file for file in emptied if not Path(TREE, "roles", role, file).read_text()] == []


def test_file_that_a_loop_writes_has_a_mutant_of_its_own() -> None:
    looped = {"app_settings", "base", "cache_client", "codedeploy_agent", "database_client", "web_stack"}
    emptied = {
        role
        for role in ROLES
        for one in Project(TREE).mutants(role)
        if one.mutation == "content emptied" and not one.place.file.startswith("tasks/")
    }
    assert emptied == looped


def test_item_knows_the_modules_that_loop_over_it() -> None:
    loops = [Loop("{{ _folders }}", "a.b.file"), Loop("{{ _list }}", "a.b.copy"), Loop("{{ _others }}", "a.b.apt")]
    variables = {"_list": [{"dest": "/a"}], "_folders": "{{ _list | map(attribute='dest') }}"}
    (item,) = find_items(yaml.compose(yaml.safe_dump(variables)), variables, loops)
    assert item.modules == ("a.b.file", "a.b.copy")
