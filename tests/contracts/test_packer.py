"""Contracts of packer/: both source blocks alike, both layouts valid, every variable explained, nothing after the check."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from goldfleet.bake.inputs import read_tree
from goldfleet.bake.run_folder import FIRST_MODERN_PACKER, RunFolder, assemble
from goldfleet.config.reading import load_settings

PROJECT = Path(__file__).resolve().parents[2]
PACKER = PROJECT / "packer"
COMPAT, MODERN = (1, 6, 6), FIRST_MODERN_PACKER
ONLY_MODERN = {"imds_support", "metadata_options", "http_endpoint", "http_tokens", "http_put_response_hop_limit"}
ONLY_COMPAT = {
    "custom_endpoint_ec2",
    "skip_region_validation",
    "skip_credential_validation",
    "skip_metadata_api_check",
}
FILES = sorted(str(path.relative_to(PACKER)) for path in PACKER.rglob("*.pkr.hcl"))
SHIELDED = {
    "AWS_ACCESS_KEY_ID": "contract-test-key",
    "AWS_SECRET_ACCESS_KEY": "contract-test-secret",
    "AWS_DEFAULT_REGION": "us-west-2",
    "CHECKPOINT_DISABLE": "1",
    "PKR_VAR_skip_region_validation": "true",
    "PKR_VAR_skip_credential_validation": "true",
    "PKR_VAR_skip_metadata_api_check": "true",
}


def read_blocks(name: str, kind: str) -> dict[str, str]:
    """Return the bodies of a file's top-level blocks of a kind, by their last label."""
    text = (PACKER / name).read_text(encoding="utf-8")
    found = re.findall(rf'^{kind} (?:"[^"]*" )?"([^"]*)" {{\n(.*?)^}}', text, re.MULTILINE | re.DOTALL)
    return dict(found)


def read_source(name: str) -> list[str]:
    """Return the lines of a file's source block without alignment, braces and blank lines."""
    (body,) = read_blocks(name, "source").values()
    lines = (re.sub(r"\s+", " ", line).strip() for line in body.splitlines())
    return [line for line in lines if line not in ("", "}")]


def list_variables() -> list[tuple[str, str]]:
    """Return (file, variable) for every variable of packer/."""
    return [(name, variable) for name in FILES for variable in read_blocks(name, "variable")]


def without(lines: list[str], names: set[str]) -> list[str]:
    """Return the lines that set or open none of the named things."""
    return [line for line in lines if line.split(" ")[0] not in names]


def assembled(folder: Path, version: tuple[int, ...]) -> str:
    """Return the packer folder of a run folder that goldfleet bake assembles from this project for a Packer."""
    _, settings = load_settings(PROJECT).pick_image(None)
    run = RunFolder(folder / "run")
    assemble(run, read_tree(PROJECT, settings, []), settings.packer, version)
    return str(run.packer)


def run_packer(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Packer without any of the caller's AWS settings; its Ansible is the one beside this Python.

    Packer's ansible provisioner needs ansible-playbook on PATH even to validate.
    """
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "PKR_"))}
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment.update(SHIELDED, HOME=str(home), PATH=path)
    return subprocess.run(["packer", *arguments], env=environment, capture_output=True, text=True, check=False)


def test_both_source_blocks_are_alike_but_for_the_named_exceptions() -> None:
    """A change of one block must reach the other."""
    modern = without(read_source("source.pkr.hcl"), ONLY_MODERN)
    compat = without(read_source("compat/source_1_6.pkr.hcl"), ONLY_COMPAT)
    assert modern == compat


@pytest.mark.parametrize("setting", ['imds_support = "v2.0"', 'http_tokens = "required"'])
def test_modern_builder_and_image_demand_imdsv2(setting: str) -> None:
    """Neither the builder nor servers of the image answer IMDSv1."""
    assert setting in read_source("source.pkr.hcl")


@pytest.mark.parametrize("variable", sorted(ONLY_COMPAT - {"custom_endpoint_ec2"}))
def test_switch_for_other_endpoints_is_off_by_default(variable: str) -> None:
    """Against AWS everything is validated."""
    assert re.search(r"default\s+= false", read_blocks("compat/source_1_6.pkr.hcl", "variable")[variable])


@pytest.mark.parametrize("attribute", ["type", "description", "default"])
@pytest.mark.parametrize(("name", "variable"), list_variables())
def test_variable_has(name: str, variable: str, attribute: str) -> None:
    """Every variable says what it is, and a plain `packer build packer` needs none."""
    assert re.search(rf"^  {attribute}\s+= \S", read_blocks(name, "variable")[variable], re.MULTILINE)


@pytest.mark.parametrize("name", ["secret", "password", "access_key", "token"])
def test_no_variable_takes_credentials(name: str) -> None:
    """Credentials come the standard way, never as variables."""
    assert [variable for _, variable in list_variables() if name in variable] == []


def test_seal_check_is_the_last_provisioner() -> None:
    """Nothing after the seal changes the image."""
    text = (PACKER / "build.pkr.hcl").read_text(encoding="utf-8")
    last = text.rpartition("provisioner ")[2]
    assert re.match(r'"shell" {\n    inline\s+= \["sudo goldfleet-seal --check"\]\n', last)


def test_compat_layout_is_valid(tmp_path: Path) -> None:
    """Packer 1.6 accepts what goldfleet bake assembles for it."""
    seen = run_packer(tmp_path, "validate", assembled(tmp_path, COMPAT))
    assert (seen.returncode, seen.stdout + seen.stderr) == (0, seen.stdout + seen.stderr)


def test_compat_layout_refuses_a_bad_name_with_a_sentence(tmp_path: Path) -> None:
    """A wrong variable is told by what would be right."""
    seen = run_packer(tmp_path, "validate", "-var", "image=Web Shop", assembled(tmp_path, COMPAT))
    assert "The image needs a name of 1 to 63 lower-case letters" in seen.stdout + seen.stderr


def test_packer_1_6_refuses_the_modern_layout(tmp_path: Path) -> None:
    """The reason for the second layout still holds; once it does not, compat/ can go."""
    seen = run_packer(tmp_path, "validate", assembled(tmp_path, MODERN))
    assert "required_plugins" in seen.stdout + seen.stderr


@pytest.mark.parametrize("name", FILES)
def test_file_is_formatted(name: str, tmp_path: Path) -> None:
    """`packer fmt` would change nothing."""
    copy = tmp_path / Path(name).name
    shutil.copy(PACKER / name, copy)
    assert run_packer(tmp_path, "fmt", "-check", str(copy)).returncode == 0
