"""What a contender found out, in one form for all, so that it can be held against the faults that were planted."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.bench.verify.checks import Fault

_OF_HOST = re.compile(r"(?P<test>\w+)\[\w+://(?P<address>[\d.]+)(?:-(?P<value>.+))?\]")
"""A name in pytest's JUnit file, such as test_user[ssh://127.0.9.1-root]."""


@dataclass(frozen=True)
class Found:
    """How many checks have a verdict, by address; which failed, as address and check; which addresses are unreachable."""

    checks: Mapping[str, int]
    failed: frozenset[tuple[str, str]]
    unreachable: frozenset[str] = frozenset()


def prove(found: Found, addresses: Iterable[str], checks: int, faults: Iterable[Fault]) -> str:
    """Return what is wrong with what was found about hosts that can be reached, "" for nothing.

    Each must have so many verdicts, and each planted fault must have been found, and no other.
    """
    known = set(addresses)
    if wrong := {one: found.checks.get(one, 0) for one in known if found.checks.get(one, 0) != checks}:
        return f"not {checks} verdicts each: {wrong}"
    seen = {one for one in found.failed if one[0] in known}
    wanted = {(fault.address, fault.check) for fault in faults if fault.address in known}
    return f"planted {sorted(wanted)}, found {sorted(seen)}" if seen != wanted else ""


def read_junit(file: Path) -> Found:
    """Return what pytest's own JUnit file says."""
    cases = list(ElementTree.parse(file).getroot().iter("testcase"))  # noqa: S314 - pytest of this bench wrote it
    named = [(_parse_name(case.get("name", "")), case) for case in cases]
    bad = [name for name, case in named if case.find("failure") is not None or case.find("error") is not None]
    return Found(Counter(address for (address, _), _ in named), frozenset(bad))


def _parse_name(name: str) -> tuple[str, str]:
    match = _OF_HOST.fullmatch(name)
    if match is None:
        raise SystemExit(f"the bench cannot tell which host this is about: {name}")
    value = match["value"]
    return match["address"], f"{match['test']}[{value}]" if value else match["test"]
