"""Sampling, parents, contexts and providers."""

import subprocess
import sys

import pytest
from opentelemetry import metrics, trace
from opentelemetry.sdk.trace import TracerProvider

from shared.kit.core.host import Telemetry
from shared.kit.telemetry.context import is_sampled, valid_traceparent
from shared.kit.telemetry.noop import NoTelemetry
from shared.kit.telemetry.otel import OtelTelemetry
from tests.support.recorded_spans import (
    SAMPLED,
    UNSAMPLED,
    attributes_of,
    link_ids,
    parent_ids,
    record_telemetry,
    trace_and_span_ids,
)


def test_implementations_match_the_protocol() -> None:
    bodies: list[Telemetry] = [NoTelemetry(), OtelTelemetry("community")]

    for body in bodies:
        with body.span("a", "internal") as span:
            span.set(http__route="/é")
        assert body.current() is None


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_sample_ratio_decides_the_share_of_new_traces(share: float) -> None:
    recorder = record_telemetry(sample_ratio=share)

    for _ in range(3000):
        with recorder.telemetry.span("request", "server"):
            pass

    assert len(recorder.spans) == pytest.approx(3000 * share, abs=90 if 0 < share < 1 else 0)


@pytest.mark.parametrize("sample", [0.0, 1.0])
def test_parent_decides_regardless_of_the_sample_ratio(sample: float) -> None:
    recorder = record_telemetry(sample_ratio=sample)

    with (
        recorder.telemetry.span("yes", "server", parent=SAMPLED),
        recorder.telemetry.span("inside", "internal"),
    ):
        pass
    with recorder.telemetry.span("no", "server", parent=UNSAMPLED) as span:
        assert span.traceparent == recorder.telemetry.current() == UNSAMPLED
        with recorder.telemetry.span("inside no", "internal"):
            pass

    assert recorder.names == ["inside", "yes"]
    assert parent_ids(recorder.span_named("yes")) == trace_and_span_ids(SAMPLED)


def test_links_without_a_parent_begin_a_new_trace() -> None:
    recorder = record_telemetry(sample_ratio=0)

    with recorder.telemetry.span("outside", "internal", parent=SAMPLED) as outside:
        with recorder.telemetry.span("new", "client", links=(SAMPLED, UNSAMPLED, "rubbish")):
            assert (
                trace_and_span_ids(recorder.telemetry.current())[0]
                != trace_and_span_ids(SAMPLED)[0]
            )
        assert recorder.telemetry.current() == outside.traceparent
        with recorder.telemetry.span("none", "client", links=(UNSAMPLED,)):
            pass

    assert recorder.names == ["new", "outside"]
    assert parent_ids(recorder.span_named("new")) is None
    assert link_ids(recorder.span_named("new")) == [trace_and_span_ids(SAMPLED)]


def test_unrecorded_span_still_has_a_trace_id() -> None:
    recorder = record_telemetry(sample_ratio=0)

    with recorder.telemetry.span("request", "server") as span:
        assert valid_traceparent(span.traceparent) is not None
        assert not is_sampled(span.traceparent)
        assert recorder.telemetry.current() == span.traceparent
        assert not trace.get_current_span().is_recording()
    assert recorder.spans == ()


def test_recorded_span_is_current_in_the_sdk_while_open() -> None:
    recorder = record_telemetry()

    with recorder.telemetry.span("outside", "internal"):
        outside = trace.get_current_span()
        with recorder.telemetry.span("unrecorded", "internal", parent=UNSAMPLED):
            assert trace.get_current_span() is trace.INVALID_SPAN
        assert trace.get_current_span() is outside
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_double_underscores_in_attributes_become_dots() -> None:
    recorder = record_telemetry()

    with recorder.telemetry.span("a", "client", attributes={"b.c": "ü"}) as span:
        span.set(db__system__name="postgresql", n=3, yes=True)

    expected = {"b.c": "ü", "db.system.name": "postgresql", "n": 3, "yes": True}
    assert dict(attributes_of(recorder.span_named("a"))) == expected


def test_generator_closed_in_another_context_restores_the_span() -> None:
    recorder = record_telemetry()

    def steps() -> object:
        with recorder.telemetry.span("steps", "internal"):
            yield 1

    generator = steps()
    next(generator)  # type: ignore[call-overload]
    generator.close()  # type: ignore[attr-defined]

    assert recorder.telemetry.current() is None
    assert recorder.span_named("steps").attributes == {"error.type": "GeneratorExit"}


def test_five_services_share_a_process_without_global_provider() -> None:
    names = ("identity", "community", "notifications", "moderation", "metrics")
    services = {name: record_telemetry(name) for name in names}

    for name, recorder in services.items():
        with recorder.telemetry.span(name, "internal"):
            recorder.telemetry.gauge("preau.outbox.pending", 1)

    assert [recorder.names for recorder in services.values()] == [[name] for name in names]
    for name, recorder in services.items():
        assert recorder.metrics_page.count("\npreau_outbox_pending{") == 1
        assert f'preau_outbox_pending{{service="{name}"}} 1.0' in recorder.metrics_page
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    assert "Proxy" in type(metrics.get_meter_provider()).__name__


def test_modules_for_decisions_do_not_import_opentelemetry() -> None:
    names = ("context", "logs", "messaging", "metric_catalogue", "noop")
    imports = ", ".join(f"shared.kit.telemetry.{name}" for name in names)
    program = f"import sys, {imports}; print([n for n in sys.modules if 'opentelemetry' in n])"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_resource_has_service_version_and_instance() -> None:
    recorder = record_telemetry()
    telemetry = OtelTelemetry(
        "community", sample_ratio=1, version="1.2", instance="pod-é", exporters=[recorder.exporter]
    )

    with telemetry.span("a", "internal"):
        pass

    resource = recorder.span_named("a").resource.attributes
    assert resource["service.name"] == "preau-community"
    assert resource["service.version"] == "1.2"
    assert resource["service.instance.id"] == "pod-é"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (SAMPLED, SAMPLED),
        (UNSAMPLED, UNSAMPLED),
        ("cc" + SAMPLED[2:] + "-more", SAMPLED),
        (SAMPLED + "-more", None),
        ("ff" + SAMPLED[2:], None),
        (SAMPLED.upper(), None),
        ("00-" + "0" * 32 + SAMPLED[35:], None),
        (SAMPLED[:36] + "0" * 16 + "-01", None),
        (SAMPLED + "\n", None),
        (SAMPLED[:-1], None),
        (None, None),
    ],
)
def test_traceparents_are_validated_as_the_standard_says(
    value: str | None, expected: str | None
) -> None:
    assert valid_traceparent(value) == expected
