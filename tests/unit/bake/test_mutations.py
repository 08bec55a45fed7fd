"""The project's own tree, changed one thing at a time: what goes into the image counts, nothing else does.

Which files go in is worked out here a second time, in the test's own words, so that a file that the code forgets shows.
"""

import shutil
from pathlib import Path, PurePosixPath

import pytest

from goldfleet.bake.inputs import build_inputs, read_tree
from goldfleet.config.overrides import parse_variables, with_variables
from goldfleet.config.reading import load_settings

PROJECT = Path(__file__).resolve().parents[3]
COPIED = ("roles", "playbooks", "packer", "inventory", "tests/fleet")
SINGLE = ("goldfleet.toml", "ansible.cfg", "requirements.yml", "README.md", "CONTRIBUTING.md", "pyproject.toml")
ROLES = (
    "base",
    "app_settings",
    "database_client",
    "cache_client",
    "shared_storage",
    "web_stack",
    "codedeploy_agent",
    "golden_seal",
)
GOES_IN = ("playbooks/tasks", "roles", "packer", "inventory/group_vars", "tests/fleet")
ABOUT = ("molecule", "docs", "README.md", "manifest.json")
SMALL_CHANGE = b"# changed\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("project")
    for name in COPIED:
        shutil.copytree(PROJECT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in SINGLE:
        if (PROJECT / name).exists():
            shutil.copy(PROJECT / name, copy / name)
    return copy


def fingerprint_of(
    project: Path, ami: str = "ami-1", *, architecture: str = "x86_64", var: tuple[str, ...] = ()
) -> str:
    settings = with_variables(load_settings(project).images["app"], parse_variables(var))
    return build_inputs(read_tree(project, settings, []), architecture, ami).fingerprint


def goes_in(path: PurePosixPath) -> bool:
    """Say whether a file of this project is part of the image `app`."""
    if not set(ABOUT).isdisjoint(path.parts) or path.name == ".gitkeep":
        return False
    if path.parts[0] == "roles":
        return path.parts[1] in ROLES
    single = ("playbooks/golden_image.yml", "ansible.cfg", "requirements.yml")
    return str(path) in single or any(str(path).startswith(f"{folder}/") for folder in GOES_IN)


def test_each_file_counts_exactly_when_it_goes_in(project: Path) -> None:
    before = fingerprint_of(project)
    files = sorted(path for path in project.rglob("*") if path.is_file() and path.name != "goldfleet.toml")
    false_hits, false_misses, counted = [], [], 0
    for path in files:
        relative = PurePosixPath(path.relative_to(project).as_posix())
        content = path.read_bytes()
        path.write_bytes(content + SMALL_CHANGE)
        is_seen = fingerprint_of(project) != before
        path.write_bytes(content)
        counted += is_seen
        if goes_in(relative) and not is_seen:
            false_hits.append(str(relative))
        if is_seen and not goes_in(relative):
            false_misses.append(str(relative))
    assert (false_hits, false_misses) == ([], [])
    assert counted >= 30, "the tree that is changed is the real one"
    assert fingerprint_of(project) == before


@pytest.mark.parametrize("role", ["base", "web_stack", "golden_seal"])
def test_file_added_to_a_role_counts(project: Path, role: str) -> None:
    before = fingerprint_of(project)
    added = project / "roles" / role / "files" / "added.txt"
    added.parent.mkdir(exist_ok=True)
    added.write_text("")
    after = fingerprint_of(project)
    added.unlink()
    assert after != before


def test_executable_bit_counts(project: Path) -> None:
    script = project / "roles" / "golden_seal" / "files" / "goldfleet-seal"
    mode, before = script.stat().st_mode, fingerprint_of(project)
    script.chmod(mode ^ 0o111)
    after = fingerprint_of(project)
    script.chmod(mode)
    assert after != before


def test_base_ami_architecture_and_variables_count(project: Path) -> None:
    fingerprints = [
        fingerprint_of(project),
        fingerprint_of(project, "ami-2"),
        fingerprint_of(project, architecture="arm64"),
        fingerprint_of(project, var=("web_stack_domain=example.org",)),
        fingerprint_of(project, var=("web_stack_domain=4",)),
        fingerprint_of(project, var=('web_stack_domain="4"',)),
        fingerprint_of(project, var=("another=1",)),
    ]
    assert len(set(fingerprints)) == len(fingerprints)
