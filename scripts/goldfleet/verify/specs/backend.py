"""The testinfra backend `goldfleet://`: a server whose answers are collected before its tests are judged."""

from typing import Any, ClassVar

from testinfra.backend.base import BaseBackend, CommandResult

from goldfleet.transport.model import sudo as words_of_sudo
from goldfleet.verify.specs.collected import Collected

FLEET = "fleet"
"""In the place of a server's name in `--hosts`: the servers of a job."""


class GoldfleetBackend(BaseBackend):  # type: ignore[misc]  # testinfra is untyped
    """One server. `--sudo` is asked for once, when its session starts."""

    NAME = "goldfleet"
    collected: ClassVar[Collected | None] = None
    """What is known of all servers of this run; the plugin sets it."""

    def __init__(self, name: str, sudo: bool = False, sudo_user: str | None = None, **options: Any) -> None:
        self.spec = self.parse_hostspec(name)
        super().__init__(self.spec.name)
        self._server = name
        self.become = words_of_sudo(sudo_user or "") if sudo else ()
        self._options = options

    @property
    def server(self) -> str:
        """What the server is called among those of this run."""
        return self._server

    def option(self, name: str) -> str:
        """Return one of testinfra's options as text, "" where it was not given."""
        return str(self._options.get(name) or "")

    def run(self, command: str, *args: str, **kwargs: Any) -> CommandResult:  # noqa: ARG002 - testinfra's signature
        """Return what the server says to a command."""
        if self.collected is None:
            raise RuntimeError(
                "goldfleet:// servers can be asked while pytest runs tests only: look at them in tests and fixtures, not "
                "while a module is imported."
            )
        text = self.get_command(command, *args)
        answer = self.collected.answer(self._server, text)
        return self.result(answer.code, text.encode("utf-8", "surrogateescape"), answer.stdout, answer.stderr)


class JobBackend(GoldfleetBackend):
    """A server of a job. All servers of a job look alike, so that what is said of one of them can be said of another."""

    def __init__(self, server: str, address: str) -> None:
        self._address = address
        self._server = server
        BaseBackend.__init__(self, address)

    @property
    def hostname(self) -> str:
        """The server's address; a test that looks at it has a verdict for each server."""
        self._look_who()
        return self._address

    @hostname.setter
    def hostname(self, address: str) -> None:
        self._address = address

    @property
    def server(self) -> str:
        """What the server is called; looking at it is as looking at its address."""
        self._look_who()
        return self._server

    def _look_who(self) -> None:
        if self.collected is not None:
            self.collected.look_who(self._server)

    def get_pytest_id(self) -> str:
        """Return the same for each server."""
        return f"{self.NAME}://{FLEET}"

    def __repr__(self) -> str:
        """Show the same for each server."""
        return f"<{self.get_pytest_id()}>"
