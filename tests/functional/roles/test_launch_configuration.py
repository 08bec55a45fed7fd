"""The module launch_configuration of role aws_foundation: what it asks AWS for, and what it takes for the same."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import pytest

FILE = Path(__file__).resolve().parents[3] / "roles/aws_foundation/library/launch_configuration.py"
WANTED = {
    "image_id": "ami-0a", "instance_type": "t3.small", "key_name": "", "security_groups": ["sg-1"],
    "instance_profile": "goldfleet-web-server", "device_name": "/dev/xvda", "volume_size": 20,
}  # fmt: skip


@pytest.fixture(scope="module")
def module() -> Any:
    """The module's code, loaded as Ansible finds it: by its file."""
    spec = importlib.util.spec_from_file_location("launch_configuration", FILE)
    assert spec
    assert spec.loader
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def described(request: dict[str, Any]) -> dict[str, Any]:
    """Return how AWS describes what was asked for: with empty texts, and fields of its own."""
    return {"KeyName": "", "KernelId": "", "UserData": "", "LaunchConfigurationARN": "arn:x", **request}


def test_request_requires_imdsv2_and_encrypts(module: Any) -> None:
    request = module.build_request(WANTED)
    assert request["MetadataOptions"]["HttpTokens"] == "required"
    assert request["BlockDeviceMappings"][0]["Ebs"]["Encrypted"] is True
    assert "KeyName" not in request


def test_description_of_the_same_settings_is_the_same(module: Any) -> None:
    request = module.build_request(WANTED)
    assert module.has_settings(described(request), request)


def test_another_image_is_no_difference(module: Any) -> None:
    seen = described(module.build_request({**WANTED, "image_id": "ami-0b"}))
    assert module.has_settings(seen, module.build_request(WANTED))


@pytest.mark.parametrize(
    ("setting", "value"),
    [("instance_type", "t3.medium"), ("key_name", "web"), ("security_groups", ["sg-2"]), ("volume_size", 30)],
)
def test_another_setting_is_a_difference_both_ways(module: Any, setting: str, value: object) -> None:
    one, other = module.build_request(WANTED), module.build_request({**WANTED, setting: value})
    assert not module.has_settings(described(one), other)
    assert not module.has_settings(described(other), one)


def test_configuration_with_imdsv1_is_a_difference(module: Any) -> None:
    request = module.build_request(WANTED)
    assert not module.has_settings({**described(request), "MetadataOptions": {"HttpTokens": "optional"}}, request)


def test_name_is_the_same_for_the_same_content_and_another_for_other(module: Any) -> None:
    name = module.build_name("goldfleet-web", module.build_request(WANTED))
    assert name == module.build_name("goldfleet-web", module.build_request(dict(WANTED)))
    assert name.startswith("goldfleet-web-ami-0a-")
    assert name != module.build_name("goldfleet-web", module.build_request({**WANTED, "volume_size": 30}))
