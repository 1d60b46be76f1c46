"""The numbers of one service: counters, gauges and histograms of the closed list.

Our own table, because the SDK's takes 5 µs a value and there is one value per consumed event here;
`page` and `push` read it. Each value costs about 1 µs, and any thread may tell one.
"""

import time
from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
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
    """An exemplar: one value of a bucket and the recorded trace it was told in."""

    value: float
    at: float
    trace_id: str
    span_id: str


@dataclass(slots=True)
class Series:
    """One metric with one set of labels. `counts` and `examples` have one place per bucket."""

    metric: Metric
    labels: Mapping[str, str]
    value: float = 0.0
    updated_at: float = 0.0
    bucket_counts: list[int] = field(default_factory=list)
    exemplars: list[StoredExemplar | None] = field(default_factory=list)


class MetricStore:
    """What one service has told so far. `monotonic` and `wall` give seconds."""

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
        # The same series as a call spells it, so that the ordinary case is one look.
        self._spellings: dict[tuple[Kind, str, tuple[tuple[str, str], ...]], Series] = {}

    def count(self, name: str, amount: float, labels: Mapping[str, str]) -> None:
        """Add to a counter. Raises KeyError for what is not listed."""
        series = self._find("counter", name, labels)
        with self._lock:
            series.value += amount

    def gauge(self, name: str, value: float, labels: Mapping[str, str]) -> None:
        """Set a gauge. Raises KeyError for what is not listed."""
        series = self._find("gauge", name, labels)
        with self._lock:
            series.value, series.updated_at = value, self._monotonic()

    def observe(self, name: str, values: Sequence[float], labels: Mapping[str, str]) -> None:
        """Add values to a histogram. Raises KeyError for what is not listed."""
        series = self._find("histogram", name, labels)
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
        """Return copies of all series by the metric's name, without the gauges gone stale."""
        now = self._monotonic()
        found: dict[str, list[Series]] = {}
        with self._lock:
            for each in self._series.values():
                fresh = each.metric.max_age_seconds
                if (
                    each.metric.kind == "gauge"
                    and fresh is not None
                    and now - each.updated_at > fresh
                ):
                    continue
                found.setdefault(each.metric.name, []).append(
                    Series(
                        each.metric,
                        each.labels,
                        each.value,
                        each.updated_at,
                        list(each.bucket_counts),
                        list(each.exemplars),
                    )
                )
        return found

    def now_ns(self) -> int:
        """The present moment, in nanoseconds since 1970."""
        return int(self._wall() * 1_000_000_000)

    def _find(self, kind: Kind, name: str, labels: Mapping[str, str]) -> Series:
        spelling = (kind, name, tuple(labels.items()))
        series = self._spellings.get(spelling)
        return series if series is not None else self._begin(spelling)

    def _begin(self, spelling: tuple[Kind, str, tuple[tuple[str, str], ...]]) -> Series:
        kind, name, pairs = spelling
        labels = {SERVICE_LABEL: self._service} | {
            label_name(label): value for label, value in pairs
        }
        metric = get_metric(name, kind, labels)
        with self._lock:
            key = (name, frozenset(labels.items()))
            series = self._series.get(key)
            if series is None:
                places = len(metric.buckets) + 1 if kind == "histogram" else 0
                series = Series(
                    metric, labels, bucket_counts=[0] * places, exemplars=[None] * places
                )
                self._series[key] = series
            self._spellings[spelling] = series
        return series
