"""Statements: measured always, a span only where the trace is recorded."""

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


def asked(here: TelemetryRecorder, statement: str, parent: str) -> str | None:
    engine = sa.create_engine("sqlite://")
    instrument_engine(engine, here.telemetry)
    try:
        with here.telemetry.span("request", "server", parent=parent) as span:
            with engine.connect() as connected:
                connected.execute(sa.text(statement), {"x": "zoé"} if ":x" in statement else {})
                assert here.telemetry.current() == span.traceparent
            return span.traceparent
    finally:
        engine.dispose()


def test_a_recorded_statement_has_a_span_without_its_values() -> None:
    here = record_telemetry(sample_ratio=0)

    request = asked(here, "SELECT :x", SAMPLED)

    statement = here.span_named("SELECT")
    assert parent_ids(statement) == trace_and_span_ids(request)
    assert attributes_of(statement)["db.operation.name"] == "SELECT"
    assert "zoé" not in statement.to_json()
    assert request == span_traceparent(here.span_named("request"))


def test_an_unrecorded_one_is_only_measured() -> None:
    here = record_telemetry(sample_ratio=1)

    asked(here, "SELECT :x", UNSAMPLED)

    assert here.spans == ()
    assert (
        'db_client_operation_duration_seconds_count{db_operation_name="SELECT"' in here.metrics_page
    )


def test_a_failure_ends_the_span_and_is_told() -> None:
    here = record_telemetry(sample_ratio=0)

    with pytest.raises(OperationalError):
        asked(here, "SELECT a FROM nowhere", SAMPLED)

    statement = here.span_named("SELECT nowhere")
    assert attributes_of(statement)["error.type"] == "OperationalError"
    assert 'error_type="OperationalError"' in here.metrics_page
    assert here.telemetry.current() is None


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
def test_a_statement_is_named_by_its_verb_and_its_table(statement: str, expected: str) -> None:
    assert summarize_statement(statement)[1] == expected
