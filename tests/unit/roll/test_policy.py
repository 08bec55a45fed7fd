"""What the operator wants, as numbers."""

import pytest

from goldfleet.errors import UsageError
from goldfleet.roll.model import Policy
from goldfleet.roll.policy import parse_surge, surge_limit, with_surge


@pytest.mark.parametrize(
    ("surge", "desired", "limit"),
    [
        (1, 3, 1),
        (5, 3, 5),
        ("25%", 3, 1),
        ("25%", 10, 2),
        ("33%", 10, 3),
        ("100%", 4, 4),
        ("200%", 4, 8),
        ("1%", 1000, 10),
    ],
)
def test_surge_is_so_many_instances(surge: int | str, desired: int, limit: int) -> None:
    assert surge_limit(Policy(surge), desired) == limit


@pytest.mark.parametrize(("text", "surge"), [("1", 1), (" 3 ", 3), ("25%", "25%"), ("025%", "25%")])
def test_command_line_takes_numbers_and_shares(text: str, surge: int | str) -> None:
    assert with_surge(Policy(), text).surge == surge


@pytest.mark.parametrize("text", ["", "0", "0%", "-1", "1.5", "x", "%", "12345", "1 %"])
def test_any_other_surge_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="wanted a whole number of instances"):
        parse_surge(text)


def test_no_surge_on_the_command_line_leaves_the_settings() -> None:
    assert with_surge(Policy("25%"), None) == Policy("25%")
