"""Ways of checking the servers of a group: testinfra's own, which is what all others must agree with, and goldfleet's."""

import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.localcloud.conftest import BIN, Cloud
from tests.localcloud.planted.verdicts import Verdicts, read_junit, read_report

NOT_CI = ("env", "-u", "CI", "-u", "BUILD_NUMBER")
"""In a CI pytest shows every difference as a whole, which takes minutes where one is of 10 MB."""


@dataclass(frozen=True)
class Fleet:
    """A group's servers, each with its address by instance id; a project whose specs they are checked with; a way in."""

    cloud: Cloud
    group: str
    servers: Mapping[str, str]
    project: Path
    ssh_config: Path


@dataclass(frozen=True)
class Way:
    """One way of checking every server of a fleet."""

    name: str
    check: Callable[[Fleet], Verdicts]


def by_pytest(scheme: str) -> Callable[[Fleet], Verdicts]:
    """Return a plain pytest, one server after the other, through a backend of testinfra."""

    def check(fleet: Fleet) -> Verdicts:
        junit = fleet.project / f"{scheme}.xml"
        hosts = ",".join(f"{scheme}://admin@{address}" for address in fleet.servers.values())
        done = fleet.cloud.run(
            *NOT_CI, sys.executable, "-m", "pytest", str(fleet.project / "specs"), "-c", "/dev/null", "-p", "no:cacheprovider",
            f"--rootdir={fleet.project}", "-q", "--tb=line", f"--hosts={hosts}", f"--ssh-config={fleet.ssh_config}", "--sudo",
            f"--junitxml={junit}", check=False, timeout=1800,
        )  # fmt: skip
        (fleet.project / f"{scheme}.log").write_text(done.stdout + done.stderr)
        assert done.returncode in (0, 1), done.stdout[-4000:] + done.stderr[-2000:]
        addresses = {address: instance_id for instance_id, address in fleet.servers.items()}
        return read_junit(junit.read_text(), addresses)

    return check


def by_verify(*options: str) -> Callable[[Fleet], Verdicts]:
    """Return `goldfleet verify` of the group, with options."""

    def check(fleet: Fleet) -> Verdicts:
        words = (str(BIN / "goldfleet"), "verify", fleet.group, "--project", str(fleet.project), "--json", *options)
        done = fleet.cloud.run(*NOT_CI, *words, check=False, timeout=1800)
        (fleet.project / f"verify{'_'.join(options)}.log").write_text(done.stdout + done.stderr)
        assert done.returncode in (0, 6), done.stdout[-4000:] + done.stderr[-4000:]
        document = json.loads(done.stdout)
        assert document["differing"] == []
        return read_report(document)

    return check


TESTINFRA = Way("pytest, ssh://", by_pytest("ssh"))
WAYS = (
    Way("pytest, goldfleet://", by_pytest("goldfleet")),
    *(
        Way(" ".join(("goldfleet verify", *options)), by_verify(*options))
        for options in ((), ("--no-memo",), ("--prove",), ("--transport", "ssm"), ("--transport", "ssm", "--no-memo"))
    ),
)
"""What is compared with TESTINFRA, and by what."""
