"""Requests, counted."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from goldfleet.demo.traffic import Failure, Request, RequestLog, Second, VersionSeen, parse_request

requests = st.lists(
    st.builds(
        Request,
        st.floats(100, 130, exclude_max=True),
        st.floats(0, 5),
        st.booleans(),
        version=st.sampled_from(["", "one", "two"]),
    ),
    max_size=60,
).map(lambda found: RequestLog(tuple(found)))

MIXED = RequestLog(
    (
        Request(10.0, 0.1, True, 200, "", "one"),
        Request(10.5, 0.2, True, 200, "", "one", "kept"),
        Request(11.2, 0.3, True, 200, "", "two"),
        Request(11.4, 5.0, False, 0, "no answer in time", ""),
        Request(13.9, 0.4, False, 502, "status 502", ""),
        Request(13.0, 0.4, False, 502, "status 502", ""),
    )
)


def test_log_is_summed_up() -> None:
    assert (MIXED.sent, MIXED.failed, MIXED.kept) == (6, 3, 1)
    assert MIXED.versions == (VersionSeen("one", 10.0, 10.5, 2), VersionSeen("two", 11.2, 11.2, 1))
    assert MIXED.failures == (Failure("status 502", 2, 13.0), Failure("no answer in time", 1, 11.4))


def test_seconds_without_a_request_are_there_too() -> None:
    assert MIXED.per_second(10, 13.5) == (
        Second(10, {"one": 2}, 0),
        Second(11, {"two": 1}, 1),
        Second(12, {}, 0),
        Second(13, {}, 2),
    )


def test_latencies_are_measured_ones_of_good_requests() -> None:
    assert [MIXED.latency(share) for share in (0.01, 0.5, 0.99, 1)] == [0.1, 0.2, 0.3, 0.3]
    assert RequestLog().latency(0.5) == 0


@given(requests)
def test_every_request_is_in_one_second(log: RequestLog) -> None:
    seconds = log.per_second(100, 130)
    assert len(seconds) == 30
    assert sum(second.failed for second in seconds) == log.failed
    assert sum(sum(second.answered.values()) for second in seconds) == log.sent - log.failed
    assert sum(failure.count for failure in log.failures) == log.failed


@given(requests, st.floats(0.01, 1))
def test_share_of_the_good_requests_is_within_its_latency(log: RequestLog, share: float) -> None:
    good = [request.latency for request in log.requests if request.ok]
    within = sum(latency <= log.latency(share) for latency in good)
    assert within >= share * len(good) - 1e-9


@given(requests)
def test_record_is_read_back_as_it_was_written(log: RequestLog) -> None:
    for request in log.requests:
        read = parse_request(json.loads(json.dumps(request.to_document())))
        assert read.time == pytest.approx(request.time, abs=1e-4)
        assert read.latency == pytest.approx(request.latency, abs=1e-4)
        assert (read.ok, read.version, read.error, read.connection) == (
            request.ok, request.version, request.error, request.connection,
        )  # fmt: skip
