"""The body of `shared.kit.core.host.Telemetry` over the OpenTelemetry SDK.

A tracer provider per service, never a global one: five services share one process, and FastAPI and
others double every span once a global provider exists. What is not recorded builds no span of the
SDK at all: its traceparent is carried on as text.
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
"""Seconds that one push may take, the last one at a stop too."""
MAX_LINKS_PER_SPAN = 2048
_KINDS = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "producer": SpanKind.PRODUCER,
    "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
}
_NOWHERE = Context()


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
        """Record the share `sample` of new traces.

        Spans and values are pushed to the collector that `OTEL_EXPORTER_OTLP_ENDPOINT` names, if
        the environment handed in names one; `exporters` are told of each span at once.
        """
        self._sample = sample_ratio
        attributes = {"service.name": f"preau-{service}", "service.version": version}
        if instance:
            attributes["service.instance.id"] = instance
        resource = Resource(attributes, Schemas.V1_44_0.value)
        # Whether to record is decided in `span`, before the SDK is asked for anything.
        self._provider = TracerProvider(
            sampler=ALWAYS_ON,
            resource=resource,
            shutdown_on_exit=False,
            span_limits=SpanLimits(max_links=MAX_LINKS_PER_SPAN),
        )
        for exporter in exporters:
            self._provider.add_span_processor(SimpleSpanProcessor(exporter))
        self.metric_store = MetricStore(service)
        self._push: MetricsPusher | None = None
        endpoint = (environment or {}).get(ENDPOINT_VARIABLE, "").rstrip("/")
        if endpoint:
            spans = OTLPSpanExporter(
                endpoint=f"{endpoint}/v1/traces", timeout=EXPORT_TIMEOUT_SECONDS
            )
            self._provider.add_span_processor(BatchSpanProcessor(spans))
            self._push = MetricsPusher(
                self.metric_store, resource, f"{endpoint}/v1/metrics", EXPORT_TIMEOUT_SECONDS
            )
        self._tracer: Tracer = self._provider.get_tracer("preau", schema_url=Schemas.V1_44_0.value)

    def span(
        self,
        name: str,
        kind: str,
        *,
        parent: str | None = None,
        links: tuple[str, ...] = (),
        attributes: Mapping[str, str | float | bool] | None = None,
    ) -> AbstractContextManager[Span]:
        """Open a span; see the protocol.

        It is recorded if its parent is. Links without a parent begin a new trace, recorded if one
        of the linked is; without links either, the share `sample` of the new traces is.
        """
        before = CURRENT_TRACEPARENT.get()
        above = valid_traceparent(parent) or (None if links else before)
        wanted = tuple(
            linked for linked in links if is_sampled(linked) and valid_traceparent(linked)
        )
        if not self._records(above, new_trace_with_links=bool(links), linked=bool(wanted)):
            return UnrecordedSpan(above)
        span = self._tracer.start_span(
            name,
            get_current() if above is not None and above == before else _context(above),
            _KINDS[kind],
            attributes,
            [Link(_parsed(linked)) for linked in wanted],
        )
        return RecordedSpan(span)

    def _records(self, above: str | None, *, new_trace_with_links: bool, linked: bool) -> bool:
        if above is not None:
            return is_sampled(above)
        if new_trace_with_links:
            return linked
        return random.random() < self._sample  # noqa: S311  a share, not a secret

    def count(self, name: str, amount: float = 1, **labels: str) -> None:
        """Add to a counter of the closed list. Raises KeyError for another name or label."""
        self.metric_store.count(name, amount, labels)

    def observe(self, name: str, *values: float, **labels: str) -> None:
        """Add values to a histogram of the list. Raises KeyError for another name or label."""
        self.metric_store.observe(name, values, labels)

    def gauge(self, name: str, value: float, **labels: str) -> None:
        """Set a gauge of the closed list. Raises KeyError for another name or label."""
        self.metric_store.gauge(name, value, labels)

    def current(self) -> str | None:
        """The traceparent of the span that is open in this task."""
        return CURRENT_TRACEPARENT.get()

    def prometheus_page(self) -> bytes:
        """The metrics in Prometheus' text format."""
        return render_metrics([self])[0]

    def shutdown(self) -> None:
        """Send what is left to the collector; blocks for up to `EXPORT_TIMEOUT_SECONDS`."""
        if self._push is not None:
            self._push.stop()
        self._provider.shutdown()
        if self._push is not None:
            self._push.join()


def _context(traceparent: str | None) -> Context:
    if traceparent is None:
        return _NOWHERE
    return set_span_in_context(NonRecordingSpan(_parsed(traceparent)), _NOWHERE)


def _parsed(traceparent: str) -> SpanContext:
    """Read a traceparent that is known to be well-formed."""
    return SpanContext(
        trace_id=int(traceparent[3:35], 16),
        span_id=int(traceparent[36:52], 16),
        is_remote=True,
        trace_flags=TraceFlags(int(traceparent[53:55], 16)),
    )
