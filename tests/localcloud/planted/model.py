"""A fault of a server."""

import random
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Fault:
    """What spoils a server: a shell command as root, a check that must fail, and what no other fault there may touch."""

    command: str
    check: str
    touches: frozenset[str]


def fault(command: str, check: str, *touches: str) -> Fault:
    """Return a fault; `check` is the name of a check as goldfleet's reports have it."""
    return Fault(command, check, frozenset(touches))


Kind = Callable[[random.Random], Fault]
"""Draws a fault of one kind."""
