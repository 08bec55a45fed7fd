"""Spans of a verification, sent by OTLP over HTTP to a collector on loopback."""

import gzip
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from goldfleet.transport.model import Cost
from goldfleet.verify.model import CheckOutcome, CheckResult, HostResult, Verdict
from goldfleet.verify.telemetry import MOST_EVENTS, SPANS_A_BATCH, send_spans

PASSED = CheckResult("test_x::test_a", CheckOutcome.PASSED, 0.1)
FAILED = CheckResult("test_x::test_b", CheckOutcome.FAILED, 0.1, "no nginx")
GOOD = HostResult("10.0.0.1", (PASSED,), instance_id="i-1", image_id="ami-1", seconds=1.5)
BAD = HostResult("10.0.0.2", (PASSED, FAILED), instance_id="i-2", image_id="ami-1", seconds=2)
CLOSED = HostResult("10.0.0.3", unreachable="SSH is closed")
VERDICT = Verdict((GOOD, BAD, CLOSED), subject="web", cost=Cost(3, 3))


@dataclass
class Collector:
    """What was sent to a collector."""

    url: str
    requests: list[ExportTraceServiceRequest] = field(default_factory=list)

    @property
    def spans(self) -> dict[str, Span]:
        found = (one for request in self.requests for some in request.resource_spans for one in some.scope_spans)
        return {span.name: span for some in found for span in some.spans}


@contextmanager
def collector(status: int = 200) -> Iterator[Collector]:
    """Run a collector that answers so."""
    found = Collector("")

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            body = gzip.decompress(body) if self.headers.get("Content-Encoding") == "gzip" else body
            found.requests.append(ExportTraceServiceRequest.FromString(body))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    found.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield found
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in list(os.environ):
        if name.startswith("OTEL_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "2")
    return monkeypatch


def value(span: Span, name: str) -> str | bool | int | float:
    found = next(one.value for one in span.attributes if one.key == name)
    kind = found.WhichOneof("value")
    return getattr(found, kind)  # type: ignore[no-any-return]  # protobuf's own


def test_run_and_servers_are_spans_and_bad_checks_are_events(environment: pytest.MonkeyPatch) -> None:
    with collector() as found:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        assert send_spans(VERDICT, "run-1", 2.5, os.environ) == ""
    spans = found.spans
    assert set(spans) == {"verify web", "i-1", "i-2", "10.0.0.3"}
    whole = spans["verify web"]
    assert {span.parent_span_id for name, span in spans.items() if name != "verify web"} == {whole.span_id}
    assert (whole.end_time_unix_nano - whole.start_time_unix_nano) / 1e9 == pytest.approx(2.5)
    assert (spans["i-1"].end_time_unix_nano - spans["i-1"].start_time_unix_nano) / 1e9 == pytest.approx(1.5)
    assert [event.name for event in spans["i-2"].events] == ["test_x::test_b"]
    assert [spans[name].status.message for name in ("i-1", "i-2", "10.0.0.3")] == ["", "failed", "SSH is closed"]
    assert value(whole, "goldfleet.run") == "run-1"
    assert value(whole, "goldfleet.cost.connections") == 1
    assert value(whole, "goldfleet.good") is False
    assert value(spans["i-2"], "goldfleet.checks.failed") == 1


def test_nothing_is_sent_unless_the_environment_asks_for_it(environment: pytest.MonkeyPatch) -> None:
    with collector() as found:
        assert send_spans(VERDICT, "run-1", 1, os.environ) == ""
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        environment.setenv("OTEL_SDK_DISABLED", "true")
        assert send_spans(VERDICT, "run-1", 1, os.environ) == ""
    assert found.requests == []


def test_large_fleet_is_sent_in_batches(environment: pytest.MonkeyPatch) -> None:
    many = tuple(HostResult(f"h{number}", (FAILED,) * (MOST_EVENTS + 1)) for number in range(SPANS_A_BATCH + 10))
    with collector() as found:
        environment.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{found.url}/v1/traces")
        assert send_spans(Verdict(many), "run-1", 1, os.environ) == ""
    assert (len(found.requests), len(found.spans)) == (2, SPANS_A_BATCH + 11)
    assert len(found.spans["h0"].events) == MOST_EVENTS


def test_collector_that_refuses_is_told_and_is_no_error(environment: pytest.MonkeyPatch) -> None:
    with collector(400) as found:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
        said = send_spans(VERDICT, "run-1", 1, os.environ)
    assert said == f"OpenTelemetry: 4 spans could not be sent to {found.url}"


def test_collector_that_is_not_there_is_told(environment: pytest.MonkeyPatch) -> None:
    with collector() as found:
        pass
    environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.url)
    assert send_spans(VERDICT, "run-1", 1, os.environ) == f"OpenTelemetry: 4 spans could not be sent to {found.url}"


def test_opentelemetry_that_is_not_installed_is_told(tmp_path: Path) -> None:
    (tmp_path / "opentelemetry").mkdir()
    (tmp_path / "opentelemetry" / "__init__.py").write_text("raise ImportError('not here')\n")
    program = (
        "from goldfleet.verify.telemetry import send_spans; from goldfleet.verify.model import Verdict;"
        "print(send_spans(Verdict(()), 'run-1', 1, {'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://127.0.0.1:1'}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "PYTHONPATH": str(tmp_path)}, capture_output=True, text=True,
        check=True,
    )  # fmt: skip
    assert done.stdout.startswith("OTEL_EXPORTER_OTLP_ENDPOINT is set, but OpenTelemetry is not installed")
