"""What goldfleet-connectivity and its probes share: a backend, and the ways in which a probe says no.

A probe is /usr/local/lib/goldfleet/connectivity/ENGINE.py; its two functions are described in role app_settings' README.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Backend:
    """One backend as the application is to use it. What is not known is empty; a time-out is in seconds."""

    kind: str
    name: str
    engine: str
    host: str
    port: int
    username: str = ""
    password: str = field(default="", repr=False)
    database: str = ""
    tls: bool = True
    ca_file: "str | None" = None
    timeout: float = 3.0


class ProbeError(Exception):
    """Why a probe stopped.

    `message` may be shown to everyone at /status: it names no host, user or database. `detail`, if given, is the whole
    sentence for operators, who read it instead; neither ever holds a password.
    """

    def __init__(self, message, detail=""):
        """Take the sentence for everyone, and the one for operators."""
        super().__init__(message)
        self.message = message
        self.detail = detail or message


class Refused(ProbeError):  # noqa: N818  what the server does, not an error of ours
    """The server offers no TLS."""


class LoginError(ProbeError):
    """The server was reached and did not let this user in."""


class StatementError(ProbeError):
    """The login worked, the statement did not."""
