"""The metrics of one service: counters, gauges and histograms of the catalogue.

OpenTelemetry's SDK takes 5 µs a value, this store about 1 µs; each consumed event has a value.
`prometheus` and `otlp_push` read it. Thread-safe.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import NamedTuple

from shared.kit.telemetry.context import CURRENT_TRACEPARENT, is_sampled, span_id, trace_id
from shared.kit.telemetry.metric_catalogue import (
    SERVICE_LABEL,
    Kind,
    Metric,
    get_metric,
    label_name,
)


class StoredExemplar(NamedTuple):
    """An exemplar: one value of a bucket and the recorded trace that it belongs to."""

    value: float
    at: float
    trace_id: str
    span_id: str


@dataclass(slots=True)
class Series:
    """One metric with one set of labels.

    `bucket_counts` and `exemplars` have one entry per bucket of a histogram.
    """

    metric: Metric
    labels: Mapping[str, str]
    value: float = 0.0
    updated_at: float = 0.0
    bucket_counts: list[int] = field(default_factory=list)
    exemplars: list[StoredExemplar | None] = field(default_factory=list)


class MetricStore:
    """The current values of one service's metrics. `monotonic` and `wall` return seconds."""

    def __init__(
        self,
        service: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._service, self._monotonic, self._wall = service, monotonic, wall
        self.started_at = wall()
        self._lock = Lock()
        self._series: dict[tuple[str, frozenset[tuple[str, str]]], Series] = {}
        # The same series by the arguments of a call, so that a repeated call needs one lookup.
        self._series_by_call: dict[tuple[Kind, str, tuple[tuple[str, str], ...]], Series] = {}

    def count(self, name: str, amount: float, labels: Mapping[str, str]) -> None:
        """Add to a counter. Raises KeyError for an unknown metric or label."""
        series = self._find_series("counter", name, labels)
        with self._lock:
            series.value += amount

    def gauge(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """Set a gauge. Raises KeyError for an unknown metric or label."""
        series = self._find_series("gauge", name, labels)
        with self._lock:
            series.value, series.updated_at = value, self._monotonic()

    def observe(self, name: str, values: Sequence[float], labels: Mapping[str, str]) -> None:
        """Add values to a histogram. Raises KeyError for an unknown metric or label."""
        series = self._find_series("histogram", name, labels)
        buckets, counts = series.metric.buckets, series.bucket_counts
        trace = CURRENT_TRACEPARENT.get()
        with self._lock:
            for value in values:
                counts[bisect_left(buckets, value)] += 1
            series.value += sum(values)
            if trace is not None and is_sampled(trace):
                at, ids = self._wall(), (trace_id(trace), span_id(trace))
                for value in values:
                    series.exemplars[bisect_left(buckets, value)] = StoredExemplar(value, at, *ids)

    def collect(self) -> dict[str, list[Series]]:
        """Return copies of all series by metric name, without outdated gauges."""
        now = self._monotonic()
        series_by_name: dict[str, list[Series]] = {}
        with self._lock:
            for series in self._series.values():
                if not _is_outdated(series, now):
                    copy = replace(
                        series,
                        bucket_counts=list(series.bucket_counts),
                        exemplars=list(series.exemplars),
                    )
                    series_by_name.setdefault(series.metric.name, []).append(copy)
        return series_by_name

    def now_ns(self) -> int:
        """Return the wall clock time in nanoseconds since 1970."""
        return int(self._wall() * 1_000_000_000)

    def _find_series(self, kind: Kind, name: str, labels: Mapping[str, str]) -> Series:
        call = (kind, name, tuple(labels.items()))
        series = self._series_by_call.get(call)
        return series if series is not None else self._add_series(call)

    def _add_series(self, call: tuple[Kind, str, tuple[tuple[str, str], ...]]) -> Series:
        kind, name, pairs = call
        labels = {SERVICE_LABEL: self._service} | {
            label_name(label): value for label, value in pairs
        }
        metric = get_metric(name, kind, labels)
        with self._lock:
            key = (name, frozenset(labels.items()))
            series = self._series.get(key)
            if series is None:
                bucket_count = len(metric.buckets) + 1 if kind == "histogram" else 0
                series = Series(
                    metric,
                    labels,
                    bucket_counts=[0] * bucket_count,
                    exemplars=[None] * bucket_count,
                )
                self._series[key] = series
            self._series_by_call[call] = series
        return series


def _is_outdated(series: Series, now: float) -> bool:
    max_age = series.metric.max_age_seconds
    if series.metric.kind != "gauge" or max_age is None:
        return False
    return now - series.updated_at > max_age
