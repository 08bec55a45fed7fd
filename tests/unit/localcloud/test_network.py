"""Which range the default VPC gets."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfleet.errors import RefusedError
from goldfleet.localcloud.network import CANDIDATE_RANGES, choose_range

Network = ipaddress.IPv4Network


def test_first_free_candidate_is_chosen() -> None:
    assert choose_range(None, [Network("10.64.0.0/24"), Network("10.65.128.0/17")]) == Network("10.66.0.0/16")


def test_wanted_range_is_taken_as_it_is() -> None:
    assert choose_range("172.20.0.0/16", []) == Network("172.20.0.0/16")


@pytest.mark.parametrize(
    ("wanted", "taken", "words"),
    [
        ("10.80.0.0/16", ["10.80.3.0/24"], ["10.80.0.0/16 is taken", "10.80.3.0/24", "--network"]),
        ("10.80.0.0/24", [], ["not a private /16"]),
        ("8.8.0.0/16", [], ["not a private /16"]),
        ("10.80.1.0/16", [], ["is not an IPv4 range"]),
        ("nonsense", [], ["is not an IPv4 range"]),
    ],
)
def test_range_that_cannot_be_used_is_refused_in_words(wanted: str, taken: list[str], words: list[str]) -> None:
    with pytest.raises(RefusedError) as refused:
        choose_range(wanted, map(Network, taken))
    for word in words:
        assert word in str(refused.value)


def test_no_free_candidate_is_refused() -> None:
    with pytest.raises(RefusedError, match="Give one with --network"):
        choose_range(None, [Network("10.0.0.0/8")])


@given(st.sets(st.sampled_from(CANDIDATE_RANGES), max_size=len(CANDIDATE_RANGES) - 1))
def test_chosen_range_overlaps_nothing_taken(taken: set[Network]) -> None:
    chosen = choose_range(None, taken)
    assert not any(chosen.overlaps(other) for other in taken)
