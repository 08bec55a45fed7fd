"""Kernel, mounts, network, names, and what the application's own programs say.

Two tests are expected to fail, one of them strictly, on purpose: every way must tell such results alike.
"""

from __future__ import annotations

import configparser
from typing import Any

import pytest

MOST_CHARACTERS = 1000
YEAR = 2026
SYSCTLS = {
    "net.ipv4.ip_local_port_range": "32768\t60999",
    "net.ipv4.tcp_syncookies": 1,
    "net.ipv4.tcp_keepalive_time": 7200,
    "net.ipv4.tcp_fin_timeout": 60,
}


@pytest.fixture(scope="module")
def settings(host: Any) -> configparser.SectionProxy:
    """The application's settings, which have no sections."""
    parser = configparser.ConfigParser()
    parser.read_string("[app]\n" + host.file("/opt/app/etc/app.conf").content_string)
    return parser["app"]


@pytest.mark.parametrize("name", SYSCTLS)
def test_kernel_setting(host: Any, name: str) -> None:
    assert host.sysctl(name) == SYSCTLS[name]


def test_cache_is_mounted(host: Any) -> None:
    mount = host.mount_point("/opt/app/cache")
    assert mount.exists
    assert mount.filesystem == "tmpfs"
    assert {"rw", "noexec", "nosuid"} <= set(mount.options)


def test_interfaces(host: Any) -> None:
    assert host.interface("lo").addresses == ["127.0.0.1", "::1"]
    assert host.interface("eth0").exists


def test_name_of_the_database(host: Any) -> None:
    assert host.addr("database.internal").ipv4_addresses == ["10.11.12.13"]


def test_host_is_called_what_its_file_says(host: Any) -> None:
    assert host.check_output("hostname") == host.file("/etc/hostname").content_string.strip()


def test_debian(host: Any) -> None:
    info = host.system_info
    assert (info.type, info.distribution, info.release.split(".")[0]) == ("linux", "debian", "12")


def test_clock_is_not_behind(host: Any) -> None:
    assert int(host.check_output("date +%Y")) >= YEAR


@pytest.mark.parametrize(("key", "value"), [("port", 8081), ("workers", 4)])
def test_setting(settings: configparser.SectionProxy, key: str, value: int) -> None:
    assert settings.getint(key) == value


def test_port_of_the_settings_is_open(host: Any, settings: configparser.SectionProxy) -> None:
    assert host.socket(f"tcp://0.0.0.0:{settings['port']}").is_listening


def test_version(host: Any) -> None:
    assert host.check_output("app-version") == "app 2.4.1"


def test_status(host: Any) -> None:
    status = host.run("/opt/app/bin/status")
    assert (status.rc, status.stdout, status.stderr) == (3, "queue: 0 waiting\n", "no warnings\n")


def test_report_is_short(host: Any) -> None:
    report = host.run("/opt/app/bin/report")
    assert report.rc == 0
    assert len(report.stdout) < MOST_CHARACTERS


def test_report_says_that_all_is_well(host: Any) -> None:
    assert "well" in host.check_output("/opt/app/bin/report")


def test_limits_one_by_one(host: Any, subtests: Any) -> None:
    for line in ("nofile 4096", "nproc 512"):
        with subtests.test(line):
            assert line in host.file("/opt/app/etc/limits.conf").content_string


@pytest.mark.xfail(reason="the new pool is not there yet")
def test_setting_that_is_to_come(host: Any) -> None:
    assert host.file("/opt/app/etc/app.conf").contains("pool = 2")


@pytest.mark.xfail(raises=AssertionError, strict=True, reason="the old release is still there")
def test_old_release_is_gone(host: Any) -> None:
    assert not host.file("/opt/app/releases/1").exists


@pytest.mark.live
def test_spool_takes_orders(host: Any) -> None:
    host.check_output("echo order > /opt/app/spool/order")
    assert host.file("/opt/app/spool/order").content_string == "order\n"
    host.check_output("rm /opt/app/spool/order")
    assert not host.file("/opt/app/spool/order").exists


def test_what_sounds_like_a_change_and_is_none(host: Any) -> None:
    assert host.run("touch --no-create /opt/app/none").rc == 0
    assert not host.file("/opt/app/none").exists
