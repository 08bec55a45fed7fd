from pathlib import Path

from goldfleet.bake.packer_variables import BuildFacts, ansible_variables, packer_variables
from goldfleet.bake.run_folder import RunFolder
from goldfleet.config.settings import ImageSettings

FACTS = BuildFacts("app", "run-1", "ami-1", "f" * 64, "abc", "2026-11-23T16:15:30Z")


def test_ansible_gets_the_images_variables_and_the_seals() -> None:
    assert ansible_variables(ImageSettings(variables={"x": [1]}), FACTS, "/p/.goldfleet/reports/run-1") == {
        "x": [1],
        "golden_seal_image": "app",
        "golden_seal_run": "run-1",
        "golden_seal_commit": "abc",
        "golden_seal_source_ami": "ami-1",
        "golden_seal_fingerprint": "f" * 64,
        "golden_seal_copy_folder": "/p/.goldfleet/reports/run-1",
    }


def test_paths_with_template_marks_reach_packer_as_they_are() -> None:
    variables = packer_variables(ImageSettings(), FACTS, RunFolder(Path("/a/${b}/%{c}")), "key", "sg-1")
    assert variables["project_root"] == "/a/$${b}/%%{c}"
    assert variables["security_group_id"] == "sg-1"


def test_subnet_is_passed_only_when_it_is_set() -> None:
    folder = RunFolder(Path("/run"))
    assert "subnet_id" not in packer_variables(ImageSettings(), FACTS, folder, "key", "sg-1")
    with_subnet = packer_variables(ImageSettings(subnet_id="subnet-12345678"), FACTS, folder, "key", "sg-1")
    assert with_subnet["subnet_id"] == "subnet-12345678"
