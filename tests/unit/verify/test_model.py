import pytest

from goldfleet.verify.model import CheckOutcome, CheckResult, HostResult, Verdict


def host_with(*outcomes: CheckOutcome, unreachable: str = "") -> HostResult:
    return HostResult("10.0.0.1", tuple(CheckResult("x", outcome, 0.1) for outcome in outcomes), unreachable)


PASSED, FAILED, ERROR, SKIPPED = CheckOutcome.PASSED, CheckOutcome.FAILED, CheckOutcome.ERROR, CheckOutcome.SKIPPED


@pytest.mark.parametrize(
    ("host", "verdict"),
    [
        (host_with(PASSED), "good"),
        (host_with(PASSED, SKIPPED), "good"),
        (host_with(PASSED, FAILED), "failed"),
        (host_with(PASSED, ERROR), "failed"),
        (host_with(SKIPPED), "not checked"),
        (host_with(), "not checked"),
        (host_with(PASSED, unreachable="timeout"), "unreachable"),
        (HostResult("10.0.0.1", not_run="a spec is wrong"), "not checked"),
    ],
    ids=["passed", "one skipped", "one failed", "one error", "all skipped", "none", "unreachable", "not run"],
)
def test_verdict_of_a_host(host: HostResult, verdict: str) -> None:
    assert host.verdict == verdict
    assert host.is_good is (verdict == "good")


def test_all_hosts_must_be_good_and_there_must_be_one() -> None:
    assert Verdict((host_with(PASSED), host_with(PASSED))).is_good
    assert not Verdict((host_with(PASSED), host_with())).is_good
    assert not Verdict(()).is_good


def test_checks_are_counted_over_all_hosts() -> None:
    verdict = Verdict((host_with(PASSED, FAILED), host_with(PASSED)))
    assert (verdict.count(PASSED), verdict.count(FAILED), verdict.count(SKIPPED)) == (2, 1, 0)
