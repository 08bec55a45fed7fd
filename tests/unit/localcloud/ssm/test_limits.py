"""MaxConcurrency, MaxErrors, sizes and time-outs as numbers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfleet.localcloud.ssm.limits import agent_timeout, concurrency, errors, size_of


@pytest.mark.parametrize(
    ("written", "targets", "allowed"),
    [("50", 1000, 50), ("10%", 50, 5), ("10%", 3, 1), ("100%", 7, 7), ("1%", 1000, 10), ("50%", 5, 2), ("1", 0, 1)],
)
def test_concurrency_is_never_below_one(written: str, targets: int, allowed: int) -> None:
    assert concurrency(written, targets) == allowed


@pytest.mark.parametrize(
    ("written", "targets", "borne"),
    [("0", 50, 0), ("3", 50, 3), ("10%", 50, 5), ("10%", 3, 0), ("100%", 7, 7), ("0%", 9, 0)],
)
def test_errors_round_down(written: str, targets: int, borne: int) -> None:
    assert errors(written, targets) == borne


@given(st.integers(1, 100), st.integers(0, 5000))
def test_a_share_is_never_more_than_all(percent: int, targets: int) -> None:
    assert 1 <= concurrency(f"{percent}%", targets) <= max(1, targets)
    assert 0 <= errors(f"{percent}%", targets) <= targets
    assert errors(f"{percent}%", targets) * 100 <= targets * percent


@given(st.integers(1, 99), st.integers(0, 5000))
def test_more_percent_are_never_fewer_nodes(percent: int, targets: int) -> None:
    assert concurrency(f"{percent}%", targets) <= concurrency(f"{percent + 1}%", targets)
    assert errors(f"{percent}%", targets) <= errors(f"{percent + 1}%", targets)


@pytest.mark.parametrize(
    ("written", "kept"), [(1, 3600), (4, 3600), (5, 5), (3600, 3600), (172800, 172800), (172801, 3600)]
)
def test_the_agent_keeps_to_timeouts_of_five_seconds_to_two_days(written: int, kept: int) -> None:
    assert agent_timeout(written) == kept


def test_size_counts_bytes_not_characters() -> None:
    assert size_of({"commands": ["ä" * 1000]}) - size_of({"commands": ["a" * 1000]}) == 1000
