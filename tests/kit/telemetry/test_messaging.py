"""Parents, links and new traces: what becomes of a message's trace context."""

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
def test_what_is_old_or_replayed_starts_a_new_trace_with_a_link(
    age: timedelta, *, replay: bool
) -> None:
    here = record_telemetry(sample_ratio=0)

    with open_process_span(here.telemetry, "g", [a_delivery(age=age)], NOON, replay=replay):
        pass

    span = here.span_named("process community.post")
    assert parent_ids(span) is None
    assert link_ids(span) == [trace_and_span_ids(SAMPLED)]


def test_just_before_that_the_message_s_own_trace_goes_on() -> None:
    here = record_telemetry(sample_ratio=0)

    delivery = a_delivery(age=MAX_CONTINUED_TRACE_AGE - timedelta(milliseconds=1))
    with open_process_span(here.telemetry, "g", [delivery], NOON):
        pass

    assert parent_ids(here.span_named("process community.post")) == trace_and_span_ids(SAMPLED)


def test_a_batch_links_to_those_that_are_recorded_and_to_no_other() -> None:
    here = record_telemetry(sample_ratio=0)
    recorded = [a_traceparent() for _ in range(2)]
    traces = [UNSAMPLED, recorded[0], None, "rubbish\n", recorded[1], recorded[0]]

    with open_process_span(here.telemetry, "g", [a_delivery(each) for each in traces], NOON):
        pass

    span = here.span_named("process community.post")
    assert link_ids(span) == [trace_and_span_ids(each) for each in recorded]
    assert attributes_of(span)["messaging.batch.message_count"] == 6


def test_a_batch_of_which_nothing_is_recorded_opens_no_span_whatever_the_share() -> None:
    here = record_telemetry(sample_ratio=1)

    with open_process_span(here.telemetry, "g", [a_delivery(UNSAMPLED)] * 2, NOON) as span:
        assert span.traceparent is None
        assert here.telemetry.current() is None
    with open_send_span(here.telemetry, {"community.post": 2}, [UNSAMPLED, None]):
        pass

    assert here.spans == ()


def test_a_large_batch_keeps_every_link() -> None:
    here = record_telemetry()
    traces = [a_traceparent() for _ in range(1000)]

    with open_send_span(here.telemetry, {"community.post": 1000}, traces):
        pass

    assert link_ids(here.span_named("send community.post")) == [
        trace_and_span_ids(each) for each in traces
    ]


def test_a_batch_of_several_topics_names_none() -> None:
    here = record_telemetry()
    mixed = [a_delivery(topic="community.post"), a_delivery(topic="identity.member", number=1)]

    with open_process_span(here.telemetry, "g", mixed, NOON):
        pass
    with open_send_span(here.telemetry, {"community.post": 1, "community.vote": 2}, [SAMPLED]):
        pass

    assert here.names == ["process", "send"]
    for span in here.spans:
        assert "messaging.destination.name" not in attributes_of(span)
        assert "messaging.destination.partition.id" not in attributes_of(span)
    assert attributes_of(here.span_named("send"))["messaging.batch.message_count"] == 3


def test_a_fact_of_an_unrecorded_trace_carries_it_on_as_it_is() -> None:
    here = record_telemetry()

    assert record_create_span(here.telemetry, "t.v1", "t", "1", UNSAMPLED) == UNSAMPLED
    with here.telemetry.span("another trace", "internal"):
        assert record_create_span(here.telemetry, "t.v1", "t", "1", UNSAMPLED) == UNSAMPLED

    assert here.names == ["another trace"]


@pytest.mark.parametrize("rubbish", ["", "00-abc", "x" * 55, SAMPLED + "\r\nx: y", "é" * 60, None])
def test_rubbish_in_a_header_travels_no_further(rubbish: str | None) -> None:
    here = record_telemetry()

    with here.telemetry.span("job", "internal") as job:
        trace = record_create_span(here.telemetry, "t.v1", "t", "1", rubbish)

    assert trace is not None
    assert trace_and_span_ids(trace)[0] == trace_and_span_ids(job.traceparent)[0]


def test_a_fact_out_of_nowhere_begins_a_trace() -> None:
    here = record_telemetry()

    trace = record_create_span(here.telemetry, "t.v1", "t", "1", None)

    assert trace == span_traceparent(here.span_named("create t"))


def test_a_failure_is_told_by_its_type_and_never_by_its_message() -> None:
    here = record_telemetry()

    with (
        pytest.raises(RuntimeError),
        open_process_span(here.telemetry, "g", [a_delivery()], NOON),
    ):
        raise RuntimeError("écrit par zoé@exemple.fr")

    span = here.span_named("process community.post")
    assert attributes_of(span)["error.type"] == "RuntimeError"
    assert not span.status.is_ok
    assert "exemple" not in span.to_json()
    assert 'error_type="RuntimeError"' in here.metrics_page


def test_durations_are_told_of_what_is_not_recorded_too() -> None:
    here = record_telemetry(sample_ratio=0)

    with open_send_span(here.telemetry, {"community.post": 1}, [None]):
        pass
    with open_process_span(here.telemetry, "moderation", [a_delivery(None)] * 2, NOON):
        pass
    with open_process_span(here.telemetry, "moderation", [], NOON):
        pass

    assert "messaging_client_operation_duration_seconds_count{" in here.metrics_page
    counts = [
        line for line in here.metrics_page.splitlines() if "process_duration_seconds_count" in line
    ]
    assert len(counts) == 2
    assert all('messaging_consumer_group_name="moderation"' in line for line in counts)


def test_the_flags_are_read_as_bits() -> None:
    flags = {f"{SAMPLED[:-2]}{flag:02x}": bool(flag & 1) for flag in range(256)}

    assert sampled_traceparents(flags) == tuple(
        text for text, recorded in flags.items() if recorded
    )
