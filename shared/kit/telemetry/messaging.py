"""The spans of an event: create, send, process. Well under 1 µs a message.

    POST …/posts SERVER ─ create community.post PRODUCER   its context is in the record
      send community.post CLIENT                 a new trace, linked to the create of every message
      process community.post CONSUMER            continues the create; a batch links to all creates

A trace that is not recorded costs nothing: it is propagated as text, without a span. FastStream's
and OpenTelemetry's middlewares are not used: they name spans differently from the semantic
conventions, add no links, and put all spans on one level.
"""

import time
from collections.abc import Collection, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Self

from shared.contracts.event import Fact
from shared.kit.core.host import Span, Telemetry
from shared.kit.core.unit_of_work import Delivery
from shared.kit.telemetry.context import is_sampled, trace_id, valid_traceparent

MAX_CONTINUED_TRACE_AGE = timedelta(minutes=10)
"""Older records start a new trace with links: a trace that lasts an hour cannot be read."""

Attributes = dict[str, str | float | bool]


def sampled_traceparents(traceparents: Iterable[str | None]) -> tuple[str, ...]:
    """Return the recorded traceparents without duplicates."""
    return tuple(dict.fromkeys([text for text in traceparents if text and is_sampled(text)]))


def record_create_span(
    telemetry: Telemetry, fact_type: str, topic: str, event_id: str, parent: str | None
) -> str | None:
    """Record the creation of an event, and return the trace context for its record's header.

    `parent` is the context of the event's cause: a request or a delivery. The span belongs to that
    trace, with a link to the current batch if there is one. If that trace is not recorded, no span
    is opened and its context is returned unchanged.
    """
    origin, current = valid_traceparent(parent), telemetry.current()
    parent_context, links = current, tuple[str, ...]()
    if origin is not None and (current is None or trace_id(current) != trace_id(origin)):
        parent_context, links = origin, sampled_traceparents([current])
    if parent_context is not None and not is_sampled(parent_context):
        return parent_context
    attributes = _attributes("create", (topic,)) | {
        "messaging.message.id": event_id,
        "cloudevents.event_id": event_id,
        "cloudevents.event_type": fact_type,
    }
    name = f"create {topic}"
    with telemetry.span(
        name, "producer", parent=parent_context, links=links, attributes=attributes
    ) as span:
        return span.traceparent or parent_context


def open_send_span(
    telemetry: Telemetry, topics: Mapping[str, int], traceparents: Iterable[str | None]
) -> AbstractContextManager[Span]:
    """Open the span of a batch that is sent to the broker, linked to its recorded messages.

    `topics` counts the batch's records by topic. The duration is recorded with or without a span.
    The trace contexts of the records do not change.
    """
    links = sampled_traceparents(traceparents)
    labels = _labels("send", topics)
    span_manager = None
    if links:
        attributes = _attributes("send", topics)
        attributes["messaging.batch.message_count"] = sum(topics.values())
        span_manager = telemetry.span(
            _name("send", topics), "client", links=links, attributes=attributes
        )
    return _Operation(telemetry, "messaging.client.operation.duration", labels, span_manager)


def open_process_span(
    telemetry: Telemetry,
    group: str,
    deliveries: Sequence[Delivery[Fact]],
    now: datetime,
    *,
    replay: bool = False,
) -> AbstractContextManager[Span]:
    """Open the span of deliveries that are applied; the duration is always recorded.

    A single recent message continues its own trace, with a link to it. A batch, a replay or an
    event older than ten minutes starts a new trace that links to the recorded traces; without
    recorded traces there is no span.
    """
    links = sampled_traceparents([delivery.traceparent for delivery in deliveries])
    topics = {delivery.partition.topic for delivery in deliveries}
    labels = _labels("process", topics) | {"messaging__consumer__group__name": group}
    single = deliveries[0] if len(deliveries) == 1 else None
    parent = None
    if single is not None and not replay and now - single.recorded < MAX_CONTINUED_TRACE_AGE:
        parent = valid_traceparent(single.traceparent)
    span_manager = None
    if links or parent:
        span_manager = telemetry.span(
            _name("process", topics),
            "consumer",
            parent=parent,
            links=links,
            attributes=_processed(group, topics, deliveries) if links else None,
        )
    return _Operation(telemetry, "messaging.process.duration", labels, span_manager)


def _processed(
    group: str, topics: Collection[str], deliveries: Sequence[Delivery[Fact]]
) -> Attributes:
    attributes = _attributes("process", topics)
    attributes["messaging.consumer.group.name"] = group
    if len({delivery.partition for delivery in deliveries}) == 1:
        number = deliveries[0].partition.number
        attributes["messaging.destination.partition.id"] = str(number)
    if len(deliveries) > 1:
        attributes["messaging.batch.message_count"] = len(deliveries)
        return attributes
    only = deliveries[0]
    return attributes | {
        "messaging.message.id": str(only.event_id),
        "messaging.kafka.offset": only.offset,
        "cloudevents.event_id": str(only.event_id),
        "cloudevents.event_type": only.fact.wire_type(),
    }


def _name(operation: str, topics: Collection[str]) -> str:
    """Return a span's name, with the topic if there is only one."""
    return f"{operation} {next(iter(topics))}" if len(topics) == 1 else operation


def _attributes(operation: str, topics: Collection[str]) -> Attributes:
    attributes: Attributes = {
        "messaging.system": "kafka",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
    }
    if len(topics) == 1:
        attributes["messaging.destination.name"] = next(iter(topics))
    return attributes


def _labels(operation: str, topics: Collection[str]) -> dict[str, str]:
    labels = {"messaging__system": "kafka", "messaging__operation__name": operation}
    if len(topics) == 1:
        labels["messaging__destination__name"] = next(iter(topics))
    return labels


class _Operation:
    """Measures an operation and opens its span, if it has one."""

    __slots__ = ("_labels", "_metric", "_span", "_span_manager", "_start", "_telemetry")

    def __init__(
        self,
        telemetry: Telemetry,
        metric: str,
        labels: dict[str, str],
        span_manager: AbstractContextManager[Span] | None,
    ) -> None:
        self._telemetry, self._metric, self._labels = telemetry, metric, labels
        self._span_manager = span_manager
        self._span: Span | None = None

    @property
    def traceparent(self) -> str | None:
        """The span's traceparent, if there is a span."""
        return self._span.traceparent if self._span is not None else None

    def set(self, **attributes: str | float | bool) -> None:
        """Add attributes to the span, if there is one."""
        if self._span is not None:
            self._span.set(**attributes)

    def __enter__(self) -> Self:
        self._start = time.perf_counter()
        if self._span_manager is not None:
            self._span = self._span_manager.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, stack: object) -> None:
        if kind is not None:
            self._labels["error__type"] = kind.__qualname__
        # Before the span is closed, so that the exemplar has its trace id.
        self._telemetry.observe(self._metric, time.perf_counter() - self._start, **self._labels)
        if self._span_manager is not None:
            self._span_manager.__exit__(kind, error, stack)  # type: ignore[arg-type]
