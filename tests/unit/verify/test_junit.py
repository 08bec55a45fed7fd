import pytest

from goldfleet.errors import VerificationError
from goldfleet.verify.junit import parse_junit
from goldfleet.verify.model import CheckOutcome

HOST = "ec2-203-0-113-7.example"


def junit(*cases: str) -> str:
    return f"<testsuites><testsuite>{''.join(cases)}</testsuite></testsuites>"


def case(inside: str = "", name: str = f"test_x[ssh://{HOST}]") -> str:
    return f'<testcase classname="tests.fleet.test_web" name="{name}" time="0.25">{inside}</testcase>'


@pytest.mark.parametrize(
    ("inside", "outcome", "message"),
    [
        ("", CheckOutcome.PASSED, ""),
        ('<failure message="assert False">trace</failure>', CheckOutcome.FAILED, "assert False"),
        ('<error message="boom"/>', CheckOutcome.ERROR, "boom"),
        ("<error>trace</error>", CheckOutcome.ERROR, "trace"),
        ('<skipped message="not here"/>', CheckOutcome.SKIPPED, "not here"),
        ('<failure message="a"/><error message="teardown"/>', CheckOutcome.ERROR, "teardown"),
    ],
    ids=["passed", "failed", "error", "error without message", "skipped", "failed and then error"],
)
def test_outcome_is_read(inside: str, outcome: CheckOutcome, message: str) -> None:
    (result,) = parse_junit(junit(case(inside)), HOST)
    assert (result.outcome, result.message, result.seconds) == (outcome, message, 0.25)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (f"test_x[ssh://{HOST}]", "test_web::test_x"),
        (f"test_x[ssh://{HOST}-nginx]", "test_web::test_x[nginx]"),
        (f"test_x[nginx-ssh://{HOST}]", "test_web::test_x[nginx]"),
        ("test_x", "test_web::test_x"),
    ],
)
def test_name_leaves_the_host_out(name: str, shown: str) -> None:
    assert parse_junit(junit(case(name=name)), HOST)[0].name == shown


def test_message_leaves_testinfras_backend_out() -> None:
    failure = '<failure message="for CommandResult(backend=&lt;testinfra.Ssh object at 0x7f&gt;, exit_status=7)"/>'
    assert parse_junit(junit(case(failure)), HOST)[0].message == "for CommandResult(exit_status=7)"


def test_long_message_is_cut() -> None:
    (result,) = parse_junit(junit(case(f'<failure message="{"x" * 1000}"/>')), HOST)
    assert len(result.message) == 400


@pytest.mark.parametrize("text", ["", "<testsuites>", "no XML"])
def test_what_is_no_junit_file_is_an_error(text: str) -> None:
    with pytest.raises(VerificationError, match="JUnit file cannot be read"):
        parse_junit(text, HOST)
