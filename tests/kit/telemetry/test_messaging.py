"""Parents, links and new traces of messaging spans."""

from datetime import timedelta

import pytest

from shared.kit.telemetry.messaging import (
    MAX_CONTINUED_TRACE_AGE,
    open_process_span,
    open_send_span,
    record_create_span,
    sampled_traceparents,
)
from tests.support.recorded_spans import (
    NOON,
    SAMPLED,
    UNSAMPLED,
    a_delivery,
    a_traceparent,
    attributes_of,
    link_ids,
    parent_ids,
    record_telemetry,
    span_traceparent,
    trace_and_span_ids,
)


@pytest.mark.parametrize(
    ("age", "replay"),
    [(MAX_CONTINUED_TRACE_AGE, False), (timedelta(days=400), False), (timedelta(0), True)],
)
def test_old_or_replayed_message_starts_a_new_trace_with_link(
    age: timedelta, *, replay: bool
) -> None:
    recorder = record_telemetry(sample_ratio=0)

    with open_process_span(recorder.telemetry, "g", [a_delivery(age=age)], NOON, replay=replay):
        pass

    span = recorder.span_named("process community.post")
    assert parent_ids(span) is None
    assert link_ids(span) == [trace_and_span_ids(SAMPLED)]


def test_message_below_the_age_limit_continues_its_trace() -> None:
    recorder = record_telemetry(sample_ratio=0)

    delivery = a_delivery(age=MAX_CONTINUED_TRACE_AGE - timedelta(milliseconds=1))
    with open_process_span(recorder.telemetry, "g", [delivery], NOON):
        pass

    assert parent_ids(recorder.span_named("process community.post")) == trace_and_span_ids(SAMPLED)


def test_batch_links_only_to_recorded_messages() -> None:
    recorder = record_telemetry(sample_ratio=0)
    recorded = [a_traceparent() for _ in range(2)]
    traces = [UNSAMPLED, recorded[0], None, "rubbish\n", recorded[1], recorded[0]]

    with open_process_span(
        recorder.telemetry, "g", [a_delivery(traceparent) for traceparent in traces], NOON
    ):
        pass

    span = recorder.span_named("process community.post")
    assert link_ids(span) == [trace_and_span_ids(traceparent) for traceparent in recorded]
    assert attributes_of(span)["messaging.batch.message_count"] == 6


def test_batch_without_recorded_messages_has_no_span() -> None:
    recorder = record_telemetry(sample_ratio=1)

    with open_process_span(recorder.telemetry, "g", [a_delivery(UNSAMPLED)] * 2, NOON) as span:
        assert span.traceparent is None
        assert recorder.telemetry.current() is None
    with open_send_span(recorder.telemetry, {"community.post": 2}, [UNSAMPLED, None]):
        pass

    assert recorder.spans == ()


def test_large_batch_keeps_every_link() -> None:
    recorder = record_telemetry()
    traces = [a_traceparent() for _ in range(1000)]

    with open_send_span(recorder.telemetry, {"community.post": 1000}, traces):
        pass

    assert link_ids(recorder.span_named("send community.post")) == [
        trace_and_span_ids(traceparent) for traceparent in traces
    ]


def test_span_of_several_topics_names_no_topic() -> None:
    recorder = record_telemetry()
    mixed = [a_delivery(topic="community.post"), a_delivery(topic="identity.member", number=1)]

    with open_process_span(recorder.telemetry, "g", mixed, NOON):
        pass
    with open_send_span(recorder.telemetry, {"community.post": 1, "community.vote": 2}, [SAMPLED]):
        pass

    assert recorder.names == ["process", "send"]
    for span in recorder.spans:
        assert "messaging.destination.name" not in attributes_of(span)
        assert "messaging.destination.partition.id" not in attributes_of(span)
    assert attributes_of(recorder.span_named("send"))["messaging.batch.message_count"] == 3


def test_event_of_an_unrecorded_trace_keeps_its_context() -> None:
    recorder = record_telemetry()

    assert record_create_span(recorder.telemetry, "t.v1", "t", "1", UNSAMPLED) == UNSAMPLED
    with recorder.telemetry.span("another trace", "internal"):
        assert record_create_span(recorder.telemetry, "t.v1", "t", "1", UNSAMPLED) == UNSAMPLED

    assert recorder.names == ["another trace"]


@pytest.mark.parametrize("rubbish", ["", "00-abc", "x" * 55, SAMPLED + "\r\nx: y", "é" * 60, None])
def test_malformed_trace_header_is_not_propagated(rubbish: str | None) -> None:
    recorder = record_telemetry()

    with recorder.telemetry.span("job", "internal") as job:
        trace = record_create_span(recorder.telemetry, "t.v1", "t", "1", rubbish)

    assert trace is not None
    assert trace_and_span_ids(trace)[0] == trace_and_span_ids(job.traceparent)[0]


def test_event_without_parent_begins_a_trace() -> None:
    recorder = record_telemetry()

    trace = record_create_span(recorder.telemetry, "t.v1", "t", "1", None)

    assert trace == span_traceparent(recorder.span_named("create t"))


def test_failure_is_reported_by_type_without_message() -> None:
    recorder = record_telemetry()

    with (
        pytest.raises(RuntimeError),
        open_process_span(recorder.telemetry, "g", [a_delivery()], NOON),
    ):
        raise RuntimeError("écrit par zoé@exemple.fr")

    span = recorder.span_named("process community.post")
    assert attributes_of(span)["error.type"] == "RuntimeError"
    assert not span.status.is_ok
    assert "exemple" not in span.to_json()
    assert 'error_type="RuntimeError"' in recorder.metrics_page


def test_durations_of_unrecorded_operations_are_reported() -> None:
    recorder = record_telemetry(sample_ratio=0)

    with open_send_span(recorder.telemetry, {"community.post": 1}, [None]):
        pass
    with open_process_span(recorder.telemetry, "moderation", [a_delivery(None)] * 2, NOON):
        pass
    with open_process_span(recorder.telemetry, "moderation", [], NOON):
        pass

    assert "messaging_client_operation_duration_seconds_count{" in recorder.metrics_page
    counts = [
        line
        for line in recorder.metrics_page.splitlines()
        if "process_duration_seconds_count" in line
    ]
    assert len(counts) == 2
    assert all('messaging_consumer_group_name="moderation"' in line for line in counts)


def test_flags_are_read_as_bits() -> None:
    flags = {f"{SAMPLED[:-2]}{flag:02x}": bool(flag & 1) for flag in range(256)}

    assert sampled_traceparents(flags) == tuple(
        text for text, recorded in flags.items() if recorded
    )
