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


def test_the_bodies_have_the_shape_of_the_protocol() -> None:
    bodies: list[Telemetry] = [NoTelemetry(), OtelTelemetry("community")]

    for body in bodies:
        with body.span("a", "internal") as span:
            span.set(http__route="/é")
        assert body.current() is None


@pytest.mark.parametrize("share", [0.0, 0.1, 1.0])
def test_the_share_of_new_traces_is_what_was_asked(share: float) -> None:
    here = record_telemetry(sample_ratio=share)

    for _ in range(3000):
        with here.telemetry.span("request", "server"):
            pass

    assert len(here.spans) == pytest.approx(3000 * share, abs=90 if 0 < share < 1 else 0)


@pytest.mark.parametrize("sample", [0.0, 1.0])
def test_a_parent_decides_whatever_the_share(sample: float) -> None:
    here = record_telemetry(sample_ratio=sample)

    with (
        here.telemetry.span("yes", "server", parent=SAMPLED),
        here.telemetry.span("inside", "internal"),
    ):
        pass
    with here.telemetry.span("no", "server", parent=UNSAMPLED) as span:
        assert span.traceparent == here.telemetry.current() == UNSAMPLED
        with here.telemetry.span("inside no", "internal"):
            pass

    assert here.names == ["inside", "yes"]
    assert parent_ids(here.span_named("yes")) == trace_and_span_ids(SAMPLED)


def test_links_without_a_parent_begin_a_trace_even_inside_of_another() -> None:
    here = record_telemetry(sample_ratio=0)

    with here.telemetry.span("outside", "internal", parent=SAMPLED) as outside:
        with here.telemetry.span("new", "client", links=(SAMPLED, UNSAMPLED, "rubbish")):
            assert trace_and_span_ids(here.telemetry.current())[0] != trace_and_span_ids(SAMPLED)[0]
        assert here.telemetry.current() == outside.traceparent
        with here.telemetry.span("none", "client", links=(UNSAMPLED,)):
            pass

    assert here.names == ["new", "outside"]
    assert parent_ids(here.span_named("new")) is None
    assert link_ids(here.span_named("new")) == [trace_and_span_ids(SAMPLED)]


def test_an_unrecorded_span_still_has_a_trace_that_one_can_name() -> None:
    here = record_telemetry(sample_ratio=0)

    with here.telemetry.span("request", "server") as span:
        assert valid_traceparent(span.traceparent) is not None
        assert not is_sampled(span.traceparent)
        assert here.telemetry.current() == span.traceparent
        assert not trace.get_current_span().is_recording()
    assert here.spans == ()


def test_what_is_recorded_is_current_for_the_sdk_too_and_not_longer_than_open() -> None:
    here = record_telemetry()

    with here.telemetry.span("outside", "internal"):
        outside = trace.get_current_span()
        with here.telemetry.span("unrecorded", "internal", parent=UNSAMPLED):
            assert trace.get_current_span() is trace.INVALID_SPAN
        assert trace.get_current_span() is outside
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_attributes_and_their_dots() -> None:
    here = record_telemetry()

    with here.telemetry.span("a", "client", attributes={"b.c": "ü"}) as span:
        span.set(db__system__name="postgresql", n=3, yes=True)

    expected = {"b.c": "ü", "db.system.name": "postgresql", "n": 3, "yes": True}
    assert dict(attributes_of(here.span_named("a"))) == expected


def test_a_generator_that_is_closed_elsewhere_leaves_nothing_behind() -> None:
    here = record_telemetry()

    def steps() -> object:
        with here.telemetry.span("steps", "internal"):
            yield 1

    generator = steps()
    next(generator)  # type: ignore[call-overload]
    generator.close()  # type: ignore[attr-defined]

    assert here.telemetry.current() is None
    assert here.span_named("steps").attributes == {"error.type": "GeneratorExit"}


def test_five_services_in_one_process_and_no_global_provider() -> None:
    names = ("identity", "community", "notifications", "moderation", "metrics")
    services = {name: record_telemetry(name) for name in names}

    for name, each in services.items():
        with each.telemetry.span(name, "internal"):
            each.telemetry.gauge("preau.outbox.pending", 1)

    assert [each.names for each in services.values()] == [[name] for name in names]
    for name, each in services.items():
        assert each.metrics_page.count("\npreau_outbox_pending{") == 1
        assert f'preau_outbox_pending{{service="{name}"}} 1.0' in each.metrics_page
    assert not isinstance(trace.get_tracer_provider(), TracerProvider)
    assert isinstance(trace.get_tracer_provider(), trace.ProxyTracerProvider)
    assert "Proxy" in type(metrics.get_meter_provider()).__name__


def test_what_decisions_may_import_reaches_no_opentelemetry() -> None:
    names = ("context", "logs", "messaging", "metric_catalogue", "noop")
    imports = ", ".join(f"shared.kit.telemetry.{name}" for name in names)
    program = f"import sys, {imports}; print([n for n in sys.modules if 'opentelemetry' in n])"

    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_the_resource_says_which_service_version_and_instance() -> None:
    here = record_telemetry()
    telling = OtelTelemetry(
        "community", sample_ratio=1, version="1.2", instance="pod-é", exporters=[here.exporter]
    )

    with telling.span("a", "internal"):
        pass

    resource = here.span_named("a").resource.attributes
    assert resource["service.name"] == "preau-community"
    assert resource["service.version"] == "1.2"
    assert resource["service.instance.id"] == "pod-é"


@pytest.mark.parametrize(
    ("given", "kept_as"),
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
def test_traceparents_are_taken_as_the_standard_says(
    given: str | None, kept_as: str | None
) -> None:
    assert valid_traceparent(given) == kept_as
