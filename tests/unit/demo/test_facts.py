"""What counts as a kept promise."""

from dataclasses import replace
from typing import Any

import pytest

from goldfleet.demo.events import HealthTimeline
from goldfleet.demo.facts import BadCheck, CheckRun, DemoFacts, HostChecks, parse_checks
from goldfleet.demo.steps import Steps
from goldfleet.demo.traffic import RequestLog
from goldfleet.verify.model import CheckOutcome, CheckResult, HostResult, Verdict
from goldfleet.verify.reports import verdict_document
from tests.doubles.demos import NEW, OLD, START, event, told_badly, told_well


def with_event(facts: DemoFacts, after: float, target: str, state: str) -> DemoFacts:
    """Return the facts with one more event of the balancer."""
    events = sorted([*facts.health.events, event(after, target, state)], key=lambda found: found.time)
    return replace(facts, health=HealthTimeline(tuple(events)))


def test_demo_without_fault_is_good() -> None:
    facts = told_well()
    assert facts.is_good
    assert (facts.lowest_healthy, facts.requests.failed, facts.below_floor) == (3, 0, ())


@pytest.mark.parametrize(
    "spoiled",
    [
        replace(told_well(), problem="roll exited with 5"),
        replace(told_well(), requests=RequestLog()),
        replace(told_well(), requests=told_badly().requests),
        replace(told_well(), checks=(CheckRun("verify", ()),)),
        replace(told_well(), checks=told_badly().checks),
        replace(told_well(), health=HealthTimeline()),
        with_event(told_well(), 60, NEW[0], "unhealthy"),
    ],
    ids=["stopped", "no request", "failed requests", "no host", "bad host", "no record of health", "below the floor"],
)
def test_one_broken_promise_is_enough(spoiled: DemoFacts) -> None:
    assert not spoiled.is_good


def test_lowest_counts_only_while_a_floor_is_promised() -> None:
    facts = with_event(told_well(), 4.0, OLD[0], "unhealthy")
    facts = with_event(facts, 5.0, OLD[0], "healthy")
    assert facts.lowest_healthy == 2
    assert replace(facts, floor=Steps.of((START + 10, 3))).lowest_healthy == 3
    assert replace(facts, floor=Steps()).lowest_healthy == 2


def test_document_of_verify_becomes_checks_by_host() -> None:
    verdict = Verdict(
        (
            HostResult(
                "10.64.1.10",
                (
                    CheckResult("test_web::test_page", CheckOutcome.FAILED, 0.1, "assert 502 == 200"),
                    CheckResult("test_web::test_port", CheckOutcome.PASSED, 0.1),
                ),
            ),
            HostResult("10.64.1.11", unreachable="connection refused"),
        )
    )
    document: dict[str, Any] = verdict_document(verdict)
    document["hosts"][0] |= {"instance_id": "i-1", "image_id": "ami-1"}
    assert parse_checks("after the roll", document) == CheckRun(
        "after the roll",
        (
            HostChecks(
                "10.64.1.10", "failed", "i-1", "ami-1", (("failed", 1), ("passed", 1)),
                (BadCheck("test_web::test_page", "assert 502 == 200"),),
            ),
            HostChecks("10.64.1.11", "unreachable", unreachable="connection refused"),
        ),
    )  # fmt: skip


def test_outcomes_are_those_of_verify() -> None:
    counts = tuple((outcome.value, 1) for outcome in CheckOutcome)
    parts = HostChecks("h", "failed", counts=counts).parts
    assert [(part.outcome, part.before) for part in parts] == [
        ("error", 0),
        ("failed", 1),
        ("passed", 2),
        ("skipped", 3),
    ]


@pytest.mark.parametrize(
    ("host", "summary"),
    [
        (HostChecks("h", "good", counts=(("passed", 64), ("skipped", 2))), "64 passed, 2 skipped"),
        (HostChecks("h", "unreachable", unreachable="connection refused"), "connection refused"),
        (HostChecks("h", "not checked"), "no check ran"),
    ],
    ids=["checked", "unreachable", "nothing ran"],
)
def test_host_is_summed_up_in_words(host: HostChecks, summary: str) -> None:
    assert host.summary == summary
