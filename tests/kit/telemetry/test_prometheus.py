"""The metrics page in both formats."""

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


def telemetry_with_values(service: str = "community") -> object:
    recorder = record_telemetry(service, sample_ratio=0)
    tell = recorder.telemetry
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


async def page(*telemetry: object, accept: str = "") -> httpx.Response:
    app = FastAPI()
    app.include_router(metrics_routes(*telemetry))  # type: ignore[arg-type]
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://préau"
    ) as asks:
        return await asks.get("/metrics", headers={"accept": accept})


async def test_page_is_in_the_prometheus_text_format() -> None:
    response = await page(telemetry_with_values())

    assert response.headers["content-type"].startswith("text/plain")
    samples = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in read(response.text)
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


async def test_services_share_a_page_with_one_description_per_metric() -> None:
    response = await page(
        telemetry_with_values("community"), telemetry_with_values("metrics"), NoTelemetry()
    )

    assert response.text.count("# TYPE preau_consumer_outcome_total counter") == 1
    for service in ("community", "metrics"):
        assert f'preau_outbox_oldest_age_seconds{{service="{service}"}} 1.5' in response.text


async def test_openmetrics_page_has_exemplars_of_recorded_traces() -> None:
    recorder = record_telemetry(sample_ratio=0)
    with recorder.telemetry.span("request", "server", parent=SAMPLED):
        recorder.telemetry.observe("preau.job.duration", 0.2, job="é")
    with recorder.telemetry.span("request", "server"):
        recorder.telemetry.observe("preau.job.duration", 0.02, job="é")

    response = await page(recorder.telemetry, accept=OPENMETRICS)

    (family,) = read_openmetrics(response.text)  # type: ignore[no-untyped-call]
    exemplars = [sample.exemplar for sample in family.samples if sample.exemplar is not None]
    assert [exemplar.labels["trace_id"] for exemplar in exemplars] == [SAMPLED[3:35]]
    assert exemplars[0].value == 0.2
    assert "# {" not in (await page(recorder.telemetry)).text


def test_outdated_gauge_is_hidden_unless_kept_without_limit() -> None:
    now = 1000.0
    measures = MetricStore("metrics", monotonic=lambda: now)
    measures.gauge("preau.consumer.lag", 7, {"group": "metrics", "topic": "community.post"})
    measures.gauge("preau.reconcile.missing", 0, {"group": "metrics"})

    now += 299
    assert set(measures.collect()) == {"preau.consumer.lag", "preau.reconcile.missing"}
    now += 2
    assert set(measures.collect()) == {"preau.reconcile.missing"}
