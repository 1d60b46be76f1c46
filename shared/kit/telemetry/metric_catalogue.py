"""The closed list of metrics; `docs/telemetry.md` is written from it.

Never a person or a tenant as a label. Names and labels of the OpenTelemetry semantic conventions
(1.44) where they have one, `preau.…` where they have none. A metric or a label that is not here
is a mistake of the program: it raises KeyError where it is told.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

Kind = Literal["counter", "gauge", "histogram"]

SERVICE_LABEL = "service"
"""Every series has this label, whether it is said or not: who tells it."""

FAST_BUCKETS_SECONDS = (
    0.001,
    0.0025,
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
)
# 0.3 and 0.5 are promises (10.4: reads and writes), so a bucket ends there.
REQUEST_BUCKETS_SECONDS = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.075,
    0.1,
    0.2,
    0.3,
    0.5,
    0.75,
    1.0,
    2.5,
    5.0,
    10.0,
)
# 5, 10 and 60 seconds are promises too.
END_TO_END_BUCKETS_SECONDS = (
    0.005,
    0.01,
    0.025,
    0.05,
    0.1,
    0.25,
    0.5,
    1.0,
    2.5,
    5.0,
    10.0,
    30.0,
    60.0,
    600.0,
    3600.0,
)

_UNITS = {"s": "seconds", "By": "bytes", "1": "ratio"}


@dataclass(frozen=True)
class Metric:
    """One metric: kind, unit (UCUM), the labels it may have, what it says, its buckets.

    `fresh` is for gauges, in seconds: a value that nobody has told again for so long is no longer
    shown (a reader that lost its partitions must not show their lag for ever). None keeps it.
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
    """Describe a histogram of seconds."""
    return Metric(name, "histogram", "s", tuple(labels), meaning, buckets)


def reconciliation_gauge(name: str, unit: str, meaning: str, *labels: str) -> Metric:
    """Describe a gauge of a reconciliation; it stays until the next one."""
    meaning = f"At the last reconciliation: {meaning[0].lower()}{meaning[1:]}"
    return Metric(name, "gauge", unit, labels, meaning, max_age_seconds=None)


_LIST = (
    seconds_histogram(
        "http.server.request.duration",
        ("http.request.method", "http.route", "http.response.status_code", "error.type"),
        "From a request's arrival to the end of its answer (its beginning, for an event stream).",
        REQUEST_BUCKETS_SECONDS,
    ),
    seconds_histogram(
        "db.client.operation.duration",
        ("db.system.name", "db.operation.name", "error.type"),
        "One statement, from sending it to its answer.",
        FAST_BUCKETS_SECONDS,
    ),
    seconds_histogram(
        "db.client.connection.wait_time",
        ("db.client.connection.pool.name",),
        "From asking the pool for a connection to having it, a new one's handshake included.",
        FAST_BUCKETS_SECONDS,
    ),
    Metric(
        "db.client.connection.timeouts",
        "counter",
        "{timeout}",
        ("db.client.connection.pool.name",),
        "Times that no connection was free in time.",
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
        "One batch of a consumer, from its first decision to its commit.",
        FAST_BUCKETS_SECONDS,
    ),
    seconds_histogram(
        "preau.event.end_to_end.duration",
        ("group",),
        "From the writing of a fact to its committed effect in a consumer group.",
        END_TO_END_BUCKETS_SECONDS,
    ),
    seconds_histogram(
        "preau.job.duration",
        ("job", "error.type"),
        "One run of what is due by the clock.",
        (*REQUEST_BUCKETS_SECONDS, 30.0, 60.0),
    ),
    Metric(
        "preau.outbox.pending",
        "gauge",
        "{event}",
        (),
        "Facts written and not yet sent, counted by their positions.",
    ),
    Metric("preau.outbox.oldest.age", "gauge", "s", (), "Age of the oldest fact not yet sent."),
    Metric(
        "preau.consumer.lag",
        "gauge",
        "{event}",
        ("group", "topic"),
        "Records that a group has not yet answered for.",
    ),
    Metric(
        "preau.consumer.last_poll.age",
        "gauge",
        "s",
        ("group",),
        "How long ago a reader last asked the broker.",
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
        "Effects that took longer inside the open transaction than they should.",
    ),
    Metric(
        "preau.worker.lost",
        "counter",
        "{task}",
        ("pool", "reason"),
        "Tasks that a worker process did not answer: late, died, failed, down.",
    ),
    Metric(
        "preau.consumer.rebalance",
        "counter",
        "{rebalance}",
        ("group",),
        "Times that a group's partitions changed hands.",
    ),
    Metric(
        "preau.parked.depth",
        "gauge",
        "{event}",
        ("group",),
        "Events that failed, or wait behind one of their key, and will be tried again.",
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
        "Events that the group has passed and left no trace of: lost.",
        "group",
    ),
    reconciliation_gauge(
        "preau.reconcile.repeated",
        "{event}",
        "Records that stand in the log once more, which inboxes absorb.",
    ),
    reconciliation_gauge(
        "preau.reconcile.lag",
        "{event}",
        "Events that the group had not yet applied.",
        "group",
    ),
    reconciliation_gauge(
        "preau.reconcile.different",
        "{row}",
        "Rows of the group's read model that are not what a replay of the log makes.",
        "group",
    ),
    reconciliation_gauge(
        "preau.reconcile.violations",
        "{violation}",
        "Broken promises, by invariant (docs/reliability.md), those above included.",
        "invariant",
    ),
    reconciliation_gauge(
        "preau.reconcile.finished",
        "s",
        "When it ended, in seconds since 1970: silence is no proof.",
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
    """Return the label that a keyword argument stands for: `http__route` is `http.route`."""
    return label.replace("__", ".")
