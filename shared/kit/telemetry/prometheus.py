"""The `/metrics` page in Prometheus' format, with exemplars if the client accepts OpenMetrics."""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Protocol, runtime_checkable

from fastapi import APIRouter
from prometheus_client import CollectorRegistry
from prometheus_client.core import Metric as Family
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from prometheus_client.samples import Exemplar
from prometheus_client.utils import floatToGoString
from starlette.requests import Request
from starlette.responses import Response

from shared.kit.core.host import Telemetry
from shared.kit.telemetry.metric_catalogue import METRICS
from shared.kit.telemetry.metric_store import MetricStore, Series, StoredExemplar


@runtime_checkable
class MetricSource(Protocol):
    """A telemetry that stores its metrics."""

    metric_store: MetricStore


def metrics_routes(*telemetries: Telemetry) -> APIRouter:
    """Return the route `/metrics` for these services; a telemetry without metrics is skipped."""
    routes = APIRouter()
    sources = [source for source in telemetries if isinstance(source, MetricSource)]

    async def page(request: Request) -> Response:
        content, media_type = render_metrics(sources, request.headers.get("accept", ""))
        return Response(content, headers={"content-type": media_type})

    routes.add_api_route("/metrics", page, include_in_schema=False)
    return routes


def render_metrics(sources: Sequence[MetricSource], accept: str = "") -> tuple[bytes, str]:
    """Return the page and its media type, in the format that `accept` prefers."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(sources))
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


class _Snapshot(Collector):
    def __init__(self, sources: Sequence[MetricSource]) -> None:
        self._sources = sources

    def collect(self) -> Iterable[Family]:
        """Yield one family per metric, in catalogue order, with the series of every service."""
        collections = [source.metric_store.collect() for source in self._sources]
        for name, metric in METRICS.items():
            series = [item for values in collections for item in values.get(name, ())]
            if series:
                yield _to_family(metric.prometheus, series)


def _to_family(name: str, series: Sequence[Series]) -> Family:
    metric = series[0].metric
    family = Family(name, metric.meaning, metric.kind)
    for item in series:
        # Prometheus requires the same labels in all series of a metric.
        labels = dict.fromkeys(map(_prometheus_label, metric.labels), "")
        labels |= {_prometheus_label(label): value for label, value in item.labels.items()}
        if metric.kind == "histogram":
            _add_buckets(family, item, labels)
        else:
            ending = "_total" if metric.kind == "counter" else ""
            family.add_sample(name + ending, labels, item.value)
    return family


def _add_buckets(family: Family, series: Series, labels: dict[str, str]) -> None:
    bounds = [*map(floatToGoString, series.metric.buckets), "+Inf"]
    total = 0
    for bound, total, exemplar in zip(
        bounds, accumulate(series.bucket_counts), series.exemplars, strict=True
    ):
        family.add_sample(
            f"{family.name}_bucket", labels | {"le": bound}, total, exemplar=_to_exemplar(exemplar)
        )
    family.add_sample(f"{family.name}_count", labels, total)
    family.add_sample(f"{family.name}_sum", labels, series.value)


def _to_exemplar(exemplar: StoredExemplar | None) -> Exemplar | None:
    if exemplar is None:
        return None
    labels = {"trace_id": exemplar.trace_id, "span_id": exemplar.span_id}
    return Exemplar(labels, exemplar.value, exemplar.at)


def _prometheus_label(label: str) -> str:
    return label.replace(".", "_")
