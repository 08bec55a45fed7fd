"""OpenTelemetry spans of a verification: one for the run, below it one for each server, with an event for each bad check.

They are sent by OTLP over HTTP where the environment variable OTEL_EXPORTER_OTLP_ENDPOINT (or …_TRACES_ENDPOINT) names a
collector; the other OTEL_ variables count, too. Source: OpenTelemetry specification, "Environment Variable Specification" and
"OpenTelemetry Protocol Exporter".
"""

import time
from collections.abc import Mapping

from goldfleet.verify.budget import costs
from goldfleet.verify.model import CheckOutcome, HostResult, Verdict

ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
MOST_EVENTS = 50
SPANS_A_BATCH = 512
NANOSECONDS = 1_000_000_000
NOT_INSTALLED = "{} is set, but OpenTelemetry is not installed: no spans were sent; install goldfleet[otel]"
NOT_SENT = "OpenTelemetry: {} spans could not be sent to {}"


def send_spans(verdict: Verdict, run: str, seconds: float, environment: Mapping[str, str]) -> str:
    """Send the spans of a run that took so many seconds and has just ended, if the environment asks for them.

    Return what people should know, "" when there is nothing. That nothing could be sent is never an error.
    """
    asked = next((name for name in ENDPOINTS if environment.get(name)), "")
    if not asked or environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return ""
    try:
        return _send(verdict, run, seconds, environment[asked])
    except ImportError:
        return NOT_INSTALLED.format(asked)


def _send(verdict: Verdict, run: str, seconds: float, endpoint: str) -> str:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - where it is wanted
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import SpanExportResult  # noqa: PLC0415
    from opentelemetry.trace import Status, StatusCode, set_span_in_context  # noqa: PLC0415

    ended: list[ReadableSpan] = []

    class Keep(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            ended.append(span)

    provider = TracerProvider(resource=Resource.create({"service.name": "goldfleet"}))
    provider.add_span_processor(Keep())
    tracer = provider.get_tracer("goldfleet.verify")
    now = time.time_ns()
    began = now - int(seconds * NANOSECONDS)
    whole = tracer.start_span(f"verify {verdict.subject}".strip(), start_time=began, attributes=_about(verdict, run))
    below = set_span_in_context(whole)
    for host in verdict.hosts:
        span = tracer.start_span(host.instance_id or host.host, below, start_time=began, attributes=_about_host(host))
        until = began + int(host.seconds * NANOSECONDS)
        for check in host.bad[:MOST_EVENTS]:
            span.add_event(check.name, {"outcome": check.outcome.value, "message": check.message}, until)
        if not host.is_good:
            span.set_status(Status(StatusCode.ERROR, host.unreachable or host.not_run or host.verdict))
        span.end(until)
    if not verdict.is_good:
        whole.set_status(Status(StatusCode.ERROR, "not every server is proven"))
    whole.end(now)
    exporter = OTLPSpanExporter()
    try:
        starts = range(0, len(ended), SPANS_A_BATCH)
        failed = [
            start
            for start in starts
            if exporter.export(ended[start : start + SPANS_A_BATCH]) is not SpanExportResult.SUCCESS
        ]
    finally:
        exporter.shutdown()  # type: ignore[no-untyped-call]
        provider.shutdown()
    lost = sum(len(ended[start : start + SPANS_A_BATCH]) for start in failed)
    return NOT_SENT.format(lost, endpoint) if lost else ""


def _about(verdict: Verdict, run: str) -> dict[str, str | int | float | bool]:
    counted = {f"goldfleet.checks.{outcome.value}": verdict.count(outcome) for outcome in CheckOutcome}
    cost = {f"goldfleet.cost.{name}": number for name, number in costs(verdict).items()}
    return {
        "goldfleet.run": run,
        "goldfleet.subject": verdict.subject,
        "goldfleet.good": verdict.is_good,
        "goldfleet.servers": len(verdict.hosts),
        **counted,
        **cost,
    }


def _about_host(host: HostResult) -> dict[str, str | int]:
    counted = {f"goldfleet.checks.{outcome.value}": host.count(outcome) for outcome in CheckOutcome}
    return {
        "host.name": host.host,
        "host.id": host.instance_id,
        "host.image.id": host.image_id,
        "goldfleet.verdict": host.verdict,
        **counted,
    }
