"""Reading a project tree: which components there are, and what changes them."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from goldfleet.bake.collections import collections_path
from goldfleet.bake.decide import differences
from goldfleet.bake.facts import digests_of, shown_of
from goldfleet.bake.inputs import build_inputs, read_tree
from goldfleet.bake.model import CheckCounts, Facts, Inputs
from goldfleet.config.overrides import parse_variables, with_variables
from goldfleet.config.reading import load_settings
from goldfleet.errors import UsageError
from tests.doubles.project import make_project

AMI = "ami-0000base0"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


def install_collection(folder: Path, version: str) -> None:
    manifest = folder / "ansible_collections" / "amazon" / "aws" / "MANIFEST.json"
    manifest.parent.mkdir(parents=True, exist_ok=True)
    manifest.write_text(json.dumps({"collection_info": {"version": version}}))


def inputs_of(project: Path, *, ami: str = AMI, var: tuple[str, ...] = ()) -> Inputs:
    _, settings = load_settings(project).pick_image(None)
    settings = with_variables(settings, parse_variables(var))
    tree = read_tree(project, settings, [project / ".collections"])
    return build_inputs(tree, settings.architecture, ami)


def reasons(before: Inputs, after: Inputs) -> tuple[str, ...]:
    kept = (digests_of(before.components), shown_of(before.components))
    return differences(after.components, Facts("app", "ami", "", "", "", "", "", CheckCounts(), *kept))


def test_components_are_what_the_playbook_reaches(project: Path) -> None:
    assert [component.name for component in inputs_of(project).components] == [
        "base AMI",
        "architecture",
        "template",
        "playbook app_server",
        "playbook golden_image",
        "role base",
        "role golden_seal",
        "role shared_storage",
        "role web_common",
        "role web_stack",
        "group_vars",
        "specs",
        "collections",
        "ansible.cfg",
        "variable web_stack_domain",
        "collection amazon.aws",
    ]


def append(name: str, text: str = "# more\n") -> Callable[[Path], None]:
    def change(project: Path) -> None:
        path = project / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a") as stream:
            stream.write(text)

    return change


def settings(text: str) -> Callable[[Path], object]:
    return lambda project: (project / "goldfleet.toml").write_text(text)


CHANGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "role task": (append("roles/web_stack/tasks/main.yml"), "role web_stack changed"),
    "role default": (append("roles/base/defaults/main.yml"), "role base changed"),
    "role template": (append("roles/web_stack/templates/nginx.conf.j2"), "role web_stack changed"),
    "new role file": (append("roles/web_stack/files/README.md"), "role web_stack changed"),
    "role of a role": (append("roles/web_common/tasks/main.yml"), "role web_common changed"),
    "role by dependency": (append("roles/shared_storage/tasks/main.yml"), "role shared_storage changed"),
    "deleted role file": (lambda p: (p / "roles/base/defaults/main.yml").unlink(), "role base changed"),
    "renamed role file": (
        lambda p: (p / "roles/base/defaults/main.yml").rename(p / "roles/base/defaults/main.yaml"),
        "role base changed",
    ),
    "executable bit": (
        lambda p: (p / "roles/golden_seal/files/goldfleet-seal").chmod(0o644),
        "role golden_seal changed",
    ),
    "playbook": (append("playbooks/golden_image.yml"), "playbook golden_image changed"),
    "imported playbook": (append("playbooks/app_server.yml"), "playbook app_server changed"),
    "file beside the playbooks": (append("playbooks/vars/x.yml"), "playbook folder playbooks/vars added"),
    "template": (append("packer/build.pkr.hcl"), "template changed"),
    "template for old Packer": (append("packer/compat/source_1_6.pkr.hcl"), "template changed"),
    "group variables": (append("inventory/group_vars/all.yml"), "group_vars changed"),
    "spec": (append("tests/fleet/test_web.py"), "specs changed"),
    "new spec": (append("tests/fleet/test_new.py"), "specs changed"),
    "collections": (append("requirements.yml"), "collections changed"),
    "ansible.cfg": (append("ansible.cfg"), "ansible.cfg changed"),
    "collection version": (
        lambda p: install_collection(p / ".collections", "10.1.2"),
        "collection amazon.aws not installed -> 10.1.2",
    ),
    "variable": (
        settings('[images.app.variables]\nweb_stack_domain = "b"\n'),
        "variable web_stack_domain: 'example.com' -> 'b'",
    ),
    "type of a variable": (
        settings("[images.app.variables]\nweb_stack_domain = 4\n"),
        "variable web_stack_domain: 'example.com' -> 4",
    ),
    "no variable": (settings("[images.app]\n"), "variable web_stack_domain removed"),
    "architecture": (
        settings('[images.app]\narchitecture = "arm64"\nvariables = {web_stack_domain = "example.com"}\n'),
        "architecture x86_64 -> arm64",
    ),
}


@pytest.mark.parametrize(("change", "reason"), CHANGES.values(), ids=CHANGES.keys())
def test_change_of_an_input_is_seen_and_named(project: Path, change: Callable[[Path], object], reason: str) -> None:
    before = inputs_of(project)
    change(project)
    after = inputs_of(project)
    assert after.fingerprint != before.fingerprint
    assert reasons(before, after) == (reason,)


def test_other_base_ami_and_variable_of_the_command_line_are_seen(project: Path) -> None:
    before = inputs_of(project)
    assert reasons(before, inputs_of(project, ami="ami-1")) == ("base AMI ami-0000base0 -> ami-1",)
    assert reasons(before, inputs_of(project, var=("x=1",))) == ("variable x added: 1",)


def test_value_of_a_secret_is_never_shown(project: Path) -> None:
    before, after = (inputs_of(project, var=(f"db_password={word}",)) for word in ("hunter2", "hunter3"))
    assert reasons(before, after) == ("variable db_password changed",)
    assert "hunter2" not in str(before)


def touch_everything(project: Path) -> None:
    for path in project.rglob("*"):
        os.utime(path, (1, 1))


def copy_elsewhere(project: Path) -> None:
    shutil.move(project, project.parent / "moved")
    shutil.copytree(project.parent / "moved", project)


NO_CHANGES: dict[str, Callable[[Path], object]] = {
    "time stamps": touch_everything,
    "another path": copy_elsewhere,
    "README of a role": append("roles/web_stack/README.md"),
    "molecule of a role": append("roles/web_stack/molecule/default/converge.yml"),
    "docs of a role": append("roles/web_stack/docs/index.md"),
    "README of the template": append("packer/README.md"),
    "manifest of a build by hand": append("packer/manifest.json"),
    "role that is not used": append("roles/not_used/tasks/main.yml"),
    "playbook that is not used": append("playbooks/foundation.yml"),
    "compiled Python": append("tests/fleet/__pycache__/test_web.cpython-311.pyc"),
    "editor's copy": append("roles/web_stack/tasks/main.yml~"),
    "editor's swap file": append("roles/web_stack/tasks/.main.yml.swp"),
    "git": append(".git/HEAD"),
    "inventory": append("inventory/aws_ec2.yml"),
    "another folder": append("docs/index.md"),
    "group's write permission": lambda p: (p / "playbooks/app_server.yml").chmod(0o664),
    "settings that do not go in": settings(
        "[images.app]\nlease_minutes = 9\n[images.app.variables]\nweb_stack_domain = 'example.com'\n"
    ),
    "previous runs": append(".goldfleet/runs/x/roles/base/tasks/main.yml"),
}


@pytest.mark.parametrize("change", NO_CHANGES.values(), ids=NO_CHANGES.keys())
def test_what_does_not_go_in_does_not_count(project: Path, change: Callable[[Path], object]) -> None:
    before = inputs_of(project)
    change(project)
    assert inputs_of(project).fingerprint == before.fingerprint


def test_role_named_at_run_time_makes_every_role_count(project: Path) -> None:
    append("roles/base/tasks/main.yml", "- include_role: {name: '{{ item }}'}\n")(project)
    names = {component.name for component in inputs_of(project).components}
    assert "role not_used" in names


def test_vault_tags_are_read_over(project: Path) -> None:
    append("roles/base/tasks/main.yml", "- debug:\n  vars:\n    x: !vault |\n      $ANSIBLE_VAULT\n")(project)
    assert inputs_of(project)


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda p: (p / "playbooks/golden_image.yml").unlink(), "playbook: seen 'playbooks/golden_image.yml'"),
        (lambda p: shutil.rmtree(p / "tests/fleet"), "specs: seen 'tests/fleet'"),
        (lambda p: (p / "playbooks/app_server.yml").unlink(), "imports app_server.yml, which is no file"),
        (append("playbooks/app_server.yml", "- ["), "app_server.yml cannot be read"),
        (lambda p: (p / "roles/base/files").symlink_to(p / "docs"), "neither a file nor a folder"),
        (lambda p: (p / "roles/base/files").symlink_to(p / "roles"), "symbolic link to a folder"),
    ],
    ids=["no playbook", "no specs", "no imported playbook", "no YAML", "dead link", "link to a folder"],
)
def test_tree_that_cannot_be_read_is_a_usage_error(project: Path, change: Callable[[Path], object], told: str) -> None:
    change(project)
    with pytest.raises(UsageError, match=told):
        inputs_of(project)


def test_link_to_a_file_counts_by_its_content(project: Path) -> None:
    shared = project / "docs" / "shared.txt"
    append("docs/shared.txt", "one")(project)
    (project / "roles/base/files").mkdir()
    (project / "roles/base/files/shared.txt").symlink_to(shared)
    before = inputs_of(project)
    shared.write_text("two")
    assert reasons(before, inputs_of(project)) == ("role base changed",)


@pytest.mark.parametrize(
    ("environment", "config", "first"),
    [
        ({"ANSIBLE_COLLECTIONS_PATH": "/a:/b"}, "", "/a"),
        ({}, "[defaults]\ncollections_path = vendor:/b\n", "vendor"),
        ({}, "[defaults]\n", "/home/ann/.ansible/collections"),
        ({}, "collections_path", "/home/ann/.ansible/collections"),
    ],
    ids=["environment", "ansible.cfg", "default", "unreadable ansible.cfg"],
)
def test_collections_are_looked_for_where_ansible_does(
    tmp_path: Path, environment: dict[str, str], config: str, first: str
) -> None:
    (tmp_path / "ansible.cfg").write_text(config)
    assert collections_path(tmp_path, environment, Path("/home/ann"))[0] == tmp_path / first
