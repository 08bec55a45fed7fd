"""The floor under `app_server.yml`: the same packages in one apt transaction, the same files from one archive.

Nobody writes such a script by hand; it is worked out from a server that the roles have configured and one that has only the
packages. It knows nothing of other settings, checks nothing, and cannot be run again with other values: what the roles cost
above it is what these are worth. Neighbours: roles_site, which runs it; roles, which compares.
"""

import base64
import json
import shlex
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from typing import Any

from tests.localcloud.conftest import Cloud

FOLDERS = ("/etc", "/home", "/usr/local", "/usr/share/goldfleet", "/var/www")
OF_ONE_SERVER = (
    "/etc/ssh/ssh_host_*", "/etc/machine-id", "/etc/hostname", "/etc/hosts", "/etc/resolv.conf", "/etc/mtab",
    "/etc/ld.so.cache", "/home/admin", "/home/admin/*", "/etc/*-", "/etc/.pwd.lock", "*/__pycache__*",
)  # fmt: skip
"""What is a server's own, or made anew by the system itself."""
OF_A_SESSION = ("user@*", "user-*", "session-*", "systemd-hostnamed.service", "systemd-timedated.service")
LOOK = """
import hashlib, json, os, subprocess, sys
def facts(path):
    seen = os.lstat(path)
    what = os.readlink(path) if os.path.islink(path) else None if os.path.isdir(path) else hashlib.sha256(open(path, 'rb').read()).hexdigest()
    return [seen.st_mode, seen.st_uid, seen.st_gid, what]
def lines(*command):
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split('\\n')
files = {}
for top in sys.argv[1:]:
    for folder, folders, names in os.walk(top):
        files.update((path, facts(path)) for path in (os.path.join(folder, name) for name in [*folders, *names]))
packages = [line.split()[1] for line in lines('dpkg-query', '-W', '-f=${db:Status-Status} ${Package}\\n') if line.startswith('installed ')]
services = [line.split()[0] for line in lines('systemctl', 'list-units', '--state=active', '--type=service,timer,automount', '--plain', '--no-legend') if line]
print(json.dumps({'files': files, 'packages': packages, 'units': services}))
"""  # noqa: E501 - a program for a server, in one piece


@dataclass(frozen=True)
class Look:
    """What a server holds: each file's mode, owners and content, its packages, and its active units."""

    files: Mapping[str, Any]
    packages: frozenset[str]
    units: frozenset[str]


@dataclass(frozen=True)
class Floor:
    """What the script does: packages to install, an archive of files, paths to remove, units to start and stop."""

    packages: tuple[str, ...]
    archive: bytes
    removed: tuple[str, ...]
    started: tuple[str, ...]
    stopped: tuple[str, ...]

    def script(self, fetch: str = "") -> str:
        """Return the shell script; `fetch` is a command that prints the archive, which is part of the script when empty."""
        inside = f"base64 -d <<'ARCHIVE'\n{textwrap.fill(base64.b64encode(self.archive).decode(), 76)}\nARCHIVE"
        steps = [
            "#!/bin/sh",
            "set -e",
            install(self.packages),
            f"archive() {{\n{fetch or inside}\n}}",
            "archive | tar --extract --gzip --directory / --preserve-permissions",
            f"rm -rf {shlex.join(self.removed)}" if self.removed else "",
            "systemctl daemon-reload",
            "systemd-tmpfiles --create || true",
            f"systemctl stop {shlex.join(self.stopped)}" if self.stopped else "",
            f"systemctl restart {shlex.join(self.started)}" if self.started else "",
            "systemctl reload ssh",
        ]
        return "\n".join(step for step in steps if step) + "\n"


def install(packages: tuple[str, ...]) -> str:
    """Return the shell commands that install packages in one transaction."""
    names = shlex.join(packages)
    steps = ("export DEBIAN_FRONTEND=noninteractive", "apt-get update -qq")
    return "\n".join((*steps, f"apt-get install -qq --no-install-recommends {names} >/dev/null"))


def look(cloud: Cloud, server: str) -> Look:
    """Return what a server holds now."""
    command = f"sudo python3 -c {shlex.quote(LOOK)} {shlex.join(FOLDERS)}"
    seen = json.loads(cloud.ssh(server, command).stdout)
    files = {path: facts for path, facts in seen["files"].items() if not _matches(path, OF_ONE_SERVER)}
    units = frozenset(unit for unit in seen["units"] if not _matches(unit, OF_A_SESSION))
    return Look(files, frozenset(seen["packages"]), units)


def work_out(cloud: Cloud, configured: str, plain: str) -> Floor:
    """Return what a configured server has more than a bare one; the packages are tried on the bare one."""
    bare, wanted = look(cloud, plain), look(cloud, configured)
    packages = tuple(sorted(wanted.packages - bare.packages))
    cloud.ssh(plain, f"sudo sh -c {shlex.quote(install(packages))}")
    installed = look(cloud, plain)
    changed = sorted(path for path, facts in wanted.files.items() if installed.files.get(path) != facts)
    removed = sorted(path for path in installed.files if path not in wanted.files)
    listed = "".join(f"{path.lstrip('/')}\n" for path in changed)
    packing = f"sudo tar --create --gzip --no-recursion --directory / --files-from - <<'END' | base64\n{listed}END"
    archive = base64.b64decode(cloud.ssh(configured, packing).stdout)
    started = sorted((wanted.units - bare.units) | {"systemd-journald.service"})
    return Floor(packages, archive, tuple(removed), tuple(started), tuple(sorted(installed.units - wanted.units)))


def _matches(text: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatch(text, pattern) for pattern in patterns)
