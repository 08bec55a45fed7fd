import pytest
import yaml

from goldfleet.bake.playbook import references


@pytest.mark.parametrize(
    ("text", "roles"),
    [
        ("- hosts: all\n  roles: [a, b]", {"a", "b"}),
        ("- hosts: all\n  roles:\n    - role: a\n    - name: b\n      x: 1", {"a", "b"}),
        ("- hosts: all\n  tasks:\n    - import_role: {name: a}", {"a"}),
        ("- hosts: all\n  pre_tasks:\n    - ansible.builtin.include_role:\n        name: a", {"a"}),
        (
            "- hosts: all\n  tasks:\n    - block:\n        - block: []\n          rescue: [{include_role: name=a}]",
            {"a"},
        ),
        ("- hosts: all\n  handlers:\n    - ansible.legacy.import_role:\n        name: a", {"a"}),
        ("- include_role: {name: a}", {"a"}),
        ("dependencies:\n  - a\n  - role: b", {"a", "b"}),
        ("- hosts: all\n  roles: [amazon.aws.thing, a]", {"a"}),
        ("- hosts: all\n  vars:\n    roles: [admin]\n  roles: [a]", {"a"}),
        ("- set_fact:\n    dependencies: [x]", set()),
        ("", set()),
        ("just text", set()),
    ],
    ids=[
        "names",
        "mappings",
        "import_role",
        "full name in pre_tasks",
        "nested blocks",
        "handlers",
        "task file",
        "meta",
        "role of a collection",
        "variable called roles",
        "variable called dependencies",
        "empty file",
        "no YAML structure",
    ],
)
def test_roles_are_found_wherever_they_are_named(text: str, roles: set[str]) -> None:
    found = references(yaml.safe_load(text))
    assert found.roles == roles
    assert found.is_complete


def test_imported_playbooks_are_found() -> None:
    text = "- import_playbook: a.yml\n- ansible.builtin.import_playbook: sub/b.yml\n"
    assert references(yaml.safe_load(text)).playbooks == {"a.yml", "sub/b.yml"}


@pytest.mark.parametrize("text", ["- include_role: {name: '{{ item }}'}", "- import_playbook: '{{ x }}.yml'"])
def test_name_computed_at_run_time_may_be_anything(text: str) -> None:
    found = references(yaml.safe_load(text))
    assert not found.is_complete
    assert found.roles == set()
