"""The testinfra backend `goldfleet://`: a server whose answers are collected before its tests are judged."""

from typing import Any, ClassVar

from testinfra.backend.base import BaseBackend, CommandResult

from goldfleet.verify.specs.collected import Collected


class GoldfleetBackend(BaseBackend):  # type: ignore[misc]  # testinfra is untyped
    """One server. `--sudo` is asked for once, when its session starts."""

    NAME = "goldfleet"
    collected: ClassVar[Collected | None] = None
    """What is known of all servers of this run; the plugin sets it."""

    def __init__(self, name: str, sudo: bool = False, sudo_user: str | None = None, **options: Any) -> None:
        self.spec = self.parse_hostspec(name)
        super().__init__(self.spec.name)
        self.server = name
        self.become = ("sudo", "-n", *(("-u", sudo_user) if sudo_user else ()), "--") if sudo else ()
        self._options = options

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
        answer = self.collected.answer(self.server, text)
        return self.result(answer.code, text.encode("utf-8", "surrogateescape"), answer.stdout, answer.stderr)
