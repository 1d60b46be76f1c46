"""Push a service's metrics with their exemplars to a collector (OTLP over HTTP)."""

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
_NANOSECONDS_PER_SECOND = 1_000_000_000
_CUMULATIVE = AggregationTemporality.CUMULATIVE


class MetricsPusher:
    """A thread that pushes the metrics every 30 seconds, and a last time at the stop."""

    def __init__(
        self,
        measures: MetricStore,
        resource: Resource,
        endpoint: str,
        timeout: float,
    ) -> None:
        """Start the thread; one push takes at most `timeout` seconds."""
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
            # Nothing is lost: the values are cumulative, the next push contains them.
            log.exception("numbers not pushed")

    def stop(self) -> None:
        """Start the last push without waiting for its end."""
        self._stop.set()

    def join(self) -> None:
        """Wait for the last push, at most one second longer than its timeout."""
        self._thread.join(self._timeout + 1)
        self._exporter.shutdown()


def push_once(measures: MetricStore, resource: Resource, endpoint: str, timeout: float) -> bool:
    """Push the metrics of a program that ends; return whether the collector accepted them."""
    exporter = OTLPMetricExporter(endpoint=endpoint, timeout=timeout)
    try:
        return exporter.export(to_otlp(measures, resource)) is MetricExportResult.SUCCESS
    finally:
        exporter.shutdown()


def to_otlp(measures: MetricStore, resource: Resource) -> MetricsData:
    """Convert the metrics to the SDK's OTLP export types."""
    metrics = [
        Metric(name, series[0].metric.meaning, series[0].metric.unit, _to_points(measures, series))
        for name, series in measures.collect().items()
    ]
    scope = ScopeMetrics(InstrumentationScope("preau"), metrics, "")
    return MetricsData([ResourceMetrics(resource, [scope], "")])


def _to_points(measures: MetricStore, series: list[Series]) -> Sum | Gauge | Histogram:
    start, now = (
        int(measures.started_at * _NANOSECONDS_PER_SECOND),
        measures.now_ns(),
    )
    kind = series[0].metric.kind
    if kind == "histogram":
        points = [_to_histogram_point(item, start, now) for item in series]
        return Histogram(points, _CUMULATIVE)
    numbers = [NumberDataPoint(dict(s.labels), start, now, float(s.value)) for s in series]
    return Gauge(numbers) if kind == "gauge" else Sum(numbers, _CUMULATIVE, is_monotonic=True)


def _to_histogram_point(series: Series, start: int, now: int) -> HistogramDataPoint:
    exemplars = [
        Exemplar(
            {},
            exemplar.value,
            int(exemplar.at * _NANOSECONDS_PER_SECOND),
            int(exemplar.span_id, 16),
            int(exemplar.trace_id, 16),
        )
        for exemplar in series.exemplars
        if exemplar is not None
    ]
    return HistogramDataPoint(
        attributes=dict(series.labels),
        start_time_unix_nano=start,
        time_unix_nano=now,
        count=sum(series.bucket_counts),
        sum=series.value,
        bucket_counts=series.bucket_counts,
        explicit_bounds=series.metric.buckets,
        # Optional in OTLP, and of little use over the life of a process.
        min=None,  # type: ignore[arg-type]  # the encoder leaves it out
        max=None,  # type: ignore[arg-type]
        exemplars=exemplars,
    )
