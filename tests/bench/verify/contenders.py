"""Ways to run the same tests on the same hosts, each as its users would have it, or tuned."""

import importlib.util
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.bench.verify import one_job
from tests.bench.verify.checks import TWENTY, Mix
from tests.bench.verify.found import Found, prove, read_junit
from tests.bench.verify.running import Ran, run
from tests.bench.verify.site import PORT, Site

CONNECT_SECONDS = 10.0
"""How long to wait for a connection: goldfleet's and testinfra's default."""

_SHARED = "  ControlMaster auto\n  ControlPath {folder}/%C\n  ControlPersist 60\n"
_NODELAY = ("-p", "tests.bench.verify.nodelay")


@dataclass(frozen=True)
class Asked:
    """Who is asked what: hosts by address, at a port. Addresses that the site has not are of no host."""

    site: Site
    addresses: Sequence[str]
    port: int = PORT
    mix: Mix = TWENTY
    connect_seconds: float = CONNECT_SECONDS

    @property
    def spec(self) -> Path:
        """The test file."""
        return self.site.spec(self.mix)


@dataclass(frozen=True)
class Contender:
    """A name, the command that runs the tests, where what was found is read, which module it needs, and what ends it."""

    name: str
    words: Callable[[Asked], list[str]]
    read: Callable[[Asked, Ran], Found]
    needs: str = "pytest"
    end: Callable[[Asked], None] = lambda _asked: None

    @property
    def is_here(self) -> bool:
        """Tell whether what it needs is installed."""
        return importlib.util.find_spec(self.needs) is not None


@dataclass(frozen=True)
class Round:
    """What one run took and found; `found` is None when it was ended because it took too long."""

    ran: Ran
    connections: int
    sessions: int
    found: Found | None


def take_round(contender: Contender, asked: Asked, longest: float) -> Round:
    """Run a contender once, for at most so many seconds.

    Raises SystemExit when it could not run the tests, or found another thing than what was planted.
    """
    before = asked.site.counted()
    try:
        ran = run(contender.words(asked), asked.site.folder, longest)
    finally:
        contender.end(asked)
    after = asked.site.counted()
    counted = after[0] - before[0], after[1] - before[1]
    if ran.was_late:
        return Round(ran, *counted, None)
    if ran.code not in (0, 1):  # 1: checks failed, as some are meant to
        raise SystemExit(f"{contender.name} ended with exit code {ran.code}: {ran.output[-3000:]}")
    found = contender.read(asked, ran)
    hosts = [address for address in asked.addresses if address in asked.site.addresses]
    if why := prove(found, hosts, asked.mix.checks, asked.site.faults):
        raise SystemExit(f"{contender.name} is wrong about the hosts: {why}\n{ran.output[-3000:]}")
    return Round(ran, *counted, found)


def _pytest(
    scheme: str, *options: str, more: str = "", cache: Sequence[str] = ("-p", "no:cacheprovider")
) -> Callable[[Asked], list[str]]:
    """Return what runs pytest with a backend; `more` is added to the SSH configuration, and nothing is kept between runs."""

    def words(asked: Asked) -> list[str]:
        query = f"?timeout={asked.connect_seconds:.0f}" if scheme != "goldfleet" else ""
        named = ",".join(f"{scheme}://{address}{query}" for address in asked.addresses)
        config = asked.site.config(asked.addresses, asked.port, more.format(folder=asked.site.folder))
        return [
            sys.executable, "-m", "pytest", str(asked.spec), "-c", "/dev/null", f"--rootdir={asked.site.folder}", "-q",
            "-p", "no:hypothesispytest", f"--hosts={named}", f"--ssh-config={config}",
            f"--junitxml={asked.site.folder / 'junit.xml'}",
            *cache, *options,
        ]  # fmt: skip

    return words


def _read_pytest(asked: Asked, _ran: Ran) -> Found:
    return read_junit(asked.site.folder / "junit.xml")


def _end_shared(asked: Asked) -> None:
    """End the connections that OpenSSH keeps for whoever comes next."""
    config = asked.site.config(asked.addresses, asked.port, _SHARED.format(folder=asked.site.folder))
    for address in asked.addresses:
        subprocess.run(["ssh", "-F", str(config), "-O", "exit", address], capture_output=True, check=False)


def _job(image_id: str) -> Callable[[Asked], list[str]]:
    """Return what has the job done; what was asked is kept for the next one where there is an image."""

    def words(asked: Asked) -> list[str]:
        servers = {address: asked.site.known_host(address, asked.port) for address in asked.addresses}
        order = one_job.Order(
            servers, asked.port, str(asked.site.folder), str(asked.spec), asked.connect_seconds, image_id
        )
        return one_job.words(order)

    return words


def _read_job(_asked: Asked, ran: Ran) -> Found:
    return one_job.read(ran.output).found


def _paramiko(name: str, *options: str) -> Contender:
    return Contender(name, _pytest("paramiko", *options), _read_pytest, needs="paramiko")


def _shared(name: str, *options: str) -> Contender:
    return Contender(name, _pytest("ssh", *options, more=_SHARED), _read_pytest, end=_end_shared)


GOLDFLEET = Contender("pytest --hosts=goldfleet://", _pytest("goldfleet"), _read_pytest)
JOB = Contender("goldfleet verify, its job", _job(""), _read_job)
_AGAIN = (
    Contender(
        f"{GOLDFLEET.name}, a later run", _pytest("goldfleet", cache=("-o", "cache_dir=.pytest_cache")), _read_pytest
    ),
    Contender(f"{JOB.name}, a later run", _job("ami-bench"), _read_job),
)
"""As all runs but the first of a suite: what it asks was kept by the warm-up. The others learn it each time."""

NODELAY = _paramiko("testinfra paramiko, TCP_NODELAY", *_NODELAY)
CONTENDERS = (
    GOLDFLEET,
    JOB,
    *_AGAIN,
    NODELAY,
    _paramiko("testinfra paramiko, TCP_NODELAY, -n10", *_NODELAY, "-n10"),
    _paramiko("testinfra paramiko"),
    _paramiko("testinfra paramiko, -n10", "-n10"),
    _shared("testinfra ssh, ControlPath"),
    _shared("testinfra ssh, ControlPath, -n10", "-n10"),
    Contender("testinfra ssh", _pytest("ssh"), _read_pytest),
)
"""Ratios are to the first. All run the same test file, and must find the same."""
