"""Telemetry over the OpenTelemetry SDK (traces) and the Prometheus client (metrics).

A provider and a registry per service, never a global one: five services share one process, and
FastAPI and others double every span once a global provider exists.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from shared.kit.host import Span
from shared.kit.telemetry.names import METRICS

_KINDS = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
}
_BODIES = {"counter": Counter, "gauge": Gauge, "histogram": Histogram}
_TRACEPARENT_PARTS = 4
_SAMPLED = 1
ENDPOINT = "OTEL_EXPORTER_OTLP_ENDPOINT"


def parse(traceparent: str | None) -> SpanContext | None:
    """Read a W3C `traceparent`; None for anything else."""
    parts = (traceparent or "").split("-")
    if len(parts) != _TRACEPARENT_PARTS:
        return None
    try:
        found = SpanContext(
            trace_id=int(parts[1], 16),
            span_id=int(parts[2], 16),
            is_remote=True,
            trace_flags=TraceFlags(int(parts[3], 16)),
        )
    except ValueError:
        return None
    return found if found.is_valid else None


def render(context: SpanContext) -> str | None:
    """Write a span's context as a W3C `traceparent`."""
    if not context.is_valid:
        return None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


class OtelSpan:
    """A span of the SDK."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def traceparent(self) -> str | None:
        """This span as a W3C `traceparent`."""
        return render(self._span.get_span_context())

    def set(self, **attributes: str | float | bool) -> None:
        """Add attributes; `__` stands for a dot."""
        for name, value in attributes.items():
            self._span.set_attribute(name.replace("__", "."), value)


class OtelTelemetry:
    """See `shared.kit.host.Telemetry`."""

    def __init__(
        self,
        service: str,
        *,
        sample: float = 0.1,
        exporters: Sequence[SpanExporter] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Sample the share `sample` of new traces; `exporters` are told of each span at once."""
        self._provider = TracerProvider(
            sampler=ParentBasedTraceIdRatio(sample),
            resource=Resource({"service.name": f"preau-{service}"}),
            shutdown_on_exit=False,
        )
        for exporter in exporters:
            self._provider.add_span_processor(SimpleSpanProcessor(exporter))
        endpoint = (environment or {}).get(ENDPOINT)
        if endpoint:
            otlp = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
            self._provider.add_span_processor(BatchSpanProcessor(otlp))
        self._tracer = self._provider.get_tracer("preau")
        self._registry = CollectorRegistry()
        self._metrics = {
            metric.name: _BODIES[metric.kind](
                metric.name.replace(".", "_"),
                metric.meaning,
                metric.labels,
                registry=self._registry,
            )
            for metric in METRICS.values()
        }

    @contextmanager
    def span(
        self,
        name: str,
        kind: str,
        *,
        parent: str | None = None,
        links: tuple[str, ...] = (),
        attributes: Mapping[str, str | float | bool] | None = None,
    ) -> Iterator[Span]:
        """Open a span; see the protocol."""
        found = parse(parent)
        context = trace.set_span_in_context(trace.NonRecordingSpan(found)) if found else None
        span = self._tracer.start_span(
            name,
            context,
            _KINDS[kind],
            dict(attributes or {}),
            [Link(linked) for linked in map(parse, links) if linked],
        )
        token = otel_context.attach(trace.set_span_in_context(span))
        try:
            yield OtelSpan(span)
        except BaseException as error:
            span.set_attribute("error.type", type(error).__name__)
            span.set_status(Status(StatusCode.ERROR))
            raise
        finally:
            otel_context.detach(token)
            span.end()

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter of the closed list. Raises KeyError for another name."""
        self._metrics[name].labels(**labels).inc(amount)

    def observe(self, name: str, value: float, **labels: str) -> None:
        """Add a value to a histogram of the closed list. Raises KeyError for another name."""
        self._metrics[name].labels(**labels).observe(value)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge of the closed list. Raises KeyError for another name."""
        self._metrics[name].labels(**labels).set(value)

    def current(self) -> str | None:
        """The traceparent of the span that is open in this task."""
        return render(trace.get_current_span().get_span_context())

    def page(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def shutdown(self) -> None:
        """Send what is left to the collector."""
        self._provider.shutdown()


def is_sampled(traceparent: str | None) -> bool:
    """Tell whether this trace is recorded, by the last two digits of its context."""
    return bool(traceparent) and bool(int((traceparent or "0")[-2:], 16) & _SAMPLED)
