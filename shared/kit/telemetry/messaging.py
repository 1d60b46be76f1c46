"""The spans of an event's way: created, sent, processed. Well under 1 µs a message.

    POST /community/posts SERVER ─ create community.post PRODUCER    its context rides in the record
      send community.post CLIENT                 a trace of its own, linked to every create it sends
      process community.post CONSUMER            continues the create; a batch links to them instead

Only what is recorded costs: a trace that is not is carried on as text, without a span. Ours because
the stock middlewares reverse names, draw no links and flatten all of it into one level.
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
"""Older records start a new trace, with links only: a trace of an hour helps nobody."""

Attributes = dict[str, str | float | bool]


def sampled_traceparents(traceparents: Iterable[str | None]) -> tuple[str, ...]:
    """Keep those that are recorded, each once."""
    return tuple(dict.fromkeys([each for each in traceparents if each and is_sampled(each)]))


def record_create_span(
    telemetry: Telemetry, fact_type: str, topic: str, event_id: str, parent: str | None
) -> str | None:
    """Note that a fact was made, and give the trace context that rides in its record's header.

    `parent` is the context of what the fact follows from: a caller's, or a delivery's. It is in
    that trace, even when a batch of many traces is being processed; the batch is linked.
    Opens no span when that trace is not recorded: its context goes on as it is.
    """
    origin, current = valid_traceparent(parent), telemetry.current()
    above, links = current, tuple[str, ...]()
    if origin is not None and (current is None or trace_id(current) != trace_id(origin)):
        above, links = origin, sampled_traceparents([current])
    if above is not None and not is_sampled(above):
        return above
    attributes = _attributes("create", (topic,)) | {
        "messaging.message.id": event_id,
        "cloudevents.event_id": event_id,
        "cloudevents.event_type": fact_type,
    }
    name = f"create {topic}"
    with telemetry.span(name, "producer", parent=above, links=links, attributes=attributes) as span:
        return span.traceparent or above


def open_send_span(
    telemetry: Telemetry, topics: Mapping[str, int], traceparents: Iterable[str | None]
) -> AbstractContextManager[Span]:
    """Open the span of a batch on its way to the broker, linked to what is recorded in it.

    `topics` counts the batch's records by topic. The duration is told whether there is a span or
    not. The records' own contexts are left as they are.
    """
    links = sampled_traceparents(traceparents)
    labels = _labels("send", topics)
    opened = None
    if links:
        attributes = _attributes("send", topics)
        attributes["messaging.batch.message_count"] = sum(topics.values())
        opened = telemetry.span(_name("send", topics), "client", links=links, attributes=attributes)
    return _Operation(telemetry, "messaging.client.operation.duration", labels, opened)


def open_process_span(
    telemetry: Telemetry,
    group: str,
    deliveries: Sequence[Delivery[Fact]],
    now: datetime,
    *,
    replay: bool = False,
) -> AbstractContextManager[Span]:
    """Open the span of deliveries being applied; their duration is told in any case.

    A single fresh message continues its own trace, with a link to it. A batch, a replay, or what
    was written more than ten minutes ago starts a new one that links to those that are recorded;
    when none is, there is no span.
    """
    links = sampled_traceparents([delivery.traceparent for delivery in deliveries])
    topics = {delivery.partition.topic for delivery in deliveries}
    labels = _labels("process", topics) | {"messaging__consumer__group__name": group}
    one = deliveries[0] if len(deliveries) == 1 else None
    parent = None
    if one is not None and not replay and now - one.recorded < MAX_CONTINUED_TRACE_AGE:
        parent = valid_traceparent(one.traceparent)
    opened = None
    if links or parent:
        opened = telemetry.span(
            _name("process", topics),
            "consumer",
            parent=parent,
            links=links,
            attributes=_processed(group, topics, deliveries) if links else None,
        )
    return _Operation(telemetry, "messaging.process.duration", labels, opened)


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
    """Name a span: with its topic when there is one, without when there are several."""
    return f"{operation} {next(iter(topics))}" if len(topics) == 1 else operation


def _attributes(operation: str, topics: Collection[str]) -> Attributes:
    found: Attributes = {
        "messaging.system": "kafka",
        "messaging.operation.name": operation,
        "messaging.operation.type": operation,
    }
    if len(topics) == 1:
        found["messaging.destination.name"] = next(iter(topics))
    return found


def _labels(operation: str, topics: Collection[str]) -> dict[str, str]:
    labels = {"messaging__system": "kafka", "messaging__operation__name": operation}
    if len(topics) == 1:
        labels["messaging__destination__name"] = next(iter(topics))
    return labels


class _Operation:
    """Times an operation, inside of its span if it has one."""

    __slots__ = ("_began", "_labels", "_metric", "_opened", "_span", "_telemetry")

    def __init__(
        self,
        telemetry: Telemetry,
        metric: str,
        labels: dict[str, str],
        opened: AbstractContextManager[Span] | None,
    ) -> None:
        self._telemetry, self._metric, self._labels = telemetry, metric, labels
        self._opened = opened
        self._span: Span | None = None

    @property
    def traceparent(self) -> str | None:
        """The span's, if there is one."""
        return self._span.traceparent if self._span is not None else None

    def set(self, **attributes: str | float | bool) -> None:
        """Add attributes to the span, if there is one."""
        if self._span is not None:
            self._span.set(**attributes)

    def __enter__(self) -> Self:
        self._began = time.perf_counter()
        if self._opened is not None:
            self._span = self._opened.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: object, stack: object) -> None:
        if kind is not None:
            self._labels["error__type"] = kind.__qualname__
        # Inside of the span, so that the value can name its trace.
        self._telemetry.observe(self._metric, time.perf_counter() - self._began, **self._labels)
        if self._opened is not None:
            self._opened.__exit__(kind, error, stack)  # type: ignore[arg-type]
