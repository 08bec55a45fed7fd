"""What a test is called, the same for each server, and what its markers say."""

from collections import Counter
from collections.abc import Sequence

import pytest

LIVE_MARKER = "live"


def bare_name(item: pytest.Item) -> str:
    """Return a test's node id without its server."""
    callspec = getattr(item, "callspec", None)
    host = callspec.params.get("_testinfra_host") if callspec else None
    name = item.nodeid
    if host is not None:
        server = host.backend.get_pytest_id()
        for place in (f"{server}-", f"-{server}", server):
            name = name.replace(place, "")
    return name.removesuffix("[]")


def check_name(item: pytest.Item) -> str:
    """Return what the reports call a test: its module and its name, `test_web::test_port[443]`."""
    path, _, name = bare_name(item).partition("::")
    return f"{path.rpartition('/')[2].removesuffix('.py')}::{name}"


def check_names(items: Sequence[pytest.Item]) -> list[str]:
    """Return what the reports call each test; where two would be called alike, with their folders."""
    short = [check_name(item) for item in items]
    counted = Counter(short)
    return [name if counted[name] == 1 else bare_name(item) for name, item in zip(short, items, strict=True)]


def is_marked_live(item: pytest.Item) -> bool:
    """Tell whether a test is marked to ask everything itself, when it runs."""
    return item.get_closest_marker(LIVE_MARKER) is not None
