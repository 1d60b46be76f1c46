"""`shared.kit.core.host.Telemetry` with the OpenTelemetry SDK.

Each service has its own tracer provider, because several services share a process. Trap: with a
global provider, FastAPI and other libraries add a second span to every request. A span that is not
recorded uses no SDK object: only its traceparent is propagated.
"""

import random
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager

from opentelemetry.context import Context, get_current
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import SpanLimits, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SimpleSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.semconv.schemas import Schemas
from opentelemetry.trace import (
    Link,
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    TraceFlags,
    Tracer,
    set_span_in_context,
)

from shared.kit.core.host import Span
from shared.kit.telemetry.context import CURRENT_TRACEPARENT, is_sampled, valid_traceparent
from shared.kit.telemetry.metric_store import MetricStore
from shared.kit.telemetry.otlp_push import MetricsPusher
from shared.kit.telemetry.prometheus import render_metrics
from shared.kit.telemetry.spans import RecordedSpan, UnrecordedSpan

ENDPOINT_VARIABLE = "OTEL_EXPORTER_OTLP_ENDPOINT"
EXPORT_TIMEOUT_SECONDS = 5.0
"""Limit of one export, also of the last one at a stop."""
MAX_LINKS_PER_SPAN = 2048
_KINDS = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
}
_EMPTY_CONTEXT = Context()


class OtelTelemetry:
    """See `shared.kit.core.host.Telemetry`; one per service, closed with `shutdown`."""

    def __init__(
        self,
        service: str,
        *,
        sample_ratio: float = 0.1,
        version: str = "1",
        instance: str = "",
        exporters: Sequence[SpanExporter] = (),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        """Record the share `sample_ratio` of new traces.

        Spans and metrics are pushed to the collector in `OTEL_EXPORTER_OTLP_ENDPOINT`, if
        `environment` has it; `exporters` receive each span when it ends.
        """
        self._sample_ratio = sample_ratio
        attributes = {"service.name": f"preau-{service}", "service.version": version}
        if instance:
            attributes["service.instance.id"] = instance
        resource = Resource(attributes, Schemas.V1_44_0.value)
        # The sampling decision is made in `span`, before the SDK is called.
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=resource,
            shutdown_on_exit=False,
            span_limits=SpanLimits(max_links=MAX_LINKS_PER_SPAN),
        )
        for exporter in exporters:
            self._provider.add_span_processor(SimpleSpanProcessor(exporter))
        self.metric_store = MetricStore(service)
        self._pusher: MetricsPusher | None = None
        endpoint = (environment or {}).get(ENDPOINT_VARIABLE, "").rstrip("/")
        if endpoint:
            self._pusher = self._push_to(endpoint, resource)
        self._tracer: Tracer = self._provider.get_tracer("preau", schema_url=Schemas.V1_44_0.value)

    def _push_to(self, endpoint: str, resource: Resource) -> MetricsPusher:
        timeout = EXPORT_TIMEOUT_SECONDS
        exporter = OTLPSpanExporter(endpoint=f"{endpoint}/v1/traces", timeout=timeout)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        return MetricsPusher(self.metric_store, resource, f"{endpoint}/v1/metrics", timeout)

    def span(
        self,
        name: str,
        kind: str,
        *,
        parent: str | None = None,
        links: tuple[str, ...] = (),
        attributes: Mapping[str, str | float | bool] | None = None,
    ) -> AbstractContextManager[Span]:
        """Open a span; see `shared.kit.core.host.Telemetry`.

        It is recorded if its parent is. Links without a parent begin a new trace, recorded if a
        linked trace is; without parent and links, the share `sample_ratio` is recorded.
        """
        current = CURRENT_TRACEPARENT.get()
        parent = valid_traceparent(parent) or (None if links else current)
        recorded_links = [link for link in links if is_sampled(link) and valid_traceparent(link)]
        if not self._is_recorded(
            parent, has_links=bool(links), links_recorded=bool(recorded_links)
        ):
            return UnrecordedSpan(parent)
        span = self._tracer.start_span(
            name,
            get_current() if parent is not None and parent == current else _to_context(parent),
            _KINDS[kind],
            attributes,
            [Link(_to_span_context(link)) for link in recorded_links],
        )
        return RecordedSpan(span)

    def _is_recorded(self, parent: str | None, *, has_links: bool, links_recorded: bool) -> bool:
        if parent is not None:
            return is_sampled(parent)
        if has_links:
            return links_recorded
        return random.random() < self._sample_ratio  # noqa: S311  a share, not a secret

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter. Raises KeyError for an unknown metric or label."""
        self.metric_store.count(name, amount, labels)

    def observe(self, name: str, *values: float, **labels: str) -> None:
        """Add values to a histogram. Raises KeyError for an unknown metric or label."""
        self.metric_store.observe(name, values, labels)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge. Raises KeyError for an unknown metric or label."""
        self.metric_store.gauge(name, value, labels)

    def current(self) -> str | None:
        """The traceparent of the current span of this task."""
        return CURRENT_TRACEPARENT.get()

    def prometheus_page(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return render_metrics([self])[0]

    def shutdown(self) -> None:
        """Export the remaining spans and metrics.

        Blocks for about `EXPORT_TIMEOUT_SECONDS` if the collector is unavailable.
        """
        if self._pusher is not None:
            self._pusher.stop()
        self._provider.shutdown()
        if self._pusher is not None:
            self._pusher.join()


def _to_context(traceparent: str | None) -> Context:
    if traceparent is None:
        return _EMPTY_CONTEXT
    return set_span_in_context(NonRecordingSpan(_to_span_context(traceparent)), _EMPTY_CONTEXT)


def _to_span_context(traceparent: str) -> SpanContext:
    """Parse a well-formed traceparent."""
    return SpanContext(
        trace_id=int(traceparent[3:35], 16),
        span_id=int(traceparent[36:52], 16),
        is_remote=True,
        trace_flags=TraceFlags(int(traceparent[53:55], 16)),
    )
