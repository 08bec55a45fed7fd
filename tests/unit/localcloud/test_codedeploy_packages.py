"""The packages that stand in for AWS's: the same bytes everywhere, and Debian's own tools take them."""

from __future__ import annotations

import hashlib
import subprocess
from pathlib import Path

import pytest

from goldfleet.localcloud.codedeploy.packages import PACKAGES, Package, build_package

CHECKSUMS = {
    "codedeploy-agent_1.8.1-local2_all.deb": "9f162897e7e17a849c01604c2eb67b6f4a6e2231e77570d5808bd9fb3f4595d5",
    "codedeploy-agent_2.0.1-local1_amd64.deb": "f35a9a3410d0cbc18daa5837f9e5a59858b359a5c76244beb7afecce80a3bf72",
    "codedeploy-agent_2.0.1-local1_arm64.deb": "520e47d05a29fa5c8bfc0a02b477adbeee1fe90577d88b27b42dba107517023e",
}
"""What is pinned elsewhere. A package that changes needs a new revision, then a new line here."""


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_package_is_byte_for_byte_what_is_pinned(package: Package) -> None:
    assert hashlib.sha256(build_package(package)).hexdigest() == CHECKSUMS[package.name]


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_package_says_what_its_name_says(package: Package, tmp_path: Path) -> None:
    file = tmp_path / package.name
    file.write_bytes(build_package(package))
    said = subprocess.run(
        ["dpkg-deb", "--field", str(file), "Package", "Version", "Architecture"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    fields = [line.partition(": ")[2] for line in said.stdout.splitlines()]
    assert "_".join(fields) + ".deb" == package.name


@pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)
def test_everything_in_the_package_belongs_to_root(package: Package, tmp_path: Path) -> None:
    file = tmp_path / package.name
    file.write_bytes(build_package(package))
    listed = subprocess.run(["dpkg-deb", "--contents", str(file)], capture_output=True, text=True, check=True).stdout
    assert {line.split()[1] for line in listed.splitlines()} == {"root/root"}


@pytest.mark.parametrize(
    ("package", "services"),
    [
        (Package(1, "all"), ["-rwxr-xr-x ./etc/init.d/codedeploy-agent", "-rw-r--r-- ./etc/init.d/codedeploy-agent.service"]),
        (Package(2, "amd64"), ["-rw-r--r-- ./lib/systemd/system/codedeploy-agent.service"]),
    ],
)  # fmt: skip
def test_service_is_of_the_kind_that_awss_package_has(package: Package, services: list[str], tmp_path: Path) -> None:
    """Major 1 has no unit where systemd looks for one: what runs is made of its init script."""
    file = tmp_path / package.name
    file.write_bytes(build_package(package))
    listed = subprocess.run(["dpkg-deb", "--contents", str(file)], capture_output=True, text=True, check=True).stdout
    fields = [line.split() for line in listed.splitlines() if "/etc/init.d/" in line or "/systemd/" in line]
    assert [f"{mode} {path}" for mode, *_, path in fields if not path.endswith("/")] == services
