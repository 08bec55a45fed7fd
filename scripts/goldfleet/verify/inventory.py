"""Reads servers from an Ansible inventory, by Ansible's own programs: any kind of inventory, with its variables worked out."""

import json
import os
import subprocess
import sys
from pathlib import Path

from goldfleet.errors import RefusedError, UsageError
from goldfleet.transport.model import SshHost
from goldfleet.verify.servers import CONNECTION, NamedServer, asked_of_ansible, hosts_of, server_of, shown_by_ansible

SECONDS = 120
LAST_LINES = 8


def read_inventory(file: str, pattern: str, folder: Path, like: SshHost) -> tuple[NamedServer, ...]:
    """Return the servers of an inventory that a pattern names, "" for all; `like` says what the inventory does not.

    Raises UsageError when Ansible cannot read it, RefusedError when no server is left.
    """
    if "," not in file and not (folder / file).exists():
        raise UsageError(f"--inventory: {file} does not exist in {folder}.")
    limit = ["--limit", pattern] if pattern else []
    listed = hosts_of(json.loads(_run("ansible-inventory", "--inventory", file, "--list", *limit, folder=folder)))
    if not listed:
        raise RefusedError(f"No server of {file} is named by {pattern or 'all'}: nothing was verified.")
    names = {name for some in listed.values() for name in some} | set(CONNECTION)
    words = ("--inventory", file, "--module-name", "ansible.builtin.debug", "--args", asked_of_ansible(names))
    shown = shown_by_ansible(_run("ansible", pattern or "all", "--one-line", *words, folder=folder).splitlines())
    if missing := [name for name in listed if name not in shown]:
        raise UsageError(
            f"Ansible says nothing of {', '.join(missing)} of {file}.", "Run `ansible-inventory --list` on it."
        )
    return tuple(server_of(name, shown[name], like) for name in listed)


def _run(program: str, *words: str, folder: Path) -> str:
    """Return what one of Ansible's programs prints. Raises UsageError with its own words when it fails."""
    path = Path(sys.executable).parent / program
    environment = {
        **os.environ,
        "ANSIBLE_NOCOLOR": "1",
        "ANSIBLE_FORCE_COLOR": "0",
        "ANSIBLE_DEPRECATION_WARNINGS": "0",
    }
    try:
        done = subprocess.run(
            [str(path), *words], cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=SECONDS, check=False,
        )  # fmt: skip
    except FileNotFoundError as error:
        raise UsageError(f"There is no {program} beside {sys.executable}.", "Install ansible-core there.") from error
    except subprocess.TimeoutExpired as error:
        raise UsageError(f"{program} took more than {SECONDS} s for the inventory.") from error
    if done.returncode != 0:
        said = (done.stderr.strip() or done.stdout.strip()).splitlines()[-LAST_LINES:]
        raise UsageError(f"Ansible cannot read the inventory ({program}):\n" + "\n".join(f"  {line}" for line in said))
    return done.stdout
