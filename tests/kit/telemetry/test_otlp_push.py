"""OTLP export of spans and metrics to a collector, and the stop without one."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from shared.kit.telemetry.otel import ENDPOINT_VARIABLE, OtelTelemetry
from shared.kit.tools.cli.reconcile_metrics import ReconcileMetrics
from shared.kit.tools.reconcile.report import Report

pytestmark = [pytest.mark.enable_socket, pytest.mark.allow_hosts(["127.0.0.1"])]


class Collector(ThreadingHTTPServer):
    def __init__(self) -> None:
        self.got: dict[str, bytes] = {}
        super().__init__(("127.0.0.1", 0), Receiver)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Receiver(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        self.server.got[self.path] = self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def collector() -> Iterator[Collector]:
    with Collector() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def test_collector_receives_spans_and_metrics_with_exemplars(
    collector: Collector,
) -> None:
    telemetry = OtelTelemetry(
        "community", sample_ratio=1, environment={ENDPOINT_VARIABLE: collector.endpoint}
    )

    with telemetry.span("écrire", "server") as span:
        telemetry.observe("preau.job.duration", 0.2, job="é")
    telemetry.count("preau.consumer.outcome", 3, group="g", outcome="applied")
    telemetry.gauge("preau.outbox.pending", 2)
    telemetry.shutdown()

    spans = ExportTraceServiceRequest.FromString(collector.got["/v1/traces"])
    (sent,) = spans.resource_spans[0].scope_spans[0].spans
    assert sent.name == "écrire"
    assert span.traceparent is not None
    numbers = ExportMetricsServiceRequest.FromString(collector.got["/v1/metrics"])
    metrics = {
        metric.name: metric for metric in numbers.resource_metrics[0].scope_metrics[0].metrics
    }
    (outcome,) = metrics["preau.consumer.outcome"].sum.data_points
    assert outcome.as_double == 3
    assert metrics["preau.consumer.outcome"].sum.is_monotonic
    (pending,) = metrics["preau.outbox.pending"].gauge.data_points
    assert pending.as_double == 2
    (job,) = metrics["preau.job.duration"].histogram.data_points
    assert (job.count, sum(job.bucket_counts), job.sum) == (1, 1, 0.2)
    assert len(job.bucket_counts) == len(job.explicit_bounds) + 1
    assert job.exemplars[0].trace_id.hex() == span.traceparent[3:35]


def test_unavailable_collector_does_not_delay_the_stop() -> None:
    telemetry = OtelTelemetry(
        "community", sample_ratio=1, environment={ENDPOINT_VARIABLE: "http://127.0.0.1:9"}
    )
    with telemetry.span("a", "internal"):
        pass

    began = time.monotonic()
    telemetry.shutdown()

    assert time.monotonic() - began < 8


def test_single_push_returns_whether_the_collector_accepted_it(
    collector: Collector,
) -> None:
    report = Report(missing={"metrics": 2})
    figures = ReconcileMetrics.from_report(report, datetime(2026, 11, 25, tzinfo=UTC))

    assert figures.push({ENDPOINT_VARIABLE: f"{collector.endpoint}/"})
    assert not figures.push({ENDPOINT_VARIABLE: "http://127.0.0.1:9"})

    numbers = ExportMetricsServiceRequest.FromString(collector.got["/v1/metrics"])
    metrics = {
        metric.name: metric for metric in numbers.resource_metrics[0].scope_metrics[0].metrics
    }
    (missing,) = metrics["preau.reconcile.missing"].gauge.data_points
    assert missing.as_double == 2
    assert {attribute.key: attribute.value.string_value for attribute in missing.attributes} == {
        "group": "metrics",
        "service": "reconcile",
    }
