"""report.json is as its schema has it, whatever was found, and small where hosts agree."""

import json
from pathlib import Path

import jsonschema  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from goldfleet.verify.model import CheckOutcome, CheckResult, HostResult, Verdict
from goldfleet.verify.reports import verdict_document, write_reports

SCHEMA = json.loads((Path(__file__).parents[3] / "docs/reference/verify_report.schema.json").read_text())
TEXTS = st.text(max_size=10)
CHECKS = st.lists(
    st.builds(CheckResult, TEXTS, st.sampled_from(CheckOutcome), st.floats(0, 99), TEXTS, TEXTS), max_size=4
)
HOSTS = st.builds(HostResult, TEXTS, CHECKS.map(tuple), TEXTS, TEXTS, TEXTS, TEXTS, TEXTS, st.floats(0, 99))
VERDICTS = st.builds(
    Verdict, st.lists(HOSTS, max_size=3).map(tuple), TEXTS, st.lists(TEXTS, max_size=2).map(tuple), st.just(("a: b",))
)
PASSED = CheckResult("test_x::test_y", CheckOutcome.PASSED, 0.25)


@given(VERDICTS)
def test_document_is_as_its_schema_has_it(verdict: Verdict) -> None:
    document = json.loads(json.dumps(verdict_document(verdict)))
    jsonschema.validate(document, SCHEMA, jsonschema.Draft202012Validator)
    told = [[document["checks"][number]["name"] for number in host["checks"]] for host in document["hosts"]]
    assert told == [[check.name for check in host.checks] for host in verdict.hosts]


def test_result_that_hosts_share_is_written_once() -> None:
    row = (PASSED, PASSED)
    document = verdict_document(Verdict((HostResult("a", row), HostResult("b", row), HostResult("c", (PASSED,)))))
    assert len(document["checks"]) == 1
    assert [host["checks"] for host in document["hosts"]] == [[0, 0], [0, 0], [0]]
    assert document["passed"] == 5


def test_reports_are_written_in_one_step(tmp_path: Path) -> None:
    write_reports(Verdict((HostResult("a", (PASSED,)),)), tmp_path)
    write_reports(Verdict((HostResult("a"),)), tmp_path)
    assert sorted(one.name for one in tmp_path.iterdir()) == ["junit.xml", "report.json"]
    assert json.loads((tmp_path / "report.json").read_text())["hosts"][0]["verdict"] == "not checked"
