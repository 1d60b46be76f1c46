"""Pushes a service's numbers to the collector (OTLP over HTTP), exemplars included."""

from threading import Event, Thread

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import Exemplar
from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Histogram,
    HistogramDataPoint,
    Metric,
    MetricExportResult,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from shared.kit.telemetry.logs import get_logger
from shared.kit.telemetry.metric_store import MetricStore, Series

log = get_logger("telemetry")
PUSH_INTERVAL_SECONDS = 30.0
"""Seconds between two pushes."""
_NANO = 1_000_000_000
_CUMULATIVE = AggregationTemporality.CUMULATIVE


class MetricsPusher:
    """A thread that pushes every 30 seconds, and once more at the end."""

    def __init__(
        self,
        measures: MetricStore,
        resource: Resource,
        endpoint: str,
        timeout: float,
    ) -> None:
        """Start; one push takes at most `timeout` seconds."""
        self._measures, self._resource, self._timeout = measures, resource, timeout
        self._exporter = OTLPMetricExporter(endpoint=endpoint, timeout=timeout)
        self._stop = Event()
        self._thread = Thread(target=self._run, name="metrics-push", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._stop.wait(PUSH_INTERVAL_SECONDS):
            self._push()
        self._push()

    def _push(self) -> None:
        try:
            self._exporter.export(to_otlp(self._measures, self._resource))
        except Exception:
            # Whatever it was: the next push holds the same numbers and more.
            log.exception("numbers not pushed")

    def stop(self) -> None:
        """Begin the last push, without waiting for it."""
        self._stop.set()

    def join(self) -> None:
        """Wait for the last push; gives up after the time that one may take."""
        self._thread.join(self._timeout + 1)
        self._exporter.shutdown()


def push_once(measures: MetricStore, resource: Resource, endpoint: str, timeout: float) -> bool:
    """Push the numbers of a program that ends now; tell whether the collector took them."""
    exporter = OTLPMetricExporter(endpoint=endpoint, timeout=timeout)
    try:
        return exporter.export(to_otlp(measures, resource)) is MetricExportResult.SUCCESS
    finally:
        exporter.shutdown()


def to_otlp(measures: MetricStore, resource: Resource) -> MetricsData:
    """Write the numbers as OTLP has them."""
    metrics = [
        Metric(name, series[0].metric.meaning, series[0].metric.unit, _points(measures, series))
        for name, series in measures.collect().items()
    ]
    scope = ScopeMetrics(InstrumentationScope("preau"), metrics, "")
    return MetricsData([ResourceMetrics(resource, [scope], "")])


def _points(measures: MetricStore, series: list[Series]) -> Sum | Gauge | Histogram:
    began, now = int(measures.started_at * _NANO), measures.now_ns()
    kind = series[0].metric.kind
    if kind == "histogram":
        points = [_histogram(each, began, now) for each in series]
        return Histogram(points, _CUMULATIVE)
    numbers = [NumberDataPoint(dict(s.labels), began, now, float(s.value)) for s in series]
    return Gauge(numbers) if kind == "gauge" else Sum(numbers, _CUMULATIVE, is_monotonic=True)


def _histogram(series: Series, began: int, now: int) -> HistogramDataPoint:
    exemplars = [
        Exemplar(
            {}, each.value, int(each.at * _NANO), int(each.span_id, 16), int(each.trace_id, 16)
        )
        for each in series.exemplars
        if each is not None
    ]
    return HistogramDataPoint(
        attributes=dict(series.labels),
        start_time_unix_nano=began,
        time_unix_nano=now,
        count=sum(series.bucket_counts),
        sum=series.value,
        bucket_counts=series.bucket_counts,
        explicit_bounds=series.metric.buckets,
        # Optional in OTLP, and little use over the whole life of a process.
        min=None,  # type: ignore[arg-type]  # the encoder leaves it out
        max=None,  # type: ignore[arg-type]
        exemplars=exemplars,
    )
