"""Telemetry that keeps its spans in memory, and example deliveries for messaging spans."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.util.types import AttributeValue

from shared.contracts.community import PostPublished
from shared.contracts.event import Fact, Origin
from shared.contracts.ids import EventId, TenantId
from shared.kit.core.bus import Partition
from shared.kit.core.unit_of_work import Delivery
from shared.kit.telemetry.otel import OtelTelemetry

NOON = datetime(2026, 11, 25, 12, tzinfo=UTC)
SAMPLED = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = "00-1bf7651916cd43dd8448eb211c80319c-c7ad6b7169203331-00"
TENANT = TenantId(UUID(int=7))


@dataclass
class TelemetryRecorder:
    """A service's telemetry and its finished spans."""

    telemetry: OtelTelemetry
    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self.exporter.get_finished_spans()

    @property
    def names(self) -> list[str]:
        return [span.name for span in self.spans]

    def span_named(self, name: str) -> ReadableSpan:
        (match,) = [span for span in self.spans if span.name == name]
        return match

    @property
    def metrics_page(self) -> str:
        return self.telemetry.prometheus_page().decode()


def record_telemetry(service: str = "community", *, sample_ratio: float = 1.0) -> TelemetryRecorder:
    exporter = InMemorySpanExporter()
    return TelemetryRecorder(
        OtelTelemetry(service, sample_ratio=sample_ratio, exporters=[exporter]), exporter
    )


def span_traceparent(span: ReadableSpan) -> str:
    """Return the traceparent of a span."""
    context = span.get_span_context()
    assert context is not None
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


def attributes_of(span: ReadableSpan) -> Mapping[str, AttributeValue]:
    return span.attributes or {}


def trace_and_span_ids(traceparent: str | None) -> tuple[str, str]:
    """Return the trace id and the span id, without the flags."""
    assert traceparent is not None
    return traceparent[3:35], traceparent[36:52]


def parent_ids(span: ReadableSpan) -> tuple[str, str] | None:
    parent = span.parent
    return None if parent is None else (f"{parent.trace_id:032x}", f"{parent.span_id:016x}")


def link_ids(span: ReadableSpan) -> list[tuple[str, str]]:
    return [
        (f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") for link in span.links
    ]


def a_traceparent(*, sampled: bool = True) -> str:
    return f"00-{uuid4().hex}-{uuid4().hex[:16]}-{'01' if sampled else '00'}"


def a_delivery(
    traceparent: str | None = SAMPLED,
    *,
    age: timedelta = timedelta(seconds=1),
    topic: str = "community.post",
    number: int = 3,
    offset: int = 42,
) -> Delivery[Fact]:
    then = NOON - age
    return Delivery(
        fact=PostPublished.example(),
        event_id=EventId(uuid4()),
        tenant=TENANT,
        time=then,
        recorded=then,
        received=NOON,
        origin=Origin.LIVE,
        correlation="c",
        sequence=1,
        key="k",
        partition=Partition(topic, number),
        offset=offset,
        traceparent=traceparent,
    )
