"""Writes one JUnit file for a whole fleet: a suite a host, each check's class name led by the host's. Pure.

Readers of JUnit files tell checks apart by class and name; so the host is part of the class name, and a host with no
login is one failed check of its own.
"""

import re
from xml.etree import ElementTree

from goldfleet.verify.model import CheckOutcome, CheckResult, HostResult, Verdict

_TAGS = {CheckOutcome.FAILED: "failure", CheckOutcome.ERROR: "error", CheckOutcome.SKIPPED: "skipped"}
_NOT_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that no XML document may hold. Source: XML 1.0, section 2.2."""


def build_junit(verdict: Verdict) -> str:
    """Return the JUnit file of a verdict's hosts."""
    root = ElementTree.Element("testsuites", name="goldfleet verify")
    for host in verdict.hosts:
        _add_suite(root, host)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _add_suite(root: ElementTree.Element, host: HostResult) -> None:
    checks = (*host.checks, *_without_a_verdict(host))
    suite = ElementTree.SubElement(
        root,
        "testsuite",
        name=host.instance_id or host.host,
        hostname=host.host,
        tests=str(len(checks)),
        failures=str(_count(checks, CheckOutcome.FAILED)),
        errors=str(_count(checks, CheckOutcome.ERROR)),
        skipped=str(_count(checks, CheckOutcome.SKIPPED)),
        time=f"{host.seconds:.3f}",
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (("instance_id", host.instance_id), ("image_id", host.image_id), ("note", host.note)):
        ElementTree.SubElement(properties, "property", name=name, value=_xml(value))
    for check in checks:
        _add_case(suite, host, check)


def _add_case(suite: ElementTree.Element, host: HostResult, check: CheckResult) -> None:
    module, _, name = check.name.partition("::")
    case = ElementTree.SubElement(
        suite,
        "testcase",
        classname=f"{host.instance_id or host.host}.{module}",
        name=_xml(name),
        time=f"{check.seconds:.3f}",
    )
    if tag := _TAGS.get(check.outcome):
        ElementTree.SubElement(case, tag, message=_xml(check.message)).text = _xml(check.detail) or None


def _without_a_verdict(host: HostResult) -> tuple[CheckResult, ...]:
    """Return one error for a host that could not be checked; () for all others."""
    if host.unreachable:
        return (CheckResult("goldfleet::reachable", CheckOutcome.ERROR, 0.0, host.unreachable),)
    if host.verdict == "not checked":
        return (CheckResult("goldfleet::checked", CheckOutcome.ERROR, 0.0, host.not_run or "no check passed"),)
    return ()


def _count(checks: tuple[CheckResult, ...], outcome: CheckOutcome) -> int:
    return sum(check.outcome is outcome for check in checks)


def _xml(text: str) -> str:
    return _NOT_XML.sub("?", text)
