"""SQL statements: always measured, with a span if the trace is recorded."""

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import OperationalError

from shared.kit.telemetry.sql import instrument_engine, summarize_statement
from tests.support.recorded_spans import (
    SAMPLED,
    UNSAMPLED,
    TelemetryRecorder,
    attributes_of,
    parent_ids,
    record_telemetry,
    span_traceparent,
    trace_and_span_ids,
)


def run_in_request(recorder: TelemetryRecorder, statement: str, parent: str) -> str | None:
    engine = sa.create_engine("sqlite://")
    instrument_engine(engine, recorder.telemetry)
    try:
        with recorder.telemetry.span("request", "server", parent=parent) as span:
            with engine.connect() as connection:
                connection.execute(sa.text(statement), {"x": "zoé"} if ":x" in statement else {})
                assert recorder.telemetry.current() == span.traceparent
            return span.traceparent
    finally:
        engine.dispose()


def test_recorded_statement_has_a_span_without_values() -> None:
    recorder = record_telemetry(sample_ratio=0)

    request = run_in_request(recorder, "SELECT :x", SAMPLED)

    statement = recorder.span_named("SELECT")
    assert parent_ids(statement) == trace_and_span_ids(request)
    assert attributes_of(statement)["db.operation.name"] == "SELECT"
    assert "zoé" not in statement.to_json()
    assert request == span_traceparent(recorder.span_named("request"))


def test_unrecorded_statement_is_only_measured() -> None:
    recorder = record_telemetry(sample_ratio=1)

    run_in_request(recorder, "SELECT :x", UNSAMPLED)

    assert recorder.spans == ()
    assert (
        'db_client_operation_duration_seconds_count{db_operation_name="SELECT"'
        in recorder.metrics_page
    )


def test_failed_statement_ends_its_span_and_is_reported() -> None:
    recorder = record_telemetry(sample_ratio=0)

    with pytest.raises(OperationalError):
        run_in_request(recorder, "SELECT a FROM nowhere", SAMPLED)

    statement = recorder.span_named("SELECT nowhere")
    assert attributes_of(statement)["error.type"] == "OperationalError"
    assert 'error_type="OperationalError"' in recorder.metrics_page
    assert recorder.telemetry.current() is None


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("\n    INSERT INTO heads AS h (topic) SELECT 1 FROM unnest(:x)", "INSERT heads"),
        ("SELECT count(*) FROM unnest(CAST(:ids AS uuid[])) AS a JOIN posts USING (id)",
         "SELECT posts"),
        ("WITH gone AS (DELETE FROM outbox RETURNING 1) SELECT 1", "WITH outbox"),
        ("-- why\nupdate only positions SET x = 1", "UPDATE positions"),
        ("/* é */ BEGIN", "BEGIN"),
        ("", "OTHER"),
    ],
)  # fmt: skip
def test_statement_is_named_by_verb_and_table(statement: str, expected: str) -> None:
    assert summarize_statement(statement)[1] == expected
