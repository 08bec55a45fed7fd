"""What a verification may cost."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfleet.errors import UsageError
from goldfleet.transport.model import Cost
from goldfleet.verify.budget import KINDS, costs, exceeded, parse_budget
from goldfleet.verify.model import CheckOutcome, CheckResult, HostResult, Verdict

CHECK = CheckResult("test_x::test_a", CheckOutcome.PASSED, 0.1)
HOSTS = (HostResult("a", (CHECK, CHECK)), HostResult("b", (CHECK, CHECK)), HostResult("c"), HostResult("d"))
VERDICT = Verdict(HOSTS, cost=Cost(4, 8, 1000, 3000, 2, 0.1))


def test_costs_are_averages_over_servers_and_over_checks() -> None:
    assert costs(VERDICT) == {"connections": 1, "sessions": 2, "bytes": 1000, "api_calls": 0.5, "server_ms": 25}
    assert costs(Verdict(())) == dict.fromkeys(KINDS, 0)


def test_what_is_exceeded_is_told_and_the_limit_itself_is_allowed() -> None:
    budget = parse_budget("connections=1, sessions=1.5,bytes=999.5,server_ms=25")
    assert exceeded(VERDICT, budget) == (
        "2 sessions a server, 1.5 allowed",
        "1,000 bytes a server, both ways, 999.5 allowed",
    )
    assert exceeded(VERDICT, {}) == ()


@pytest.mark.parametrize(
    "text",
    ["", " , ", "connections", "connections=", "connections=x", "sessions=-1", "time=3", "bytes=inf", "bytes=nan"],
)
def test_what_is_no_budget_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--budget: seen"):
        parse_budget(text)


@given(st.dictionaries(st.sampled_from(sorted(KINDS)), st.floats(0, 1e9), min_size=1))
def test_budget_comes_out_as_it_went_in(budget: dict[str, float]) -> None:
    assert parse_budget(",".join(f"{name}={most!r}" for name, most in budget.items())) == budget
