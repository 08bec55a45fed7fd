"""The test files of the bench, and the faults that are planted for them.

The hosts are this machine under many addresses, so what is true of them is read here; a fault is an environment variable
that sshd sets on one of the addresses, and one check of that host finds it.
"""

import grp
import pwd
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from random import Random

PLAIN, PROGRAMS = 15, 5
"""How many checks there are of each kind where each is there once."""

FAULTS = 3
SEED = 7
VARIABLE = "GOLDFLEET_BENCH_"
DOCUMENTED = Path("/usr/share/doc")
"""A folder for each installed package. Source: Debian Policy, 12.5."""

SPEC = """
import pytest

@pytest.mark.parametrize("path", {folders})
def test_folder(host, path): assert host.file(path).is_directory
@pytest.mark.parametrize("path", {files})
def test_mode(host, path): assert host.file(path).mode == 0o644
@pytest.mark.parametrize("path", {files})
def test_owner(host, path): assert host.file(path).user == "root"
@pytest.mark.parametrize("word", {users})
def test_content(host, word): assert host.file("/etc/passwd").contains(word)
@pytest.mark.parametrize("name", {packages})
def test_package(host, name): assert host.package(name).is_installed
@pytest.mark.parametrize("name", {services})
def test_service(host, name): assert not host.service(name).is_running
@pytest.mark.parametrize("port", {ports})
def test_socket(host, port): assert not host.socket(f"tcp://127.0.0.1:{{port}}").is_listening
@pytest.mark.parametrize("word", {words})
def test_command(host, word): assert host.check_output(f"echo %s${variable}{{word}}", word) == word
@pytest.mark.parametrize(("kind", "name"), {accounts})
def test_account(host, kind, name): assert getattr(host, kind)(name).exists
"""


@dataclass(frozen=True)
class Mix:
    """How many times a test file has each kind of check.

    `plain` ones ask of files, packages, sockets, users and groups, nearly all of which goldfleet's agent answers itself;
    `programs` are services and commands, for which each server starts programs, whoever asks.
    """

    plain: int = 1
    programs: int = 1

    @property
    def checks(self) -> int:
        """How many checks that are."""
        return PLAIN * self.plain + PROGRAMS * self.programs

    def __str__(self) -> str:
        """Return it in words."""
        return f"{self.checks} checks, {PROGRAMS * self.programs} by programs"


TWENTY = Mix()


@dataclass(frozen=True)
class Fault:
    """What is wrong with one host: its command prints something else than its word."""

    address: str
    word: str

    @property
    def variable(self) -> str:
        """What sshd sets on the host."""
        return f"{VARIABLE}{self.word}=bad"

    @property
    def check(self) -> str:
        """What the reports call the check that fails."""
        return f"test_command[{self.word}]"


def plant(addresses: Sequence[str]) -> tuple[Fault, ...]:
    """Return the faults of these hosts: the same ones each time, and every test file has the checks that find them."""
    places = list(product(addresses, _words(3)))
    return tuple(Fault(*place) for place in Random(SEED).sample(places, FAULTS))  # noqa: S311 - no secret


def spec(mix: Mix) -> str:
    """Return a test file: each check of files, packages, services, sockets, commands and users as often as the mix has it."""
    packages = sorted(path.name for path in DOCUMENTED.iterdir() if _is_plain(path))[: 4 * mix.plain]
    users = [user.pw_name for user in pwd.getpwall()]
    accounts = [*(("user", name) for name in users), *(("group", group.gr_name) for group in grp.getgrall())]
    return SPEC.format(
        folders=["/etc", "/usr", "/var", "/tmp", *(f"{DOCUMENTED}/{name}" for name in packages)][: 4 * mix.plain],
        files=["/etc/passwd", *(f"{DOCUMENTED}/{name}/copyright" for name in packages)][: mix.plain],
        packages=packages[: 3 * mix.plain],
        services=[f"nosuch{number}" for number in range(2 * mix.programs)],
        ports=[1 + number for number in range(2 * mix.plain)],
        words=_words(3 * mix.programs),
        users=users[: mix.plain],
        accounts=accounts[: 3 * mix.plain],
        variable=VARIABLE,
    )


def _words(number: int) -> list[str]:
    return [f"word{one}" for one in range(number)]


def _is_plain(folder: Path) -> bool:
    file = folder / "copyright"
    return not folder.is_symlink() and file.is_file() and file.stat().st_mode & 0o777 == 0o644
