"""Reads the JUnit file that pytest wrote. Pure.

Source: pytest documentation, "Creating JUnitXML format files": a test case holds failure, error, skipped, or nothing;
one whose teardown fails too holds two.
"""

import re
from xml.etree import ElementTree

from goldfleet.errors import VerificationError
from goldfleet.verify.model import CheckOutcome, CheckResult

LONGEST_MESSAGE = 400

_OUTCOMES = (("error", CheckOutcome.ERROR), ("failure", CheckOutcome.FAILED), ("skipped", CheckOutcome.SKIPPED))

_BACKEND = re.compile(r"backend=<[^>]*>, ")
"""What testinfra says of itself in each failed command; it hides the command."""


def parse_junit(text: str, host: str) -> tuple[CheckResult, ...]:
    """Return the results in a JUnit file, in its order, without the host that testinfra puts into each name.

    Raises VerificationError when it is no JUnit file: then nothing is known about any check.
    """
    try:
        root = ElementTree.fromstring(text)  # noqa: S314 - written by the pytest that was just run
    except ElementTree.ParseError as error:
        raise VerificationError(f"The checks' JUnit file cannot be read: {error}.") from error
    return tuple(_result(case, f"ssh://{host}") for case in root.iter("testcase"))


def _result(case: ElementTree.Element, host_url: str) -> CheckResult:
    module = case.get("classname", "").rpartition(".")[2]
    name = case.get("name", "")
    for place in (f"{host_url}-", f"-{host_url}", host_url, "[]"):
        name = name.replace(place, "")
    seconds = float(case.get("time", "0"))
    for tag, outcome in _OUTCOMES:
        node = case.find(tag)
        if node is not None:
            return CheckResult(f"{module}::{name}", outcome, seconds, _message(node))
    return CheckResult(f"{module}::{name}", CheckOutcome.PASSED, seconds)


def _message(node: ElementTree.Element) -> str:
    message = _BACKEND.sub("", node.get("message", "") or (node.text or ""))
    return message if len(message) <= LONGEST_MESSAGE else message[: LONGEST_MESSAGE - 1] + "…"
