"""Servers that somebody names, by hand or by an Ansible inventory, instead of a group of AWS. Pure."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from pydantic import JsonValue

from goldfleet.errors import UsageError
from goldfleet.transport.model import Host, LocalHost, SshHost, sudo

CONNECTION = {
    "ansible_host": "", "ansible_user": "", "ansible_port": "", "ansible_ssh_private_key_file": "",
    "ansible_connection": "ssh", "ansible_become": True,
}  # fmt: skip
"""Ansible's variables that say how a server is reached, and what holds without them."""

UNDEFINED = "goldfleet: not defined"
LOCAL = "localhost"

_SERVER = re.compile(
    r"(?:(?P<user>[^@\s]+)@)?(?:\[(?P<six>[0-9A-Fa-f:.%\w]+)\]|(?P<name>[^:@\s\[\]]+))(?::(?P<port>[0-9]+))?"
)
_SHOWN = re.compile(r"^(?P<name>.+?) \| SUCCESS => (?P<json>\{.*\})$")


@dataclass(frozen=True)
class NamedServer:
    """A server, how it is reached, and what is wanted of it."""

    name: str
    host: Host
    variables: Mapping[str, JsonValue] = field(default_factory=dict)


def parse_servers(text: str) -> tuple[SshHost, ...]:
    """Return the servers in a list such as `web1,admin@10.0.0.4:2222,[2001:db8::4]`, each once.

    Raises UsageError for a name that is none, and for an empty list.
    """
    words = list(dict.fromkeys(word.strip() for word in text.split(",") if word.strip()))
    if not words:
        raise UsageError("--hosts: seen no name of a server, wanted such as web1,admin@10.0.0.4:2222.")
    return tuple(map(_parse_server, words))


def _parse_server(word: str) -> SshHost:
    found = _SERVER.fullmatch(word)
    port = int(found["port"]) if found and found["port"] else None
    if found is None or port == 0 or (port or 0) > 65535:
        raise UsageError(
            f"--hosts: seen {word!r}, which is no server.", "Wanted [user@]address[:port], IPv6 addresses in brackets."
        )
    return SshHost(found["six"] or found["name"], found["user"] or "", port=port)


def named(hosts: Sequence[SshHost], like: SshHost, variables: Mapping[str, JsonValue]) -> tuple[NamedServer, ...]:
    """Return servers that are reached as `like` says where they do not say it themselves."""
    counted: dict[str, int] = {}
    for host in hosts:
        counted[host.address] = counted.get(host.address, 0) + 1
    return tuple(
        NamedServer(
            host.address if counted[host.address] == 1 else f"{host.address}:{host.port or ''}",
            replace(like, address=host.address, user=host.user or like.user, port=host.port),
            variables,
        )
        for host in hosts
    )


def hosts_of(inventory: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the hosts in what `ansible-inventory --list` prints, each with the names of its variables."""
    names = {host for group in inventory.values() if isinstance(group, dict) for host in group.get("hosts", [])}
    known = inventory.get("_meta", {}).get("hostvars", {})
    return {name: sorted(set(known.get(name, {})) - {"ansible_local"}) for name in sorted(names | set(known))}


def asked_of_ansible(names: Iterable[str]) -> str:
    """Return arguments for Ansible's module `debug` that show the values of variables, as Ansible itself works them out."""
    listed = json.dumps(sorted(names))
    values = f"{{% set _ = found.update({{one: lookup('ansible.builtin.vars', one, default='{UNDEFINED}')}}) %}}"
    loop = f"{{% set found = {{}} %}}{{% for one in {listed} %}}{values}{{% endfor %}}"
    return json.dumps({"msg": f"{loop}{{{{ found | to_json }}}}"})


def shown_by_ansible(lines: Iterable[str]) -> dict[str, dict[str, JsonValue]]:
    """Return the variables that lines of `ansible --one-line` show, by host; lines that show none are passed over."""
    found: dict[str, dict[str, JsonValue]] = {}
    for line in lines:
        if shown := _SHOWN.match(line):
            message = json.loads(shown["json"])["msg"]
            values = json.loads(message) if isinstance(message, str) else message
            found[shown["name"]] = {name: value for name, value in values.items() if value != UNDEFINED}
    return found


def server_of(name: str, variables: Mapping[str, JsonValue], like: SshHost) -> NamedServer:
    """Return a server that an inventory describes; `like` says what the inventory does not.

    Raises UsageError for a connection that is neither SSH nor this server itself.
    """
    way = {key: variables.get(key) or default for key, default in CONNECTION.items()}
    wanted = {key: value for key, value in variables.items() if not key.startswith("ansible_")}
    become = sudo() if variables.get("ansible_become", True) else ()
    match way["ansible_connection"]:
        case "local" | "ansible.builtin.local":
            return NamedServer(name, LocalHost(name, become), wanted)
        case "ssh" | "smart" | "ansible.builtin.ssh" | "paramiko" | "ansible.netcommon.paramiko":
            host = replace(
                like,
                address=str(way["ansible_host"] or name),
                user=str(way["ansible_user"] or like.user),
                port=int(str(way["ansible_port"])) if way["ansible_port"] else None,
                private_key=like.private_key or str(way["ansible_ssh_private_key_file"] or ""),
                become=become,
            )
            return NamedServer(name, host, wanted)
    raise UsageError(
        f"The inventory reaches {name} by the connection {way['ansible_connection']!r}, wanted ssh or local.",
        "Leave it out with --hosts PATTERN.",
    )
