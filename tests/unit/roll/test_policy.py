"""What the operator wants, as numbers."""

import pytest

from goldfleet.roll.model import Policy
from goldfleet.roll.policy import surge_limit


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
