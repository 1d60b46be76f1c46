"""The spans of an event's way: created, sent, processed. About 1 µs a message when not sampled."""

from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta

from shared.kit.host import Span, Telemetry

STALE = timedelta(minutes=10)
"""Older records start a new trace, with links only: a trace of an hour helps nobody."""
MAX_LINKS = 100
_SAMPLED_SUFFIXES = ("1", "3", "5", "7", "9", "b", "d", "f")


def sampled(traceparents: Sequence[str | None]) -> tuple[str, ...]:
    """Keep the recorded ones, at most `MAX_LINKS`."""
    found = [trace for trace in traceparents if trace and trace.endswith(_SAMPLED_SUFFIXES)]
    return tuple(dict.fromkeys(found))[:MAX_LINKS]


def create_span(
    telemetry: Telemetry, fact_type: str, topic: str, event_id: str, parent: str | None
) -> str | None:
    """Note that a fact was made, and give the trace context that rides in its record's header.

    Opens no span when the trace it belongs to is not recorded: its context goes on as it is.
    """
    current = telemetry.current() or parent
    if current and not sampled([current]):
        return current
    attributes = {
        "messaging.system": "kafka",
        "messaging.operation.name": "create",
        "messaging.operation.type": "create",
        "messaging.destination.name": topic,
        "messaging.message.id": event_id,
        "cloudevents.event_id": event_id,
        "cloudevents.event_type": fact_type,
    }
    with telemetry.span(
        f"create {topic}", "producer", parent=current, attributes=attributes
    ) as span:
        return span.traceparent


def send_span(
    telemetry: Telemetry, topic: str, count: int, traceparents: Sequence[str]
) -> AbstractContextManager[Span]:
    """Open the span of a batch on its way to the broker, linked to what it holds."""
    attributes: dict[str, str | float | bool] = {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": topic,
        "messaging.batch.message_count": count,
    }
    return telemetry.span(
        f"send {topic}", "client", links=sampled(traceparents), attributes=attributes
    )


def process_span(
    telemetry: Telemetry,
    group: str,
    topic: str,
    traceparents: Sequence[str | None],
    oldest: datetime,
    now: datetime,
) -> AbstractContextManager[Span]:
    """Open the span of a batch being applied.

    A single fresh message continues its own trace; a batch, or what is older than ten minutes,
    starts a new one that links to those that are recorded.
    """
    links = sampled(traceparents)
    fresh = now - oldest < STALE
    parent = traceparents[0] if len(traceparents) == 1 and fresh else None
    attributes: dict[str, str | float | bool] = {
        "messaging.system": "kafka",
        "messaging.operation.name": "process",
        "messaging.operation.type": "process",
        "messaging.destination.name": topic,
        "messaging.consumer.group.name": group,
        "messaging.batch.message_count": len(traceparents),
    }
    return telemetry.span(
        f"process {topic}", "consumer", parent=parent, links=links, attributes=attributes
    )
