"""Files that the CodeDeploy agent deployed: goldfleet-seal takes them by the agent's own lists, and nothing else by mistake."""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FILES = Path(__file__).resolve().parents[3] / "roles/golden_seal/files"
PROGRAM = FILES / "goldfleet-seal"
ROOT = "opt/codedeploy-agent/deployment-root"
GROUP = "0f3a8c52-7e1d-4b7a-9a57-3f1f7c8d2e11"
SITE = ("/srv/site", "/srv/site/css", "/srv/site/css/main.css", "/srv/site/index.html")


def plant(image: Path, path: str, text: str = "planted\n") -> Path:
    """Write a file into the image."""
    file = image / path.lstrip("/")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text, encoding="utf-8")
    return file


def deploy(image: Path, *paths: str, record: tuple[str, ...] = (), root: str = ROOT, end: str = "\n") -> None:
    """Leave what the agent leaves after a deployment that made these paths."""
    instructions = f"{root}/deployment-instructions/{GROUP}"
    plant(image, f"{instructions}-cleanup", "\n".join(paths) + end)
    copies = [{"type": "copy", "source": f"{root}/x", "destination": path} for path in record]
    plant(image, f"{instructions}-install.json", json.dumps({"instructions": copies}))
    plant(image, f"{instructions}_last_successful_install", "/x/d-ABC")
    plant(image, f"{root}/{GROUP}/d-ABC/deployment-archive/appspec.yml")


def run_seal(image: Path, *options: str) -> subprocess.CompletedProcess[str]:
    """Run the program on the image."""
    command = [str(PROGRAM), "--root", str(image), *options]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def find_left(image: Path) -> list[tuple[str, str]]:
    """Return (kind, path) of what the check finds, the agent's own state left out."""
    left = json.loads(run_seal(image, "--check", "--json").stdout)["left"]
    return [(one["kind"], one["path"]) for one in left if one["kind"] != "agent state"]


def files_in(image: Path, folder: str) -> list[str]:
    """Return every path below a folder of the image."""
    return sorted(path.relative_to(image / folder).as_posix() for path in (image / folder).rglob("*"))


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """A sealed image with a package that owns two files."""
    plant(tmp_path, "etc/passwd", "root:x:0:0::/root:/bin/sh\n")
    plant(tmp_path, "var/lib/dpkg/info/web.list", "/.\n/srv\n/srv/shipped.html\n/lib/web/x\n")
    return tmp_path


@pytest.fixture
def site(image: Path) -> Path:
    """The image with a site that was deployed."""
    for path in SITE[2:]:
        plant(image, path)
    deploy(image, *SITE)
    return image


def test_deployed_files_are_reported_one_by_one_in_reverse_order(site: Path) -> None:
    """As the agent removes them: last line first, so that folders are empty when their turn comes."""
    assert find_left(site) == [("deployed file", path) for path in reversed(SITE)]


def test_deployed_files_and_state_go_together(site: Path) -> None:
    """Either alone would fail every deployment on a launched server."""
    assert (run_seal(site).returncode, (site / "srv/site").exists(), files_in(site, ROOT)) == (0, False, [])


def test_state_of_the_agent_is_a_leftover_without_any_deployed_file(image: Path) -> None:
    """A list whose files are gone still belongs to the builder."""
    deploy(image, *SITE)
    assert (find_left(image), run_seal(image, "--check").returncode) == ([], 6)
    assert (run_seal(image).returncode, files_in(image, ROOT)) == (0, [])


def test_what_was_not_deployed_stays(site: Path) -> None:
    """A folder with a file that somebody uploaded is not the agent's alone."""
    plant(site, "srv/site/css/upload.css")
    assert (run_seal(site).returncode, files_in(site, "srv/site")) == (0, ["css", "css/upload.css"])


def test_deployed_link_goes_and_its_target_stays(image: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The link is what was deployed."""
    outside = plant(tmp_path_factory.mktemp("outside"), "photo.jpg")
    (image / "srv").mkdir(exist_ok=True)
    (image / "srv/photo.jpg").symlink_to(outside)
    deploy(image, "/srv/photo.jpg")
    assert (run_seal(image).returncode, (image / "srv/photo.jpg").is_symlink(), outside.exists()) == (0, False, True)


def test_deployed_link_to_a_folder_goes_and_the_folder_stays(
    image: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A link is unlinked, whatever it leads to."""
    outside = plant(tmp_path_factory.mktemp("outside"), "photo.jpg")
    (image / "srv").mkdir(exist_ok=True)
    (image / "srv/media").symlink_to(outside.parent)
    deploy(image, "/srv/media")
    assert (run_seal(image).returncode, (image / "srv/media").is_symlink(), outside.exists()) == (0, False, True)


def test_shared_files_behind_a_link_are_not_touched_and_the_link_is_named(
    image: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """The list names /var/www/x/media/85.jpg, and media has become a link to the share since: the share keeps its file."""
    share = plant(tmp_path_factory.mktemp("share"), "85.jpg")
    plant(image, "var/www/x/index.html")
    (image / "var/www/x/media").symlink_to(share.parent)
    deploy(image, "/var/www/x/media/85.jpg", "/var/www/x/index.html")
    assert find_left(image)[-1] == ("link or share in the way (deployed file)", "/var/www/x/media")
    seen = run_seal(image)
    assert (seen.returncode, share.read_text(encoding="utf-8")) == (6, "planted\n")
    assert not (image / "var/www/x/index.html").exists()


def test_state_stays_while_a_deployed_file_does(image: Path) -> None:
    """Without its list nobody would know the file any more, and a second check would find nothing."""
    (image / "var/www").mkdir(parents=True)
    (image / "var/www/media").symlink_to("/nowhere")
    deploy(image, "/var/www/media/85.jpg")
    run_seal(image)
    assert run_seal(image, "--check").returncode == 6
    assert find_left(image) == [("link or share in the way (deployed file)", "/var/www/media")]


def test_file_outside_of_applications_goes_when_both_records_name_it(image: Path) -> None:
    """An application may well bring its site's configuration."""
    plant(image, "etc/nginx/sites-enabled/shop.conf")
    deploy(image, "/etc/nginx/sites-enabled/shop.conf", record=("/etc/nginx/sites-enabled/shop.conf",))
    assert (run_seal(image).returncode, (image / "etc/nginx/sites-enabled/shop.conf").exists()) == (0, False)


def test_damaged_list_does_not_take_the_system_away(image: Path) -> None:
    """No package owns /etc/passwd; the agent's other record does not know it."""
    deploy(image, "/etc/passwd")
    assert run_seal(image).returncode == 6
    assert find_left(image) == [("deployed file, outside of applications and in one list only", "/etc/passwd")]
    assert (image / "etc/passwd").read_text(encoding="utf-8").startswith("root:")


@pytest.mark.parametrize("path", ["/srv/shipped.html", "/usr/lib/web/x"])
def test_file_of_a_package_stays_and_is_reported(image: Path, path: str) -> None:
    """Both records may name it: a package would be broken without it. /usr/lib is what dpkg calls /lib."""
    file = plant(image, path)
    deploy(image, path, record=(path,))
    assert (run_seal(image).returncode, find_left(image)) == (6, [("deployed file, of a package", path)])
    assert file.is_file()


@pytest.mark.parametrize("line", ["srv/site/x", "/srv/../etc/passwd", "/", "//srv/site", "/srv/./x", "~/x"])
def test_line_that_is_no_clean_path_is_refused(image: Path, line: str) -> None:
    """What cannot be a path that the agent wrote is not followed."""
    plant(image, "srv/site/x")
    deploy(image, line)
    assert (run_seal(image).returncode, find_left(image)) == (6, [("deployed file, no path", line)])
    assert (image / "srv/site/x").is_file()


def test_slash_at_the_end_is_the_same_folder(image: Path) -> None:
    """An AppSpec may name its destination so."""
    (image / "srv/site").mkdir(parents=True)
    deploy(image, "/srv/site/")
    assert (run_seal(image).returncode, (image / "srv/site").exists()) == (0, False)


def test_last_line_without_its_end_is_not_read(image: Path) -> None:
    """A list that was cut names something else; the agent drops that line too."""
    plant(image, "srv/site")
    deploy(image, "/srv/gone", "/srv/site", end="")
    assert (run_seal(image).returncode, (image / "srv/site").is_file()) == (0, True)


def test_lines_of_selinux_are_not_paths(image: Path) -> None:
    """The agent keeps other things in its list than paths."""
    plant(image, "srv/site")
    deploy(image, "semanage\0/srv/site", "", "/srv/gone")
    assert (run_seal(image).returncode, (image / "srv/site").is_file()) == (0, True)


@pytest.mark.parametrize("text", ["", "no json {", "[1, null]"])
def test_second_record_that_cannot_be_read_confirms_nothing(image: Path, text: str) -> None:
    """Half a record is no record."""
    deploy(image, "/etc/passwd")
    plant(image, f"{ROOT}/deployment-instructions/{GROUP}-install.json", text)
    assert find_left(image) == [("deployed file, outside of applications and in one list only", "/etc/passwd")]


@pytest.mark.parametrize("key", [":root_dir:", "root_dir:"])
def test_moved_state_is_found_by_the_agents_configuration(image: Path, key: str) -> None:
    """Both majors' ways to write the key; beside the state lies what is not the agent's."""
    plant(image, "etc/codedeploy-agent/conf/codedeployagent.yml", f"---\n{key} '/data/codedeploy'\n")
    plant(image, "data/codedeploy/notes.txt")
    plant(image, "srv/page.html")
    deploy(image, "/srv/page.html", root="data/codedeploy")
    assert (run_seal(image).returncode, files_in(image, "data/codedeploy")) == (0, ["notes.txt"])
    assert not (image / "srv/page.html").exists()


def test_renamed_state_in_moved_folders_is_found_by_the_agents_configuration(image: Path) -> None:
    """The program, with its logs and process id, and the folder of running deployments may have other names."""
    names = ":program_name: our-agent\n:ongoing_deployment_tracking: 'under-way'\n"
    moved = ":root_dir: /data/codedeploy\n:log_dir: /data/logs\n:pid_dir: /data/pids\n"
    plant(image, "etc/codedeploy-agent/conf/codedeployagent.yml", f"---\n{moved}{names}")
    for path in ("codedeploy/under-way/d-ABC", "logs/our-agent.log.20261127", "pids/our-agent.pid", "logs/nginx.log"):
        plant(image, f"data/{path}")
    assert (run_seal(image).returncode, files_in(image, "data")) == (
        0,
        ["codedeploy", "logs", "logs/nginx.log", "pids"],
    )


@pytest.mark.parametrize("folder", ["/", "/var", "/var/../etc", "relative", "/data/*"])
def test_nonsense_in_the_agents_configuration_moves_nothing(image: Path, folder: str) -> None:
    """A folder of the system is not the agent's, whatever its configuration says."""
    plant(image, "etc/codedeploy-agent/conf/codedeployagent.yml", f":root_dir: {folder}\n:log_dir: {folder}\n")
    for path in ("var/deployment-logs", "etc/deployment-logs", "deployment-logs", "data/x/deployment-logs"):
        plant(image, path)
    assert (run_seal(image, "--check").returncode, run_seal(image, "--check").stdout) == (0, "goldfleet-seal: sealed\n")


PLACES = [
    f"{top}{first}{second}"
    for top in ("/srv/a", "/srv/b", "/etc/a")
    for first in ("", "/a", "/b")
    for second in ("", "/a", "/b")
]
LINKS = ("/srv", "/srv/a", "/srv/b", "/etc/a", "OUTSIDE", "OUTSIDE/a", "/nowhere")


@pytest.fixture
def parts(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The program's parts, importable."""
    monkeypatch.syspath_prepend(str(FILES))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    return importlib.import_module("goldfleet_seal.deployed")


def build(image: Path, outside: Path, nodes: dict[str, str]) -> None:
    """Make files and links as drawn; what has no room, since something else is in its way, is left out."""
    for path, kind in nodes.items():
        place = image / path[1:]
        if any(parent.is_symlink() for parent in place.parents) or os.path.lexists(place):
            continue
        if any(parent.is_file() for parent in place.parents):
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if kind == "file":
            place.write_text(path)
        elif kind == "folder":
            place.mkdir()
        else:
            target = kind.replace("OUTSIDE", str(outside))
            place.symlink_to(target if target.startswith(str(outside)) else f"{image}{target}")


def entries(folder: Path) -> dict[str, str]:
    """Return what is below a folder, by path from it; links are not followed."""
    found = {}
    for above, folders, files in os.walk(folder):
        for name in [*folders, *files]:
            path = Path(above) / name
            kind = "link" if path.is_symlink() else "folder" if path.is_dir() else "file"
            found["/" + path.relative_to(folder).as_posix()] = kind
    return found


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    nodes=st.dictionaries(st.sampled_from(PLACES), st.sampled_from(["file", "file", "folder", *LINKS]), max_size=12),
    lines=st.lists(st.sampled_from([*PLACES, "/srv", "/etc"]), max_size=15),
)
def test_exactly_the_listed_files_of_applications_go(
    parts: ModuleType, nodes: dict[str, str], lines: list[str]
) -> None:
    """Whatever the list says and wherever links lead: nothing unlisted goes, nothing outside, nothing of the system."""
    tree_module = importlib.import_module("goldfleet_seal.tree")
    here = os.getcwd()
    with tempfile.TemporaryDirectory() as folder:
        top = Path(folder).resolve()
        image, outside = top / "image", top / "outside"
        plant(outside, "a/a")
        build(image, outside, nodes)
        deploy(image, *lines)
        before, before_outside = entries(image), entries(outside)
        tree = tree_module.Tree(str(image))
        try:
            for leftover in parts.find_deployed(tree):
                tree.undo(leftover)
        finally:
            os.chdir(here)
        gone = {path: kind for path, kind in before.items() if path not in entries(image)}
        assert entries(outside) == before_outside
    assert gone.keys() <= set(lines)
    assert [path for path in gone if not path.startswith("/srv/")] == []
    # A link that another line leads through is reported and stays: it was a folder when the list was written.
    through = {str(parent) for path in lines for parent in Path(path).parents if before.get(str(parent)) == "link"}
    listed = {path for path in lines if before.get(path) in ("file", "link") and path.startswith("/srv/")}
    assert listed - through <= gone.keys()


def test_listed_folders_go_when_they_are_empty_then(image: Path) -> None:
    """The example behind the property: a folder goes with its last listed file."""
    plant(image, "srv/a/b/c")
    deploy(image, "/srv/a", "/srv/a/b", "/srv/a/b/c")
    assert (run_seal(image).returncode, files_in(image, "srv")) == (0, [])
