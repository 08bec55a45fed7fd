"""Ten hosts, twenty checks: `goldfleet://` beside testinfra's own backends, at several round-trip times.

The test file and the options are the same for all; the contenders take turns, so that a slow minute of the machine touches
all alike. Connections and sessions are counted by sshd's log. Run as root: python -m tests.bench.verify
"""

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from tests.bench.verify.site import PORT, Site, hosts, round_trip

SPEC = """
import pytest

@pytest.mark.parametrize("path", ["/etc", "/usr", "/var", "/tmp"])
def test_folder(host, path): assert host.file(path).is_directory
def test_mode(host): assert host.file("/etc/passwd").mode == 0o644
def test_owner(host): assert host.file("/etc/shadow").user == "root"
def test_content(host): assert host.file("/etc/passwd").contains("root")
@pytest.mark.parametrize("name", ["bash", "coreutils", "openssh-client"])
def test_package(host, name): assert host.package(name).is_installed
@pytest.mark.parametrize("name", ["nosuch", "noother"])
def test_service(host, name): assert not host.service(name).is_running
@pytest.mark.parametrize("port", [1, 2])
def test_socket(host, port): assert not host.socket(f"tcp://127.0.0.1:{port}").is_listening
@pytest.mark.parametrize("word", ["a", "b", "c"])
def test_command(host, word): assert host.check_output("echo %s", word) == word
@pytest.mark.parametrize("name", ["root", "daemon", "nobody"])
def test_user(host, name): assert host.user(name).exists
"""
ROUND_TRIPS = (0, 20, 100)
ROUNDS = 3
SHARED = "  ControlMaster auto\n  ControlPath {folder}/%C\n  ControlPersist 60\n"


@dataclass(frozen=True)
class Contender:
    """A way to run the same tests: the backend, what is added to the SSH configuration and to pytest's options."""

    name: str
    scheme: str
    more: str = ""
    options: tuple[str, ...] = ()


CONTENDERS = (
    Contender("goldfleet", "goldfleet"),
    Contender("testinfra ssh, ControlPath", "ssh", SHARED),
    Contender("testinfra ssh, ControlPath, -n10", "ssh", SHARED, ("-n10",)),
    Contender("testinfra ssh", "ssh"),
)


def run(contender: Contender, site: Site, port: int) -> tuple[float, int, int]:
    """Run the tests once; return seconds, connections, sessions."""
    config = site.config(
        port, f"config-{port}-{contender.name.replace(' ', '-')}", contender.more.format(folder=site.folder)
    )
    named = ",".join(f"{contender.scheme}://{address}" for address in site.addresses)
    words = [
        sys.executable, "-m", "pytest", str(site.folder / "test_it.py"), "-c", "/dev/null", f"--rootdir={site.folder}", "-q",
        "-p", "no:cacheprovider", "-p", "no:hypothesispytest", f"--hosts={named}", f"--ssh-config={config}",
        f"--junitxml={site.folder / 'junit.xml'}",
        *contender.options,
    ]  # fmt: skip
    before, began = site.counted(), time.monotonic()
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run(words, capture_output=True, text=True, check=False, env=inherited)
    seconds = time.monotonic() - began
    if done.returncode:
        raise SystemExit(f"{contender.name}: {done.stdout[-3000:]}{done.stderr[-2000:]}")
    for address in site.addresses if contender.more else ():
        subprocess.run(["ssh", "-F", str(config), "-O", "exit", address], capture_output=True, check=False)
    after = site.counted()
    return seconds, after[0] - before[0], after[1] - before[1]


def main() -> None:
    """Print the table, a line for each contender and round-trip time."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hosts", type=int, default=10)
    parser.add_argument("--only", default="", help="Only contenders whose names begin so.")
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--round-trips", type=int, nargs="*", default=ROUND_TRIPS, help="Milliseconds.")
    chosen = parser.parse_args()
    contenders = [one for one in CONTENDERS if one.name.startswith(chosen.only)]
    print(f"{chosen.hosts} hosts x 20 checks; medians of {chosen.rounds}")
    print(f"{'contender':36} {'RTT ms':>6} {'seconds':>8} {'ratio':>6} {'connections':>11} {'sessions':>8}", flush=True)
    with tempfile.TemporaryDirectory() as name, hosts(chosen.hosts, Path(name)) as site:
        (site.folder / "test_it.py").write_text(SPEC)
        run(CONTENDERS[0], site, PORT)  # so that bytecode is there
        for milliseconds in chosen.round_trips:
            with round_trip(site.addresses, milliseconds, 22023) as port:
                rounds = [[run(one, site, port) for one in contenders] for _ in range(chosen.rounds)]
            columns = list(zip(*rounds, strict=True))
            medians = [statistics.median(seconds for seconds, _, _ in column) for column in columns]
            for contender, column, seconds in zip(contenders, columns, medians, strict=True):
                counts = " ".join(f"{one:{width}}" for one, width in zip(column[-1][1:], (11, 8), strict=True))
                print(
                    f"{contender.name:36} {milliseconds:6} {seconds:8.2f} {seconds / medians[0]:6.1f} {counts}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
