"""The closed list of metrics; `docs/telemetry.md` is generated from it.

Names and labels follow the OpenTelemetry semantic conventions (1.44), or begin with `preau.` where
these have none. No label contains a person or a tenant. Recording a metric or a label that is not
listed raises KeyError.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]

SERVICE_LABEL = "service"
"""Every series has this label: the service that reports it."""

FAST_BUCKETS_SECONDS = (
    *(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1),
    *(0.25, 0.5, 1.0, 2.5, 5.0, 10.0),
)
# Objectives of reads and writes are 0.3 and 0.5 s, so a bucket ends at each.
REQUEST_BUCKETS_SECONDS = (
    *(0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.2),
    *(0.3, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0),
)
# 5, 10 and 60 s are objectives too.
END_TO_END_BUCKETS_SECONDS = (
    *(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
    *(2.5, 5.0, 10.0, 30.0, 60.0, 600.0, 3600.0),
)

_UNITS = {"s": "seconds", "By": "bytes", "1": "ratio"}


@dataclass(frozen=True)
class Metric:
    """One metric: its kind, unit (UCUM), allowed labels, meaning and histogram buckets.

    A gauge that was not updated for `max_age_seconds` is not shown any more: a consumer that lost
    a partition must not keep showing its lag. None shows it without limit.
    """

    name: str
    kind: Kind
    unit: str
    labels: tuple[str, ...]
    meaning: str
    buckets: tuple[float, ...] = ()
    max_age_seconds: float | None = 300.0

    @property
    def prometheus(self) -> str:
        """The name on the `/metrics` page and in queries, without `_total` or `_bucket`."""
        unit = _UNITS.get(self.unit)
        return self.name.replace(".", "_") + (f"_{unit}" if unit else "")


def seconds_histogram(
    name: str, labels: Iterable[str], meaning: str, buckets: tuple[float, ...]
) -> Metric:
    """Return a histogram metric in seconds."""
    return Metric(name, "histogram", "s", tuple(labels), meaning, buckets)


def reconciliation_gauge(name: str, unit: str, meaning: str, *labels: str) -> Metric:
    """Return a gauge metric of a reconciliation, shown until the next one."""
    meaning = f"At the last reconciliation: {meaning[0].lower()}{meaning[1:]}"
    return Metric(name, "gauge", unit, labels, meaning, max_age_seconds=None)


_LIST = (
    seconds_histogram(
        "http.server.request.duration",
        ("http.request.method", "http.route", "http.response.status_code", "error.type"),
        "From a request's arrival to the end of its response (its start, for an event stream).",
        REQUEST_BUCKETS_SECONDS,
    ),
    seconds_histogram(
        "db.client.operation.duration",
        ("db.system.name", "db.operation.name", "error.type"),
        "One statement, from sending it to its result.",
        FAST_BUCKETS_SECONDS,
    ),
    seconds_histogram(
        "db.client.connection.wait_time",
        ("db.client.connection.pool.name",),
        "Wait for a connection of the pool, with the handshake of a new connection.",
        FAST_BUCKETS_SECONDS,
    ),
    Metric(
        "db.client.connection.timeouts",
        "counter",
        "{timeout}",
        ("db.client.connection.pool.name",),
        "Waits that ended without a free connection.",
    ),
    Metric(
        "preau.http.shed",
        "counter",
        "{request}",
        ("reason",),
        "Requests refused with 503: outbox_age, connection_wait, turn_wait, queue_full, "
        "requests_at_once.",
    ),
    Metric(
        "preau.redis.away",
        "gauge",
        "1",
        (),
        "1 while Redis does not answer and limits are counted in each process, else 0.",
        max_age_seconds=None,
    ),
    seconds_histogram(
        "messaging.client.operation.duration",
        (
            "messaging.system",
            "messaging.operation.name",
            "messaging.destination.name",
            "error.type",
        ),
        "One batch of the relay, from sending it to the last acknowledgement.",
        FAST_BUCKETS_SECONDS,
    ),
    seconds_histogram(
        "messaging.process.duration",
        (
            "messaging.system",
            "messaging.operation.name",
            "messaging.consumer.group.name",
            "messaging.destination.name",
            "error.type",
        ),
        "One batch of a consumer, from its first reaction to its commit.",
        FAST_BUCKETS_SECONDS,
    ),
    seconds_histogram(
        "preau.event.end_to_end.duration",
        ("group",),
        "From the commit of an event to its committed effect in a consumer group.",
        END_TO_END_BUCKETS_SECONDS,
    ),
    seconds_histogram(
        "preau.job.duration",
        ("job", "error.type"),
        "One run of a periodic job.",
        (*REQUEST_BUCKETS_SECONDS, 30.0, 60.0),
    ),
    Metric(
        "preau.outbox.pending",
        "gauge",
        "{event}",
        (),
        "Events in the outbox that are not sent yet, counted by position.",
    ),
    Metric("preau.outbox.oldest.age", "gauge", "s", (), "Age of the oldest event not sent yet."),
    Metric(
        "preau.consumer.lag",
        "gauge",
        "{event}",
        ("group", "topic"),
        "Records that a group has not processed yet.",
    ),
    Metric(
        "preau.consumer.last_poll.age",
        "gauge",
        "s",
        ("group",),
        "Age of a consumer's last poll of the broker.",
    ),
    Metric(
        "preau.consumer.outcome",
        "counter",
        "{event}",
        ("group", "outcome"),
        "Records by what became of them: applied, ignored, duplicate, parked, retried, "
        "dead_lettered.",
    ),
    Metric(
        "preau.consumer.halted",
        "gauge",
        "1",
        ("group",),
        "1 while a group is stopped because too much of what it reads fails, else 0.",
    ),
    Metric(
        "preau.consumer.refused",
        "counter",
        "{event}",
        ("group", "topic"),
        "Records of identity's topics with a foreign source or a sequence that is not the next.",
    ),
    Metric(
        "preau.consumer.slow_effect",
        "counter",
        "{effect}",
        ("group", "reaction"),
        "Effects that took longer in the open transaction than the limit.",
    ),
    Metric(
        "preau.worker.lost",
        "counter",
        "{task}",
        ("pool", "reason"),
        "Tasks without a result from a worker process: late, died, failed, down.",
    ),
    Metric(
        "preau.consumer.rebalance",
        "counter",
        "{rebalance}",
        ("group",),
        "Rebalances that assigned partitions of the group again.",
    ),
    Metric(
        "preau.parked.depth",
        "gauge",
        "{event}",
        ("group",),
        "Events that failed, or wait behind a failed event of their key, and will be retried.",
    ),
    Metric(
        "preau.dead_letter.depth",
        "gauge",
        "{event}",
        ("group",),
        "Dead letters that wait for an operator's replay or skip.",
    ),
    reconciliation_gauge(
        "preau.reconcile.missing",
        "{event}",
        "Lost events: the group passed their offset without an entry in inbox or parked.",
        "group",
    ),
    reconciliation_gauge(
        "preau.reconcile.repeated",
        "{event}",
        "Records that are in the log more than once; inboxes skip them.",
    ),
    reconciliation_gauge(
        "preau.reconcile.lag",
        "{event}",
        "Events that the group had not applied yet.",
        "group",
    ),
    reconciliation_gauge(
        "preau.reconcile.different",
        "{row}",
        "Rows of the group's read model that differ from a replay of the log.",
        "group",
    ),
    reconciliation_gauge(
        "preau.reconcile.violations",
        "{violation}",
        "Violations by invariant (docs/reliability.md), including those above.",
        "invariant",
    ),
    reconciliation_gauge(
        "preau.reconcile.finished",
        "s",
        "Its end, in seconds since 1970; alert when this value gets old.",
    ),
)
METRICS: Mapping[str, Metric] = {metric.name: metric for metric in _LIST}


def get_metric(name: str, kind: Kind, labels: Iterable[str]) -> Metric:
    """Return the metric of this name. Raises KeyError unless name, kind and labels are listed."""
    metric = METRICS.get(name)
    if metric is None or metric.kind != kind:
        msg = f"no {kind} {name!r} in {__name__}: add it there, with its meaning"
        raise KeyError(msg)
    unknown = [label for label in labels if label != SERVICE_LABEL and label not in metric.labels]
    if unknown:
        msg = f"{name} has no label {', '.join(unknown)}; it has {', '.join(metric.labels)}"
        raise KeyError(msg)
    return metric


def label_name(label: str) -> str:
    """Return the label of a keyword argument: `http__route` means `http.route`."""
    return label.replace("__", ".")
