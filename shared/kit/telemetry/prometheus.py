"""The `/metrics` page: what Prometheus reads. With exemplars for who asks for OpenMetrics."""

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
    """A telemetry that keeps its numbers."""

    metric_store: MetricStore


def metrics_routes(*telling: Telemetry) -> APIRouter:
    """Serve `/metrics` for these services together; one that keeps no numbers adds none."""
    routes = APIRouter()
    measured = [each for each in telling if isinstance(each, MetricSource)]

    async def page(request: Request) -> Response:
        content, media_type = render_metrics(measured, request.headers.get("accept", ""))
        return Response(content, headers={"content-type": media_type})

    routes.add_api_route("/metrics", page, include_in_schema=False)
    return routes


def render_metrics(telling: Sequence[MetricSource], accept: str = "") -> tuple[bytes, str]:
    """Return the page and its media type, in the format that `accept` prefers."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Snapshot(telling))
    encode, media_type = choose_encoder(accept)
    return encode(registry), media_type


class _Snapshot(Collector):
    def __init__(self, telling: Sequence[MetricSource]) -> None:
        self._telling = telling

    def collect(self) -> Iterable[Family]:
        """Return a family per metric, in the order of the list, each service's series in it."""
        found = [each.metric_store.collect() for each in self._telling]
        for name, metric in METRICS.items():
            series = [one for each in found for one in each.get(name, ())]
            if series:
                yield _family(metric.prometheus, series)


def _family(name: str, series: Sequence[Series]) -> Family:
    metric = series[0].metric
    family = Family(name, metric.meaning, metric.kind)
    for each in series:
        # Prometheus wants all series of a metric to have the same labels.
        labels = dict.fromkeys(map(_plain, metric.labels), "")
        labels |= {_plain(label): value for label, value in each.labels.items()}
        if metric.kind == "histogram":
            _add_buckets(family, each, labels)
        else:
            ending = "_total" if metric.kind == "counter" else ""
            family.add_sample(name + ending, labels, each.value)
    return family


def _add_buckets(family: Family, series: Series, labels: dict[str, str]) -> None:
    bounds = [*map(floatToGoString, series.metric.buckets), "+Inf"]
    total = 0
    for bound, total, example in zip(
        bounds, accumulate(series.bucket_counts), series.exemplars, strict=True
    ):
        family.add_sample(
            f"{family.name}_bucket", labels | {"le": bound}, total, exemplar=_exemplar(example)
        )
    family.add_sample(f"{family.name}_count", labels, total)
    family.add_sample(f"{family.name}_sum", labels, series.value)


def _exemplar(example: StoredExemplar | None) -> Exemplar | None:
    if example is None:
        return None
    labels = {"trace_id": example.trace_id, "span_id": example.span_id}
    return Exemplar(labels, example.value, example.at)


def _plain(label: str) -> str:
    return label.replace(".", "_")
