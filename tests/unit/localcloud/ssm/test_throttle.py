"""Token buckets."""

from hypothesis import given
from hypothesis import strategies as st

from goldfleet.localcloud.ssm.throttle import Rate, Throttle

TWO_A_SECOND = Rate(per_second=2.0, burst=3)


def test_a_burst_is_admitted_then_the_rate() -> None:
    throttle = Throttle({"Get": TWO_A_SECOND})
    assert [throttle.admits("Get", 10.0) for _ in range(5)] == [True, True, True, False, False]
    assert [throttle.admits("Get", 10.5), throttle.admits("Get", 10.5)] == [True, False]
    assert (throttle.calls["Get"], throttle.throttled["Get"]) == (7, 3)


def test_actions_have_buckets_of_their_own() -> None:
    throttle = Throttle({"Get": Rate(1.0, 1)}, otherwise=Rate(1.0, 2))
    assert throttle.admits("Get", 0.0)
    assert not throttle.admits("Get", 0.0)
    assert throttle.admits("List", 0.0)
    assert throttle.admits("List", 0.0)
    assert not throttle.admits("List", 0.0)


@given(st.lists(st.floats(0, 5), max_size=60), st.floats(0.1, 20), st.integers(1, 10))
def test_no_more_are_admitted_than_burst_and_rate_allow(gaps: list[float], per_second: float, burst: int) -> None:
    throttle, now = Throttle(otherwise=Rate(per_second, burst)), 0.0
    admitted = 0
    for gap in gaps:
        now += gap
        admitted += throttle.admits("List", now)
    assert admitted <= burst + now * per_second + 1e-6
    assert admitted + throttle.throttled["List"] == len(gaps)
