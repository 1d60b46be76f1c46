"""The closed list of metrics. Never a person or a tenant as a label."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]


@dataclass(frozen=True)
class Metric:
    """One metric: its kind, its unit, the labels it may have, and what it says."""

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    meaning: str


_LIST = (
    Metric(
        "http.server.request.duration",
        "histogram",
        "s",
        ("service", "method", "route", "status"),
        "How long a request took, from its first byte to the end of the answer.",
    ),
    Metric(
        "preau.event.end_to_end.duration",
        "histogram",
        "s",
        ("group",),
        "From the writing of a fact to its committed effect in a consumer group.",
    ),
    Metric(
        "preau.consumer.outcome",
        "counter",
        "{event}",
        ("group", "outcome"),
        "Records by what became of them: applied, ignored, duplicate, parked, dead_lettered.",
    ),
    Metric(
        "preau.consumer.last_poll.age",
        "gauge",
        "s",
        ("group",),
        "How long ago a reader last asked the broker.",
    ),
    Metric(
        "preau.outbox.pending", "gauge", "{event}", ("service",), "Facts written and not yet sent."
    ),
    Metric("preau.outbox.oldest.age", "gauge", "s", ("service",), "Age of the oldest unsent fact."),
    Metric(
        "messaging.client.operation.duration",
        "histogram",
        "s",
        ("service",),
        "How long sending a batch to the broker took, acknowledgements included.",
    ),
)
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _LIST}
