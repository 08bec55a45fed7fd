"""What a way of checking has found, by server and check, whichever way it was: read from pytest's JUnit file or report.json."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree

_SERVER = re.compile(r"(?:ssh|goldfleet)://(?:\w+@)?(?P<name>i-[0-9a-f]+|[0-9.]+)")
LONGEST_LINE = 200
"""goldfleet cuts a message at 400 characters, what differs by the way included."""

_TAGS = {"failure": "failed", "error": "error", "skipped": "skipped"}
_RANK = ("passed", "skipped", "failed", "error")
_OWN = re.compile(r"backend=<[^>]*>, | at 0x[0-9a-f]+(?=>)|command=b(?:'(?:\\.|[^'\\])*'|\"(?:\\.|[^\"\\])*\"), ")
"""What differs by the way in a message about a command: testinfra's ssh backend has sudo in each, goldfleet in none."""


@dataclass(frozen=True)
class Found:
    """How a check ended, and the first line of why."""

    outcome: str
    message: str = ""


Verdicts = dict[tuple[str, str], Found]
"""By instance id and check, which is called as in goldfleet's reports: `test_web::TestPort::test_open[443]`."""


def read_junit(text: str, instance_ids: Mapping[str, str]) -> Verdicts:
    """Return what is in the JUnit file of a pytest whose specs are in one folder; servers are called by address or id."""
    found: Verdicts = {}
    for case in ElementTree.fromstring(text).iter("testcase"):  # noqa: S314 - written by the pytest that was just run
        server, check = _key(case.get("classname", ""), case.get("name", ""))
        key = (instance_ids.get(server, server), check)
        assert key not in found, f"{key} is there twice"
        found[key] = _of_case(case)
    return found


def read_report(document: Mapping[str, Any]) -> Verdicts:
    """Return what is in a report.json."""
    checks = [(one["name"], Found(one["outcome"], _line(one["message"]))) for one in document["checks"]]
    return {
        (host["instance_id"], checks[number][0]): checks[number][1]
        for host in document["hosts"]
        for number in host["checks"]
    }


def _key(classname: str, name: str) -> tuple[str, str]:
    """Return the server and the check of a case, `specs.test_web.TestPort` and `test_open[ssh://admin@10.0.0.4-443]`."""
    found = _SERVER.search(name)
    assert found, f"{name} names no server"
    bare = name.replace(f"{found[0]}-", "").replace(f"-{found[0]}", "").replace(f"[{found[0]}]", "")
    _, *parts = classname.split(".")
    return found["name"], "::".join([*parts, bare])


def _of_case(case: ElementTree.Element) -> Found:
    """Return the worst that is said of a case; the last of several, which sums up what subtests came to."""
    ends = [Found(_TAGS[part.tag], _line(_as_goldfleet_has_it(part))) for part in reversed(case) if part.tag in _TAGS]
    return max(ends, default=Found("passed"), key=lambda one: _RANK.index(one.outcome))


def _as_goldfleet_has_it(part: ElementTree.Element) -> str:
    """Return a message in goldfleet's words: expected failures are said to be, no quotes, and fewer words on subtests."""
    message = part.get("message", "")
    if part.get("type") == "pytest.xfail":
        return f"expected to fail: {message}"
    if subtests := re.fullmatch(r"contains (\d+) failed subtests?", message):
        return f"{subtests[1]} subtests failed"
    quoted = re.fullmatch(r'(failed on (?:setup|teardown) with )"(.*)"', message, re.DOTALL)
    return f"{quoted[1]}{quoted[2]}" if quoted and part.tag == "error" else message


def _line(message: str) -> str:
    """Return the first line of a message, without what differs by the way, as far as every way shows it."""
    return next(iter(_OWN.sub("", message).splitlines()), "").removeprefix("AssertionError: ")[:LONGEST_LINE]
