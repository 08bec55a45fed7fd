"""Files, folders and links of the application."""

from __future__ import annotations

import datetime
import json
from typing import Any

import pytest

RIGHTS = {
    "/opt/app": (0o755, "app", "app"),
    "/opt/app/etc": (0o750, "root", "app"),
    "/opt/app/etc/app.conf": (0o640, "root", "app"),
    "/opt/app/etc/features.json": (0o640, "root", "app"),
    "/opt/app/etc/greeting.txt": (0o644, "root", "app"),
    "/opt/app/etc/it's a queue.conf": (0o640, "root", "app"),
    "/opt/app/etc/limits.conf": (0o644, "root", "app"),
    "/opt/app/etc/secret.key": (0o600, "app", "app"),
    "/opt/app/log": (0o2770, "app", "adm"),
    "/opt/app/share/orders": (0o620, "app", "app"),
    "/opt/app/share/words": (0o644, "app", "app"),
    "/opt/app/spool": (0o1777, "app", "app"),
    "/opt/app/bin/report": (0o755, "root", "root"),
    "/etc/systemd/system/app-web.service": (0o644, "root", "root"),
}
DIGESTS = {
    "/opt/app/etc/app.conf": "2cdea4ae3b2575d1",
    "/opt/app/etc/features.json": "eadb9aec1e95b862",
    "/opt/app/etc/it's a queue.conf": "4cb406d332c76732",
    "/opt/app/etc/limits.conf": "8ff72daa4d9b7203",
    "/opt/app/share/banner.bin": "71189f7fb6aed638",
    "/opt/app/share/words": "b6285c57e8797db5",
    "/opt/app/releases/1/index": "6251e5743b6fd6a7",
    "/opt/app/releases/2/index": "437d3c7d69e16086",
}
"""The first letters of each file's SHA-256."""
LINKS = {
    "/opt/app/current": "/opt/app/releases/2",
    "/opt/app/share/app.conf": "/opt/app/etc/app.conf",
    "/usr/local/bin/app-version": "/opt/app/bin/version",
}
TIMES = {"/opt/app/share/words": (2024, 2, 29, 12), "/opt/app/etc/limits.conf": (2025, 1, 1, 0)}


@pytest.mark.parametrize("path", RIGHTS)
def test_mode(host: Any, path: str) -> None:
    assert oct(host.file(path).mode) == oct(RIGHTS[path][0])


@pytest.mark.parametrize("path", RIGHTS)
def test_owner(host: Any, path: str) -> None:
    file = host.file(path)
    assert (file.user, file.group) == RIGHTS[path][1:]


@pytest.mark.parametrize("path", DIGESTS)
def test_content_is_what_was_installed(host: Any, path: str) -> None:
    assert host.file(path).sha256sum.startswith(DIGESTS[path])


@pytest.mark.parametrize("path", DIGESTS)
def test_is_a_plain_file(host: Any, path: str) -> None:
    file = host.file(path)
    assert file.is_file
    assert not file.is_symlink


@pytest.mark.parametrize("path", LINKS)
def test_link(host: Any, path: str) -> None:
    file = host.file(path)
    assert file.is_symlink
    assert file.linked_to == LINKS[path]


@pytest.mark.parametrize("path", TIMES)
def test_was_changed_when_it_was_released(host: Any, path: str) -> None:
    seen = host.file(path).mtime.astimezone(datetime.UTC)
    assert (seen.year, seen.month, seen.day, seen.hour) == TIMES[path]


@pytest.mark.parametrize("line", ["port = 8081", "mode = production", "^workers = 4$"])
def test_line_of_the_settings(host: Any, line: str) -> None:
    assert host.file("/opt/app/etc/app.conf").contains(line)


def test_letters_beyond_ascii(host: Any) -> None:
    assert host.file("/opt/app/etc/greeting.txt").content_string == "Grüße, señor — 日本\n"


def test_search_is_on(host: Any) -> None:
    assert json.loads(host.file("/opt/app/etc/features.json").content)["feature"]["search"] is True


def test_words_in_order(host: Any) -> None:
    assert host.file("/opt/app/share/words").content_string.splitlines() == ["one", "two", "three"]


def test_banner_has_its_size(host: Any) -> None:
    assert host.file("/opt/app/share/banner.bin").size == 65536


def test_sign_of_readiness_is_empty(host: Any) -> None:
    assert host.file("/opt/app/share/ready").content == b""


def test_orders_come_by_a_pipe(host: Any) -> None:
    assert host.file("/opt/app/share/orders").is_pipe


def test_share_has_nothing_else(host: Any) -> None:
    assert sorted(host.file("/opt/app/share").listdir()) == ["app.conf", "banner.bin", "orders", "ready", "words"]


def test_nothing_is_logged(host: Any) -> None:
    assert host.file("/opt/app/log").listdir() == []


@pytest.mark.parametrize("path", ["/opt/app/etc/debug.conf", "/opt/app/maintenance", "/root/.netrc"])
def test_is_not_there(host: Any, path: str) -> None:
    assert not host.file(path).exists
