"""What a bake keeps of the variables of its image, for whoever checks a server of it later."""

import json
from pathlib import Path

from goldfleet import tags
from goldfleet.bake.built_with import encode_built_with, read_defaults
from goldfleet.bake.run_folder import RunFolder
from goldfleet.verify.variables import decode_variables
from tests.doubles.project import make_project
from tests.doubles.world import Bakery


def run_folder(folder: Path, variables: dict[str, object], **defaults: str) -> RunFolder:
    (folder / "variables.json").write_text(json.dumps(variables))
    for role, text in defaults.items():
        path = folder / "roles" / role / "defaults" / "main.yml"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    return RunFolder(folder)


def kept_of(folder: RunFolder) -> dict[str, object]:
    kept = decode_variables(encode_built_with(folder))
    assert kept is not None
    return dict(kept.variables)


def test_defaults_of_every_role_are_kept_and_what_was_given_wins(tmp_path: Path) -> None:
    folder = run_folder(tmp_path, {"web_port": 81}, web="web_port: 80\nweb_root: /srv\n", base="base_x: [1]\n")
    assert kept_of(folder) == {"base_x": [1], "web_port": 81, "web_root": "/srv"}


def test_role_without_defaults_has_none(tmp_path: Path) -> None:
    assert read_defaults(run_folder(tmp_path, {}, web="---\n")) == {}


def test_texts_whose_names_say_secret_are_not_kept_but_switches_are(tmp_path: Path) -> None:
    given = {"db_password": "hunter2", "tls_private_key": ["x"], "sshd_password_authentication": False}
    assert kept_of(run_folder(tmp_path, given)) == {"sshd_password_authentication": False}


def test_bake_keeps_the_variables_with_the_image(tmp_path: Path) -> None:
    bakery = Bakery(make_project(tmp_path))
    outcome = bakery.bake(web_stack_domain="shop.example")
    kept = decode_variables(bakery.parameters.value(tags.variables_parameter("app", outcome.image_id)))
    assert kept is not None
    assert kept.variables["web_stack_domain"] == "shop.example"
    assert kept.variables["golden_seal_run"] == outcome.run


def test_path_of_the_baking_machine_is_not_kept(tmp_path: Path) -> None:
    given: dict[str, object] = {
        "golden_seal_copy_folder": "/home/ann/project/.goldfleet/reports/x",
        "golden_seal_run": "x",
    }
    assert kept_of(run_folder(tmp_path, given)) == {"golden_seal_run": "x"}
