"""Packages of the application and of the image. One test skips itself on purpose: every way must tell a skip alike."""

from __future__ import annotations

from typing import Any

import pytest

APP = ("app-tools", "app-docs", "app-agent", "app-client")


@pytest.mark.parametrize("name", [*APP, "sudo", "procps", "openssh-server"])
def test_is_installed(host: Any, name: str) -> None:
    assert host.package(name).is_installed


@pytest.mark.parametrize("name", APP)
def test_version(host: Any, name: str) -> None:
    assert host.package(name).version == "2.4-1"


@pytest.mark.parametrize("name", APP)
def test_is_neither_held_nor_half_configured(host: Any, name: str) -> None:
    assert host.check_output("dpkg-query --show --showformat '${db:Status-Abbrev}' %s", name) == "ii "


@pytest.mark.parametrize("name", APP)
def test_settings_of_a_package(host: Any, name: str) -> None:
    assert host.file(f"/etc/{name}/{name}.conf").content_string == "on\n"


def test_dpkg_has_nothing_to_say(host: Any) -> None:
    assert host.run("dpkg --audit").stdout == ""


@pytest.mark.parametrize("name", ["telnetd", "nis"])
def test_is_not_installed(host: Any, name: str) -> None:
    assert not host.package(name).is_installed


def test_packages_of_another_distribution(host: Any) -> None:
    if host.system_info.distribution == "debian":
        pytest.skip("Debian has no RPMs")
    assert host.package("bash").release
