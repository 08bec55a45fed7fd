"""Users and groups."""

from __future__ import annotations

from typing import Any

import pytest

USERS = {
    "app": (410, "app", "/opt/app", "/usr/sbin/nologin"),
    "deploy": (4101, "deploy", "/home/deploy", "/bin/bash"),
    "batch": (4102, "batch", "/home/batch", "/bin/sh"),
}


@pytest.fixture(params=sorted(USERS))
def name(request: pytest.FixtureRequest) -> str:
    """Each user."""
    return str(request.param)


def test_user(host: Any, name: str) -> None:
    user = host.user(name)
    assert user.exists
    assert (user.uid, user.group, user.home, user.shell) == USERS[name]


def test_home_belongs_to_its_user(host: Any, name: str) -> None:
    assert host.file(host.user(name).home).user == name


@pytest.mark.parametrize(
    ("name", "groups"), [("deploy", "adm app auditors deploy"), ("batch", "auditors batch"), ("app", "app")]
)
def test_groups_of_a_user(host: Any, name: str, groups: str) -> None:
    assert " ".join(sorted(host.user(name).groups)) == groups


@pytest.mark.parametrize(("name", "start"), [("deploy", "$6$"), ("batch", "*"), ("app", "!")])
def test_password(host: Any, name: str, start: str) -> None:
    assert host.user(name).password.startswith(start)


def test_real_name(host: Any) -> None:
    assert host.user("deploy").gecos == "Deploys; on call"


def test_no_account_ends(host: Any, name: str) -> None:
    assert host.user(name).expiration_date is None


@pytest.mark.parametrize(("group", "number"), [("app", 410), ("auditors", 4100), ("deploy", 4101)])
def test_group(host: Any, group: str, number: int) -> None:
    assert host.group(group).gid == number


def test_members_of_a_group(host: Any) -> None:
    assert sorted(host.group("auditors").members) == ["batch", "deploy"]


def test_nobody_else_is_root(host: Any) -> None:
    lines = host.file("/etc/passwd").content_string.splitlines()
    assert [line.split(":")[0] for line in lines if line.split(":")[2] == "0"] == ["root"]


def test_what_a_user_may_read(host: Any) -> None:
    with host.sudo("deploy"):
        assert host.run("cat /opt/app/etc/app.conf").rc == 0
        assert host.run("cat /opt/app/etc/secret.key").rc == 1


def test_surroundings_of_a_user(host: Any) -> None:
    with host.sudo("deploy"):
        seen = host.environment()
    assert (seen["HOME"], seen["USER"], seen["SHELL"]) == ("/home/deploy", "deploy", "/bin/bash")
