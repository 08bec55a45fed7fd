"""The sentences of the page."""

from dataclasses import replace

import pytest

from goldfleet.demo import wording
from goldfleet.demo.facts import CheckRun
from tests.doubles.demos import told_badly, told_well


def test_good_demo_has_its_numbers_in_the_headline_and_nothing_to_complain_of() -> None:
    assert wording.headline(told_well()) == (
        "Rolled image B through 3 servers under 60 requests/s: 0 of 13,800 requests failed, "
        "never fewer than 3 healthy targets"
    )
    assert wording.findings(told_well()) == ()


def test_bad_demo_says_so_in_the_headline_and_names_every_fault() -> None:
    assert wording.headline(told_badly()) == (
        "Did not finish rolling image B through 3 servers under 60 requests/s: 256 of 6,300 requests failed, "
        "17.1 s below the floor, at the lowest 2 healthy targets"
    )
    assert wording.findings(told_badly()) == (
        "`goldfleet roll start web` exited with 5: 2 of 3 old instances are unhealthy; no step was taken.",
        "252 requests failed: status 502, first at 0:30.",
        "4 requests failed: connection reset, first at 1:02.",
        "Only 2 healthy targets for 17.1 s from 0:30, where the floor was 3.",
        "After the roll: i-0bbb111122223333b is failed, 1 check failed.",
        "After the roll: i-0ccc111122223333c is unreachable (connection refused on port 22).",
    )


def test_checks_without_a_host_are_a_finding() -> None:
    facts = replace(told_well(), checks=(CheckRun("After the roll", ()),))
    assert wording.findings(facts) == ("After the roll: there was no host to check.",)


def test_pictures_are_told_in_words() -> None:
    facts = told_well()
    assert wording.describe_capacity(facts) == (
        "Healthy targets over 3:50 (minutes:seconds): at the lowest 3, at the highest 4. "
        "Floor 3, ceiling 3 to 4. Never below the floor."
    )
    assert wording.describe_requests(facts).startswith("Requests per second by the version that answered. image A: ")
    assert wording.describe_requests(facts).endswith(" 0 failed.")
    assert wording.describe_targets(facts).startswith("9 targets of the load balancer over time")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0:00"), (59.4, "0:59"), (59.6, "1:00"), (3725, "62:05")],
    ids=["start", "rounds down", "rounds up to a minute", "over an hour"],
)  # fmt: skip
def test_elapsed_time_is_minutes_and_seconds(seconds: float, text: str) -> None:
    assert wording.elapsed(seconds) == text


def test_version_that_no_image_has_is_called_by_its_own_name() -> None:
    facts = told_well()
    names = [wording.version_name(facts, version) for version in (facts.images[1].version, "20200101-x", "")]
    assert names == ["image B", "20200101-x", "no version"]
    colours = [wording.colour_of(facts, version) for version in (facts.images[1].version, "20200101-x")]
    assert colours == [1, 2]
    assert wording.colour_of(replace(facts, images=facts.images * 3), "20200101-x") == wording.COLOURS - 1
