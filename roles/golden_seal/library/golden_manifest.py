#!/usr/bin/python
"""Ansible module of role golden_seal: write a golden image's manifest. Reads the machine it runs on, writes one file."""

from __future__ import annotations

import base64
import glob
import hashlib
import json
import os
import re
from datetime import datetime, timezone

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = r"""
module: golden_manifest
short_description: Write what a golden image is made of
description:
  - Writes packages, enabled units, listening ports, users, roles and provenance as JSON, with hashes of the builder's
    identity. A server launched from the image must show none of these hashes again.
  - Listening ports are those of services that are there at the next boot, on all addresses or on the loopback interface.
  - A sealed machine has no identity left to hash, so the hashes of an earlier manifest are kept.
options:
  path: {description: File to write., type: path, required: true}
  image: {description: Name of the image; empty is written as null., type: str, default: ""}
  run: {description: Id of the bake., type: str, default: ""}
  commit: {description: Commit of the sources., type: str, default: ""}
  source_ami: {description: AMI that the image was built on., type: str, default: ""}
  fingerprint: {description: Fingerprint of everything that went in., type: str, default: ""}
  roles: {description: Names of the roles that were applied, in order., type: list, elements: str, required: true}
author: [The goldfleet developers]
"""
EXAMPLES = r"""
- golden_manifest:
    path: /usr/share/goldfleet/manifest.json
    roles: [base, golden_seal]
"""
RETURN = r"""
manifest: {description: What the file holds., type: dict, returned: always}
"""

STARTS_AT_BOOT = ("enabled", "static", "generated", "indirect", "alias")
EVERYWHERE_OR_LOOPBACK = re.compile(r"(?:0\.0\.0\.0|\*|\[::\]|127\..*|\[::1\])\Z")
SOCKET = re.compile(
    r"(?P<protocol>tcp|udp) .* (?P<address>\S+):(?P<port>\d+) +\S+:\S+"
    r" +users:\(\(\"(?P<process>[^\"]+)\",pid=(?P<pid>\d+)"
)
PROVENANCE = ("image", "run", "commit", "source_ami", "fingerprint")


def read_text(path: str) -> str:
    """Return a file's text without the white space around it, empty when there is no such file."""
    try:
        with open(path, encoding="utf-8") as file:
            return file.read().strip()
    except FileNotFoundError:
        return ""


def hash_host_key(public_key: str) -> str:
    """Return a public key's fingerprint as `ssh-keygen -l` prints it."""
    digest = hashlib.sha256(base64.b64decode(public_key.split()[1])).digest()
    return "SHA256:" + base64.b64encode(digest).decode().rstrip("=")


def read_identity() -> dict:
    """Return the machine's identity as hashes: machine_id (null once sealed) and host_keys (empty once sealed)."""
    machine_id = read_text("/etc/machine-id")
    keys = [read_text(path) for path in glob.glob("/etc/ssh/ssh_host_*_key.pub")]
    has_id = machine_id not in ("", "uninitialized")
    return {
        "machine_id": hashlib.sha256(machine_id.encode()).hexdigest() if has_id else None,
        "host_keys": sorted(hash_host_key(key) for key in keys),
    }


def read_os() -> str:
    """Return the name of the operating system."""
    lines = (line.partition("=") for line in read_text("/etc/os-release").splitlines())
    return {key: value.strip('"') for key, _, value in lines}.get("PRETTY_NAME", "unknown")


def read_packages(module: AnsibleModule) -> dict:
    """Return the version of each installed package by name."""
    shown = "${db:Status-Status} ${Package} ${Version}\n"
    output = module.run_command(["dpkg-query", "--show", f"--showformat={shown}"], check_rc=True)[1]
    lines = (line.split(" ") for line in output.splitlines())
    return {name: version for status, name, version in lines if status == "installed"}


def read_enabled_units(module: AnsibleModule) -> list:
    """Return the units that start at boot, sorted."""
    command = ["systemctl", "list-unit-files", "--state=enabled", "--no-legend", "--plain", "--no-pager"]
    output = module.run_command(command, check_rc=True)[1]
    return sorted(line.split()[0] for line in output.splitlines() if line.strip())


def read_services(module: AnsibleModule) -> dict:
    """Return which services that are there at the next boot have a control group, by that group."""
    command = ["systemctl", "show", "--property=Id,ControlGroup,UnitFileState", "*.service"]
    blocks = module.run_command(command, check_rc=True)[1].split("\n\n")
    units = (dict(line.split("=", 1) for line in block.splitlines() if "=" in line) for block in blocks)
    return {
        unit["ControlGroup"] + "/": unit["Id"]
        for unit in units
        if unit.get("ControlGroup") and unit.get("UnitFileState") in STARTS_AT_BOOT and not unit["Id"].startswith("user@")
    }


def find_unit(pid: int, services: dict):
    """Return the service that a process belongs to; "" for the first process, which listens for socket units."""
    if pid == 1:
        return ""
    groups = [line.split(":", 2)[2] + "/" for line in read_text(f"/proc/{pid}/cgroup").splitlines()]
    return next((unit for group, unit in services.items() if any(group in one for one in groups)), None)


def find_listeners(sockets: str, ephemeral_from: int, unit_of) -> list:
    """Return the sockets of `ss` that are there at the next boot: unit_of names a process's service, None for no such one.

    A client's socket, which has an ephemeral port, and one on an address of the builder's own are none.
    """
    found = {}
    for seen in (SOCKET.match(line) for line in sockets.splitlines()):
        if seen is None or (seen["protocol"] == "udp" and int(seen["port"]) >= ephemeral_from):
            continue
        address, unit = seen["address"].split("%")[0], unit_of(int(seen["pid"]))
        if unit is not None and EVERYWHERE_OR_LOOPBACK.match(address):
            found[seen["protocol"], int(seen["port"]), address] = (seen["process"], unit or None)
    return [
        {"protocol": protocol, "port": port, "address": address, "process": process, "unit": unit}
        for (protocol, port, address), (process, unit) in sorted(found.items())
    ]


def read_listeners(module: AnsibleModule) -> list:
    """Return what listens, as find_listeners does."""
    sockets = module.run_command(["ss", "--no-header", "-lntup"], check_rc=True)[1]
    ephemeral_from = int(read_text("/proc/sys/net/ipv4/ip_local_port_range").split()[0])
    services = read_services(module)
    return find_listeners(sockets, ephemeral_from, lambda pid: find_unit(pid, services))


def find_users(passwd: str, shadow: str) -> list:
    """Return every account; a locked password is one that nothing matches, keys may still let its owner in."""
    hashes = dict(line.split(":")[:2] for line in shadow.splitlines() if ":" in line)
    accounts = (line.split(":") for line in passwd.splitlines() if line.count(":") == 6)
    return [
        {
            "name": name,
            "uid": int(uid),
            "gid": int(gid),
            "home": home,
            "shell": shell,
            "system": not 1000 <= int(uid) < 65534,
            "password_locked": hashes.get(name, "!").startswith(("!", "*")),
        }
        for name, _, uid, gid, _, home, shell in sorted(accounts)
    ]


def describe(module: AnsibleModule) -> dict:
    """Return the manifest of the machine as it is now, without the time."""
    return {
        **{name: module.params[name] or None for name in PROVENANCE},
        "os": read_os(),
        "packages": read_packages(module),
        "enabled_units": read_enabled_units(module),
        "listening": read_listeners(module),
        "users": find_users(read_text("/etc/passwd"), read_text("/etc/shadow")),
        "roles": module.params["roles"],
        "identity": read_identity(),
    }


def read_earlier(path: str) -> dict:
    """Return the manifest that is there, empty when there is none."""
    text = read_text(path)
    return json.loads(text) if text else {}


def settle(seen: dict, earlier: dict, now: str) -> dict:
    """Return the manifest to keep: the earlier one if it still tells the truth, else what was seen, with the time."""
    sealed = seen["identity"]["machine_id"] is None and not seen["identity"]["host_keys"]
    identity = earlier.get("identity", seen["identity"]) if sealed else seen["identity"]
    settled = {**seen, "identity": identity}
    unchanged = {**settled, "built_at": earlier.get("built_at")} == earlier
    return earlier if unchanged else {**settled, "built_at": now}


def write_whole(module: AnsibleModule, path: str, manifest: dict) -> None:
    """Replace the file in one step."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    unfinished = os.path.join(module.tmpdir, "manifest.json")
    with open(unfinished, "w", encoding="utf-8") as file:
        file.write(json.dumps(manifest, indent=2, sort_keys=True) + "\n")
    os.chmod(unfinished, 0o644)
    module.atomic_move(unfinished, path)


def main() -> None:
    """Compare, write if needed, and report."""
    options = {name: {"type": "str", "default": ""} for name in PROVENANCE}
    module = AnsibleModule(
        argument_spec={
            **options,
            "path": {"type": "path", "required": True},
            "roles": {"type": "list", "elements": "str", "required": True},
        },
        supports_check_mode=True,
    )
    path = module.params["path"]
    earlier = read_earlier(path)
    now = datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")  # noqa: UP017  Ubuntu 22.04 has Python 3.10
    manifest = settle(describe(module), earlier, now)
    changed = manifest != earlier
    if changed and not module.check_mode:
        write_whole(module, path, manifest)
    module.exit_json(changed=changed, manifest=manifest)


if __name__ == "__main__":
    main()
