"""What Prometheus reads."""

import httpx
import pytest
from fastapi import FastAPI
from prometheus_client.openmetrics.parser import (
    text_string_to_metric_families as read_openmetrics,
)
from prometheus_client.parser import text_string_to_metric_families as read

from shared.kit.telemetry.metric_store import MetricStore
from shared.kit.telemetry.noop import NoTelemetry
from shared.kit.telemetry.prometheus import metrics_routes
from tests.support.recorded_spans import SAMPLED, record_telemetry

OPENMETRICS = "application/openmetrics-text; version=1.0.0"


def told(service: str = "community") -> object:
    here = record_telemetry(service, sample_ratio=0)
    tell = here.telemetry
    tell.count("preau.consumer.outcome", 3, group="metrics", outcome="applied")
    tell.count("preau.consumer.outcome", outcome="applied", group="metrics")
    tell.count("preau.consumer.outcome", group="metrics", outcome='dead_"lettered\n')
    tell.gauge("preau.outbox.oldest.age", 2.5)
    tell.gauge("preau.outbox.oldest.age", 1.5, service=service)
    request = {"http__request__method": "GET"}
    tell.observe("http.server.request.duration", 0.004, 0.31, **request)
    for seconds in (0.3, 99):
        tell.observe("http.server.request.duration", seconds, **request)
    return tell


async def page(*telling: object, accept: str = "") -> httpx.Response:
    app = FastAPI()
    app.include_router(metrics_routes(*telling))  # type: ignore[arg-type]
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://préau"
    ) as asks:
        return await asks.get("/metrics", headers={"accept": accept})


async def test_the_page_is_what_prometheus_reads() -> None:
    answer = await page(told())

    assert answer.headers["content-type"].startswith("text/plain")
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in read(answer.text)
        for sample in family.samples
    }
    outcome = {"group": "metrics", "service": "community"}

    def value(name: str, **labels: str) -> float:
        return samples[name, tuple(sorted(labels.items()))]

    assert value("preau_consumer_outcome_total", outcome="applied", **outcome) == 4
    assert value("preau_consumer_outcome_total", outcome='dead_"lettered\n', **outcome) == 1
    assert value("preau_outbox_oldest_age_seconds", service="community") == 1.5
    request = {
        "service": "community",
        "http_request_method": "GET",
        "http_route": "",
        "http_response_status_code": "",
        "error_type": "",
    }
    name = "http_server_request_duration_seconds"
    buckets = [value(f"{name}_bucket", le=le, **request) for le in ("0.005", "0.3", "0.5", "+Inf")]
    assert buckets == [1, 2, 3, 4]
    assert value(f"{name}_count", **request) == 4
    assert value(f"{name}_sum", **request) == pytest.approx(99.614)


async def test_several_services_share_a_page_and_each_metric_is_described_once() -> None:
    answer = await page(told("community"), told("metrics"), NoTelemetry())

    assert answer.text.count("# TYPE preau_consumer_outcome_total counter") == 1
    for service in ("community", "metrics"):
        assert f'preau_outbox_oldest_age_seconds{{service="{service}"}} 1.5' in answer.text


async def test_who_asks_for_openmetrics_gets_exemplars_of_recorded_traces() -> None:
    here = record_telemetry(sample_ratio=0)
    with here.telemetry.span("request", "server", parent=SAMPLED):
        here.telemetry.observe("preau.job.duration", 0.2, job="é")
    with here.telemetry.span("request", "server"):
        here.telemetry.observe("preau.job.duration", 0.02, job="é")

    answer = await page(here.telemetry, accept=OPENMETRICS)

    (family,) = read_openmetrics(answer.text)  # type: ignore[no-untyped-call]
    exemplars = [sample.exemplar for sample in family.samples if sample.exemplar is not None]
    assert [each.labels["trace_id"] for each in exemplars] == [SAMPLED[3:35]]
    assert exemplars[0].value == 0.2
    assert "# {" not in (await page(here.telemetry)).text


def test_a_gauge_that_nobody_tells_again_is_no_longer_shown_unless_it_is_to_be_kept() -> None:
    now = 1000.0
    measures = MetricStore("metrics", monotonic=lambda: now)
    measures.gauge("preau.consumer.lag", 7, {"group": "metrics", "topic": "community.post"})
    measures.gauge("preau.reconcile.missing", 0, {"group": "metrics"})

    now += 299
    assert set(measures.collect()) == {"preau.consumer.lag", "preau.reconcile.missing"}
    now += 2
    assert set(measures.collect()) == {"preau.reconcile.missing"}
