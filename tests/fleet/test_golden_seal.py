"""Promises of a server launched from a golden image: an identity of its own, and a manifest that says what it is."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pytest

pytestmark = pytest.mark.golden


@pytest.fixture(scope="module")
def launch(host: Any) -> dict[str, Any]:
    """What the cloud told cloud-init at this launch."""
    parsed: dict[str, Any] = json.loads(host.check_output("cat /run/cloud-init/instance-data.json"))
    return parsed


@pytest.fixture(scope="module")
def sbom(host: Any) -> dict[str, Any]:
    """The SBOM that the image brought along."""
    parsed: dict[str, Any] = json.loads(host.check_output("cat /usr/share/goldfleet/sbom.cdx.json"))
    return parsed


@pytest.fixture(scope="module")
def host_keys(host: Any) -> set[str]:
    """Fingerprints of the server's SSH host keys."""
    lines = host.check_output("for key in /etc/ssh/ssh_host_*_key.pub; do ssh-keygen -lf $key; done").splitlines()
    return {line.split()[1] for line in lines}


@pytest.mark.parametrize("fact", ["image", "run", "commit", "source_ami", "fingerprint"])
def test_manifest_names_the_bake(fact: str, manifest: dict[str, Any], variables: dict[str, Any]) -> None:
    """The manifest says which bake made the image; what the bake did not know is null."""
    assert manifest[fact] == (variables[f"golden_seal_{fact}"] or None)


@pytest.mark.parametrize("fact", ["built_at", "os", "packages", "enabled_units", "listening", "users", "roles"])
def test_manifest_has_the_fact(fact: str, manifest: dict[str, Any]) -> None:
    """The manifest says what the image is made of."""
    assert manifest[fact]


def test_seal_was_the_last_role(manifest: dict[str, Any]) -> None:
    """No role changed the image after the seal."""
    assert manifest["roles"][-1] == "golden_seal"


def test_packages_of_the_manifest_are_installed(manifest: dict[str, Any], installed_packages: set[str]) -> None:
    """The manifest tells the truth about packages; versions may have been upgraded since."""
    assert set(manifest["packages"]) - installed_packages == set()


def test_units_of_the_manifest_are_enabled(manifest: dict[str, Any], host: Any) -> None:
    """What was enabled in the image is enabled on the server."""
    lines = host.check_output("systemctl list-unit-files --state=enabled --no-legend --plain --no-pager").splitlines()
    assert set(manifest["enabled_units"]) - {line.split()[0] for line in lines} == set()


def test_ports_of_the_manifest_are_open(manifest: dict[str, Any], host: Any) -> None:
    """What listened in the image listens on the server, at the same addresses."""
    seen = {tuple(line.split()[column] for column in (0, 4)) for line in host.check_output("ss -Hlntu").splitlines()}
    wanted = {(one["protocol"], f"{one['address']}:{one['port']}") for one in manifest["listening"]}
    assert wanted - {(protocol, address.replace("%lo", "")) for protocol, address in seen} == set()


def test_users_of_the_manifest_are_there(manifest: dict[str, Any], host: Any) -> None:
    """Accounts are as they were in the image; a launch may add its login user."""
    fields = (line.split(":") for line in host.check_output("cat /etc/passwd").splitlines())
    seen = {(name, int(uid), int(gid), home, shell) for name, _, uid, gid, _, home, shell in fields}
    wanted = {(one["name"], one["uid"], one["gid"], one["home"], one["shell"]) for one in manifest["users"]}
    assert wanted - seen == set()


def test_no_user_of_the_manifest_has_a_password(manifest: dict[str, Any]) -> None:
    """A password in an image would open every server of the fleet."""
    assert [one["name"] for one in manifest["users"] if not one["password_locked"]] == []


def test_sbom_is_of_the_same_build(sbom: dict[str, Any], manifest: dict[str, Any]) -> None:
    """SBOM and manifest were written together."""
    described = sbom["metadata"]
    seen = (described["component"].get("version"), described["timestamp"].replace("+00:00", "Z"))
    assert (sbom["bomFormat"], *seen) == ("CycloneDX", manifest["run"], manifest["built_at"])


def test_sbom_has_exactly_the_packages_of_the_manifest(sbom: dict[str, Any], manifest: dict[str, Any]) -> None:
    """Each installed package is a component, in its version; source packages are listed besides."""
    binary = [one for one in sbom["components"] if not one["purl"].endswith("arch=source")]
    assert {one["name"]: one["version"] for one in binary} == manifest["packages"]


def test_server_has_host_keys(host_keys: set[str]) -> None:
    """The server made host keys at its launch."""
    assert host_keys


def test_manifest_knows_the_builders_host_keys(manifest: dict[str, Any]) -> None:
    """There is something to compare the server's host keys with."""
    assert manifest["identity"]["host_keys"]


def test_host_keys_are_not_the_builders(host_keys: set[str], manifest: dict[str, Any]) -> None:
    """No host key of the builder lives on."""
    assert host_keys & set(manifest["identity"]["host_keys"]) == set()


def test_server_has_a_machine_id(host: Any) -> None:
    """The server has a machine id: 32 hexadecimal digits."""
    assert len(bytes.fromhex(host.check_output("cat /etc/machine-id"))) == 16


def test_machine_id_is_not_the_builders(host: Any, manifest: dict[str, Any]) -> None:
    """The builder's machine id does not live on."""
    machine_id = host.check_output("cat /etc/machine-id")
    assert hashlib.sha256(machine_id.encode()).hexdigest() != manifest["identity"]["machine_id"]


def test_only_the_launch_key_lets_someone_in(host: Any, launch: dict[str, Any]) -> None:
    """Home folders hold the key pair of the launch and no other key, the bake's least of all."""
    found = host.run("cat /root/.ssh/authorized_keys* /home/*/.ssh/authorized_keys*").stdout.splitlines()
    given = {key.split()[1] for key in launch["v1"]["public_ssh_keys"]}
    assert [line for line in found if line and not any(key in line for key in given)] == []


def test_cloud_init_is_done(host: Any) -> None:
    """The launch ended without an error."""
    assert "status: done" in host.check_output("cloud-init status --wait")


def test_no_unit_has_failed(units: dict[str, tuple[str, str]]) -> None:
    """Everything that started at boot came up."""
    assert [unit for unit, (active, _) in units.items() if active == "failed"] == []


def test_status_tells_the_images_version(status: dict[str, Any], manifest: dict[str, Any]) -> None:
    """The version in /status is the bake that made the image."""
    assert (status["image"], status["version"]) == (manifest["image"], manifest["run"])


def test_status_names_the_instance(status: dict[str, Any], launch: dict[str, Any]) -> None:
    """On EC2 the ids in /status are the ones that the cloud gave."""
    seen = (status["instance_id"], status["image_id"])
    told = launch["ds"].get("meta-data") or launch["ds"].get("meta_data") or {}
    assert launch["v1"]["platform"] != "ec2" or seen == (told["instance-id"], told["ami-id"])
