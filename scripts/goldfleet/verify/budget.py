"""What a verification may cost, and what it has cost: by server, and by check. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass

from goldfleet.errors import UsageError
from goldfleet.verify.model import Verdict


@dataclass(frozen=True)
class Kind:
    """One kind of cost, in words."""

    name: str
    words: str


CONNECTIONS = Kind("connections", "connections a server")
SESSIONS = Kind("sessions", "sessions a server")
BYTES = Kind("bytes", "bytes a server, both ways")
API_CALLS = Kind("api_calls", "API calls a server")
SERVER_MS = Kind("server_ms", "milliseconds of a server's own time a check")
KINDS = {kind.name: kind for kind in (CONNECTIONS, SESSIONS, BYTES, API_CALLS, SERVER_MS)}

Budget = Mapping[str, float]
"""The most of each kind, by name; what is not named may cost whatever it does."""


def parse_budget(text: str) -> dict[str, float]:
    """Return the budget in a text such as `connections=1,bytes=60000,server_ms=5`.

    Raises UsageError for a kind that is not known, and for what is no number.
    """
    budget: dict[str, float] = {}
    for part in filter(None, (word.strip() for word in text.split(","))):
        name, _, number = part.partition("=")
        try:
            most = float(number)
        except ValueError:
            most = -1.0
        if name not in KINDS or not 0 <= most < float("inf"):
            known = ", ".join(f"{kind.name} ({kind.words})" for kind in KINDS.values())
            raise UsageError(f"--budget: seen {part!r}, wanted NAME=NUMBER. The names: {known}.")
        budget[name] = most
    if not budget:
        raise UsageError("--budget: seen nothing, wanted such as connections=1,bytes=60000.")
    return budget


def costs(verdict: Verdict) -> dict[str, float]:
    """Return what a verification has cost, by kind: on average over all of its servers, and all of their checks."""
    cost, servers = verdict.cost, max(1, len(verdict.hosts))
    checks = max(1, sum(len(host.checks) for host in verdict.hosts))
    found = {
        CONNECTIONS: cost.connections / servers,
        SESSIONS: cost.sessions / servers,
        BYTES: (cost.bytes_sent + cost.bytes_received) / servers,
        API_CALLS: cost.api_calls / servers,
        SERVER_MS: 1000 * cost.server_seconds / checks,
    }
    return {kind.name: round(number, 3) for kind, number in found.items()}


def exceeded(verdict: Verdict, budget: Budget) -> tuple[str, ...]:
    """Return, in words, what has cost more than it may."""
    seen = costs(verdict)
    return tuple(
        f"{seen[name]:,g} {KINDS[name].words}, {most:,g} allowed" for name, most in budget.items() if seen[name] > most
    )
