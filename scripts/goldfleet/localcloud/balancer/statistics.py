"""What HAProxy says of itself: its answers to `show stat` and `show info`, parsed. Pure.

Source: HAProxy 2.6 management guide, 9.1 "CSV format".
"""

import csv
from dataclasses import dataclass

# check_status of a check that ended well: conditionally, too (disable-on-404).
PASSED = frozenset({"L4OK", "L6OK", "L7OK", "L7OKC"})
NOT_YET = frozenset({"", "INI", "UNK"})


@dataclass(frozen=True)
class ServerStatistic:
    """One server of one backend."""

    backend: str
    server: str
    status: str  # UP, UP 1/2 (failing), DOWN, DOWN 1/2 (recovering), MAINT, DRAIN, no check
    check_status: str  # INI, L4CON, L4TOUT, L7OK, L7STS, ...
    check_code: str  # the HTTP status that a check saw
    sessions: int  # requests in flight

    @property
    def is_up(self) -> bool:
        """Say whether HAProxy takes the server for fit."""
        return self.status.startswith("UP")

    @property
    def is_in_maintenance(self) -> bool:
        """Say whether the server gets no new requests and may be deleted."""
        return self.status.startswith("MAINT")

    @property
    def has_passed(self) -> bool:
        """Say whether the last check passed."""
        return self.check_status in PASSED

    @property
    def has_been_checked(self) -> bool:
        """Say whether a check has ended."""
        return self.check_status not in NOT_YET


Statistics = dict[tuple[str, str], ServerStatistic]


def parse_statistics(answer: str) -> Statistics:
    """Return the servers of an answer to `show stat` by (backend, server)."""
    lines = [line for line in answer.splitlines() if line.strip()]
    if not lines or not lines[0].startswith("# "):
        return {}
    rows = csv.DictReader([lines[0][2:], *lines[1:]])
    found = [_server(row) for row in rows if row["svname"] not in ("FRONTEND", "BACKEND")]
    return {(one.backend, one.server): one for one in found}


def parse_description(answer: str) -> str:
    """Return the description in an answer to `show info`, which names the configuration that runs."""
    for line in answer.splitlines():
        key, _, value = line.partition(":")
        if key.strip().lower() == "description":
            return value.strip()
    return ""


def has_old_workers(answer: str) -> bool:
    """Say whether an answer to the master's `show proc` names a worker of an earlier configuration that still works."""
    section = answer.partition("# old workers")[2].partition("# programs")[0]
    return any(line.strip() for line in section.splitlines())


def _server(row: dict[str, str]) -> ServerStatistic:
    return ServerStatistic(
        backend=row["pxname"],
        server=row["svname"],
        status=row["status"],
        check_status=row["check_status"].removeprefix("* "),  # a star: the next check is on its way
        check_code=row["check_code"],
        sessions=int(row["scur"] or 0),
    )
