"""Servers that somebody names: what is understood, and what is refused."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfleet.errors import UsageError
from goldfleet.transport.model import LocalHost, SshHost, sudo
from goldfleet.verify.servers import (
    UNDEFINED,
    NamedServer,
    asked_of_ansible,
    hosts_of,
    named,
    parse_servers,
    server_of,
    shown_by_ansible,
)

LIKE = SshHost("", "admin", private_key="/key", become=sudo())


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("web1", [SshHost("web1")]),
        ("10.0.0.4, web2.example.com", [SshHost("10.0.0.4"), SshHost("web2.example.com")]),
        ("admin@web1:2222", [SshHost("web1", "admin", port=2222)]),
        ("[2001:db8::4]", [SshHost("2001:db8::4")]),
        ("a@[fe80::1%eth0]:22", [SshHost("fe80::1%eth0", "a", port=22)]),
        ("web1,web1,", [SshHost("web1")]),
    ],
)
def test_list_names_servers(text: str, hosts: list[SshHost]) -> None:
    assert list(parse_servers(text)) == hosts


@pytest.mark.parametrize(
    "text", ["", " , ", "web 1", "web1:x", "web1:0", "web1:65536", "2001:db8::4", "@web1", "a@b@c", "[web1"]
)
def test_what_is_no_server_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--hosts: seen"):
        parse_servers(text)


@given(st.text())
def test_any_text_is_servers_or_refused(text: str) -> None:
    try:
        hosts = parse_servers(text)
    except UsageError:
        return
    assert hosts
    assert all(host.address and not host.address.isspace() for host in hosts)


def test_named_servers_are_reached_as_the_image_says_unless_they_say_it_themselves() -> None:
    found = named(parse_servers("web1,deploy@web2"), LIKE, {"a": 1})
    assert [(one.name, one.variables) for one in found] == [("web1", {"a": 1}), ("web2", {"a": 1})]
    assert [one.host for one in found] == [
        SshHost("web1", "admin", private_key="/key", become=sudo()),
        SshHost("web2", "deploy", private_key="/key", become=sudo()),
    ]


def test_servers_at_one_address_are_told_apart_by_their_ports() -> None:
    assert [one.name for one in named(parse_servers("web1:22,web1:23,web2"), LIKE, {})] == [
        "web1:22",
        "web1:23",
        "web2",
    ]


def test_hosts_of_an_inventory_are_those_of_its_groups() -> None:
    inventory = {
        "_meta": {"hostvars": {"a": {"x": 1, "ansible_local": {}, "ansible_host": "10.0.0.1"}}},
        "all": {"children": ["web"]},
        "web": {"hosts": ["a", "b"]},
    }
    assert hosts_of(inventory) == {"a": ["ansible_host", "x"], "b": []}
    assert hosts_of({"_meta": {"hostvars": {}}, "all": {"children": ["ungrouped"]}}) == {}


def test_values_are_those_that_ansible_shows() -> None:
    line = json.dumps({"msg": json.dumps({"a": [1, {"b": "x => y"}], "c": UNDEFINED, "d": None})})
    lines = ["[WARNING]: something", f"web 1 | SUCCESS => {line}", 'web2 | FAILED! => {"msg": "no"}', ""]
    assert shown_by_ansible(lines) == {"web 1": {"a": [1, {"b": "x => y"}], "d": None}}


def test_names_are_given_to_ansible_as_they_are() -> None:
    assert '["a", "b"]' in json.loads(asked_of_ansible(["b", "a"]))["msg"]


@pytest.mark.parametrize(
    ("variables", "host"),
    [
        ({}, SshHost("web", "admin", private_key="/key", become=sudo())),
        ({"ansible_host": "10.0.0.1", "ansible_port": "2222", "ansible_user": "x"},
         SshHost("10.0.0.1", "x", port=2222, private_key="/key", become=sudo())),
        ({"ansible_port": 23, "ansible_ssh_private_key_file": "/other", "ansible_become": False},
         SshHost("web", "admin", port=23, private_key="/key")),
        ({"ansible_connection": "local"}, LocalHost("web", sudo())),
    ],
)  # fmt: skip
def test_server_of_an_inventory_is_reached_as_its_variables_say(
    variables: dict[str, str | int | bool], host: SshHost | LocalHost
) -> None:
    assert server_of("web", {**variables, "base_locale": "C"}, LIKE) == NamedServer("web", host, {"base_locale": "C"})


def test_key_of_an_inventory_is_used_unless_another_is_given() -> None:
    found = server_of("web", {"ansible_ssh_private_key_file": "/own"}, SshHost(""))
    assert isinstance(found.host, SshHost)
    assert found.host.private_key == "/own"


def test_connection_that_is_not_known_is_refused() -> None:
    with pytest.raises(UsageError, match="The inventory reaches web by the connection 'winrm', wanted ssh or local"):
        server_of("web", {"ansible_connection": "winrm"}, LIKE)
