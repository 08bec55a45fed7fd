"""Contracts of the roles: one truth for each default, prefixes, scenarios, and the collections they use."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

PROJECT = Path(__file__).resolve().parents[2]
ROLES = sorted(path.name for path in (PROJECT / "roles").iterdir() if (path / "tasks").is_dir())
SCENARIOS = ("default", "alternative")
FILES_OF_TASKS = ("ansible.builtin.import_tasks", "ansible.builtin.include_tasks")
SPECS = sorted(path.name for kind in ("fleet", "foundation") for path in (PROJECT / "tests" / kind).glob("test_*.py"))
"""Specs of servers, and of the account's part that role aws_foundation builds."""


def read_yaml(path: Path) -> Any:
    """Return what a YAML file holds."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def read_defaults(role: str) -> dict[str, Any]:
    """Return a role's defaults."""
    defaults: dict[str, Any] = read_yaml(PROJECT / "roles" / role / "defaults/main.yml") or {}
    return defaults


def read_options(role: str) -> dict[str, Any]:
    """Return the options that a role's argument specification names."""
    specs = read_yaml(PROJECT / "roles" / role / "meta/argument_specs.yml")
    options: dict[str, Any] = specs["argument_specs"]["main"]["options"]
    return options


def read_scenario_variables(role: str, scenario: str) -> dict[str, Any]:
    """Return the role variables that a role's scenario sets."""
    file = read_yaml(PROJECT / "roles" / role / "molecule" / scenario / "molecule.yml") or {}
    shared = file.get("provisioner", {}).get("inventory", {}).get("group_vars", {}).get("all", {})
    variables: dict[str, Any] = shared.get("molecule_variables", {})
    return variables


def read_registered(role: str) -> list[str]:
    """Return the names that a role's tasks register."""
    lines = [
        line for path in (PROJECT / "roles" / role / "tasks").glob("*.yml") for line in path.read_text().splitlines()
    ]
    return [line.split(":")[1].strip() for line in lines if line.strip().startswith("register:")]


def read_play_roles(playbook: str) -> list[str]:
    """Return the roles of a playbook's one play, in order."""
    (play,) = read_yaml(PROJECT / "playbooks" / playbook)
    return [role["role"] for role in play["roles"]]


def read_collections() -> dict[str, str]:
    """Return name and version range of each collection that requirements.yml names."""
    entries = read_yaml(PROJECT / "requirements.yml")["collections"]
    return {entry["name"]: entry["version"] for entry in entries}


def read_installed_version(collection: str) -> str:
    """Return the version of a collection in the PyPI package `ansible`."""
    folder = Path(str(metadata.distribution("ansible").locate_file("ansible_collections")))
    manifest = read_yaml(folder.joinpath(*collection.split("."), "MANIFEST.json"))
    return str(manifest["collection_info"]["version"])


@pytest.mark.parametrize("role", ROLES)
def test_defaults_are_exactly_what_the_specification_says(role: str) -> None:
    """Keys and values agree; what has no default is required."""
    specified = {name: option["default"] for name, option in read_options(role).items() if "default" in option}
    assert read_defaults(role) == specified


@pytest.mark.parametrize("role", ROLES)
def test_option_without_default_is_required(role: str) -> None:
    """An option has a default or must be given; there is no third."""
    unclear = [
        name for name, option in read_options(role).items() if ("default" in option) == option.get("required", False)
    ]
    assert unclear == []


@pytest.mark.parametrize("role", ROLES)
def test_every_option_has_type_and_description(role: str) -> None:
    """Nothing goes unchecked or unexplained."""
    incomplete = [name for name, option in read_options(role).items() if not {"type", "description"} <= set(option)]
    assert incomplete == []


@pytest.mark.parametrize("role", ROLES)
def test_public_variables_start_with_the_roles_name(role: str) -> None:
    """A variable's name tells whose it is."""
    assert [name for name in read_options(role) if not name.startswith(f"{role}_")] == []


@pytest.mark.parametrize("role", ROLES)
def test_private_constants_start_with_underscore_and_the_roles_name(role: str) -> None:
    """Constants are marked as the role's own."""
    constants = read_yaml(PROJECT / "roles" / role / "vars/main.yml") or {}
    assert [name for name in constants if not name.lstrip("_").startswith(f"{role}_") or not name.startswith("_")] == []


@pytest.mark.parametrize("role", ROLES)
def test_registered_names_start_with_two_underscores_and_the_roles_name(role: str) -> None:
    """What a run finds out is marked as such."""
    assert [name for name in read_registered(role) if not name.startswith(f"__{role}_")] == []


@pytest.mark.parametrize("scenario", SCENARIOS)
@pytest.mark.parametrize("role", ROLES)
def test_role_has_the_scenario(role: str, scenario: str) -> None:
    """Every role is tried with its defaults and with all of them moved."""
    assert (PROJECT / "roles" / role / "molecule" / scenario / "molecule.yml").is_file()


@pytest.mark.parametrize("role", ROLES)
def test_default_scenario_sets_nothing(role: str) -> None:
    """The default scenario tries the defaults."""
    assert read_scenario_variables(role, "default") == {}


@pytest.mark.parametrize("role", ROLES)
def test_alternative_scenario_moves_every_default(role: str) -> None:
    """No variable is tried with its default only."""
    variables = read_scenario_variables(role, "alternative")
    unmoved = [name for name, value in read_defaults(role).items() if variables.get(name, value) == value]
    assert unmoved == []


@pytest.mark.parametrize("role", ROLES)
def test_role_has_specs(role: str) -> None:
    """What a role promises is tested: on servers, or in an account."""
    assert f"test_{role}.py" in SPECS


@pytest.mark.parametrize("role", ROLES)
def test_role_depends_on_no_other(role: str) -> None:
    """Playbooks compose; roles do not pull each other in."""
    assert read_yaml(PROJECT / "roles" / role / "meta/main.yml")["dependencies"] == []


@pytest.mark.parametrize("role", ROLES)
def test_task_list_is_a_table_of_contents(role: str) -> None:
    """tasks/main.yml names the parts and does nothing itself."""
    tasks = read_yaml(PROJECT / "roles" / role / "tasks/main.yml")
    assert {key for task in tasks for key in task} <= {"name", *FILES_OF_TASKS, "when"}


def test_golden_image_is_the_app_server_sealed() -> None:
    """A golden image has the roles of a server, in the same order, and the seal last."""
    assert read_play_roles("golden_image.yml") == [*read_play_roles("app_server.yml"), "golden_seal"]


def test_nothing_runs_behind_the_back_of_a_bake() -> None:
    """Upgrades, deployments and mounts begin on a server that was launched: whatever a role can leave stopped, a bake does."""
    (play,) = read_yaml(PROJECT / "playbooks/golden_image.yml")
    roles = read_play_roles("golden_image.yml")
    wanted = {option for role in roles for option in read_options(role) if option.endswith("_running")}
    assert {name: value for name, value in play["vars"].items() if name.endswith("_running")} == dict.fromkeys(
        wanted, False
    )


@pytest.mark.parametrize("playbook", ["app_server.yml", "golden_image.yml"])
def test_play_judges_the_settings_of_each_of_its_roles_before_the_first(playbook: str) -> None:
    """It tells the roles that it has done so, and then nobody else does."""
    (play,) = read_yaml(PROJECT / "playbooks" / playbook)
    assert play["vars"]["goldfleet_settings_are_judged"] is True
    tasks = [task for task in play["pre_tasks"] if "ansible.builtin.import_tasks" not in task]
    tasks += read_yaml(PROJECT / "playbooks/tasks/preflight.yml")
    judged = [task["ansible.builtin.import_role"] for task in tasks if "ansible.builtin.import_role" in task]
    assert {role["tasks_from"] for role in judged} == {"preflight"}
    assert sorted(role["name"] for role in judged) == sorted(read_play_roles(playbook))


@pytest.mark.parametrize("role", [role for role in ROLES if role != "aws_foundation"])
def test_role_judges_its_settings_first_unless_the_play_has(role: str) -> None:
    """By its argument specification Ansible refuses wrong types; the rest is preflight's."""
    first = read_yaml(PROJECT / "roles" / role / "tasks/main.yml")[0]
    assert first["ansible.builtin.include_tasks"] == "preflight.yml"
    assert first["when"] == "not goldfleet_settings_are_judged | default(false)"


@pytest.mark.parametrize("collection", sorted(read_collections()))
def test_collection_of_the_environment_is_in_range(collection: str) -> None:
    """What is tested here is what ansible-galaxy installs for a user."""
    assert read_installed_version(collection) in SpecifierSet(read_collections()[collection])


@pytest.mark.parametrize("role", [role for role in ROLES if role != "aws_foundation"])
def test_role_has_bad_settings_that_it_must_refuse(role: str) -> None:
    """What preflight judges is tried with bad input; aws_foundation's refusals need an account and are in tests/localcloud."""
    assert (PROJECT / "tests/functional/roles/settings" / f"{role}.yml").is_file()
