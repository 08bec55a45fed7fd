from pathlib import Path

import pytest

from goldfleet.bake.inputs import Tree, read_tree
from goldfleet.bake.run_folder import RunFolder, assemble, write_json
from goldfleet.config.reading import load_settings
from goldfleet.errors import RefusedError
from tests.doubles.project import make_project


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return make_project(tmp_path / "project")


@pytest.fixture
def tree(project: Path) -> Tree:
    return read_tree(project, load_settings(project).images["app"], [])


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    ("version", "template"),
    [
        ((1, 6, 6), {"variables.pkr.hcl", "build.pkr.hcl", "source_1_6.pkr.hcl"}),
        ((1, 7, 0), {"plugins.pkr.hcl", "variables.pkr.hcl", "source.pkr.hcl", "build.pkr.hcl"}),
        ((1, 11, 2), {"plugins.pkr.hcl", "variables.pkr.hcl", "source.pkr.hcl", "build.pkr.hcl"}),
    ],
    ids=["1.6", "1.7", "1.11"],
)
def test_template_is_laid_flat_for_the_version(
    tmp_path: Path, tree: Tree, version: tuple[int, ...], template: set[str]
) -> None:
    folder = RunFolder(tmp_path / "run")
    assemble(folder, tree, "packer", version)
    assert files_below(folder.packer) == template


def test_folder_holds_what_goes_in_and_nothing_else(tmp_path: Path, project: Path, tree: Tree) -> None:
    (project / "roles/web_stack/tasks/main.yml~").write_text("dropping")
    folder = RunFolder(tmp_path / "run")
    assemble(folder, tree, "packer", (1, 6, 6))
    outside_of_packer = {name for name in files_below(folder.path) if not name.startswith("packer/")}
    assert outside_of_packer == {
        "ansible.cfg",
        "requirements.yml",
        "playbooks/golden_image.yml",
        "playbooks/app_server.yml",
        "roles/base/tasks/main.yml",
        "roles/base/defaults/main.yml",
        "roles/web_stack/tasks/main.yml",
        "roles/web_stack/templates/nginx.conf.j2",
        "roles/web_common/tasks/main.yml",
        "roles/web_common/meta/main.yml",
        "roles/shared_storage/tasks/main.yml",
        "roles/golden_seal/tasks/main.yml",
        "roles/golden_seal/files/goldfleet-seal",
        "inventory/group_vars/app_servers.yml",
        "tests/fleet/test_web.py",
    }


def test_executable_bits_are_kept_and_the_folder_is_private(tmp_path: Path, tree: Tree) -> None:
    folder = RunFolder(tmp_path / "run")
    assemble(folder, tree, "packer", (1, 6, 6))
    assert (folder.path / "roles/golden_seal/files/goldfleet-seal").stat().st_mode & 0o777 == 0o755
    assert (folder.path / "ansible.cfg").stat().st_mode & 0o777 == 0o644
    assert folder.path.stat().st_mode & 0o777 == 0o700


def test_file_that_changed_since_it_was_read_is_refused(tmp_path: Path, project: Path, tree: Tree) -> None:
    (project / "roles/base/tasks/main.yml").write_text("other")
    with pytest.raises(RefusedError, match=r"roles/base/tasks/main\.yml changed while the bake was starting"):
        assemble(RunFolder(tmp_path / "run"), tree, "packer", (1, 6, 6))


def test_file_that_is_gone_since_it_was_read_is_refused(tmp_path: Path, project: Path, tree: Tree) -> None:
    (project / "roles/base/tasks/main.yml").unlink()
    with pytest.raises(RefusedError, match="No such file"):
        assemble(RunFolder(tmp_path / "run"), tree, "packer", (1, 6, 6))


def test_full_disk_is_refused_in_a_sentence() -> None:
    with pytest.raises(RefusedError, match=r"The run folder /dev could not be written: .*Free space or set rights"):
        write_json(Path("/dev/full"), {"x": "y" * 100_000})
