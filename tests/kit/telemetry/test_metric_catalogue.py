"""The metric catalogue: closed, without personal labels, documented."""

import re

import pytest

from shared.kit.core.host import Telemetry
from shared.kit.telemetry.document import render_metric_document
from shared.kit.telemetry.metric_catalogue import METRICS
from shared.kit.telemetry.noop import NoTelemetry
from shared.kit.telemetry.otel import OtelTelemetry

BODIES = [NoTelemetry(), OtelTelemetry("community")]
PEOPLE = re.compile(r"member|tenant|person|user|author|email|name$|\.id$|academy|structure")
REQUIRED_METRICS = """
    http.server.request.duration db.client.operation.duration messaging.client.operation.duration
    messaging.process.duration preau.event.end_to_end.duration preau.outbox.pending
    preau.outbox.oldest.age preau.consumer.lag preau.consumer.last_poll.age preau.consumer.outcome
    preau.dead_letter.depth preau.reconcile.missing
""".split()


@pytest.mark.parametrize("body", BODIES, ids=lambda body: type(body).__name__)
def test_unlisted_metric_or_label_raises_key_error(body: Telemetry) -> None:
    body.count("preau.consumer.outcome", group="metrics", outcome="applied", service="metrics")
    for wrong in ("preau.consumer.outcomes", "preau.outbox.pending", ""):
        with pytest.raises(KeyError):
            body.count(wrong)
    with pytest.raises(KeyError):
        body.gauge("preau.consumer.outcome", 1)
    with pytest.raises(KeyError):
        body.observe("preau.consumer.lag", 1)
    with pytest.raises(KeyError, match="has no label tenant"):
        body.count("preau.consumer.outcome", group="metrics", tenant="t")


def test_catalogue_has_the_metrics_that_operations_need() -> None:
    assert set(REQUIRED_METRICS) <= set(METRICS)


def test_no_label_names_a_person_or_a_tenant() -> None:
    allowed = {
        "db.system.name",
        "db.operation.name",
        "db.client.connection.pool.name",
        "messaging.operation.name",
        "messaging.destination.name",
        "messaging.consumer.group.name",
    }
    for metric in METRICS.values():
        assert not [n for n in metric.labels if n not in allowed and PEOPLE.search(n)], metric.name


def test_only_histograms_have_buckets_in_growing_order() -> None:
    for metric in METRICS.values():
        assert bool(metric.buckets) == (metric.kind == "histogram"), metric.name
        assert list(metric.buckets) == sorted(set(metric.buckets)), metric.name


@pytest.mark.parametrize(
    ("name", "promises"),
    [
        ("http.server.request.duration", {0.3, 0.5}),
        ("preau.event.end_to_end.duration", {5.0, 10.0, 60.0}),
    ],
)
def test_a_bucket_ends_at_each_objective(name: str, promises: set[float]) -> None:
    assert promises <= set(METRICS[name].buckets)


def test_document_has_a_row_for_each_metric() -> None:
    document = render_metric_document()

    for metric in METRICS.values():
        assert f"| `{metric.name}` | `{metric.prometheus}" in document
        assert metric.meaning in document
    rows = [line for line in document.splitlines() if line.startswith("| `")]
    assert len(rows) == len(METRICS)
