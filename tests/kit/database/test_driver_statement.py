"""DriverStatement: the unit's connection, SQLAlchemy's telemetry, and the same errors."""

import asyncpg
import pytest
import sqlalchemy as sa

from shared.kit.core.errors import Transient
from shared.kit.database.driver_statement import DriverStatement
from shared.kit.telemetry.sql import instrument_engine
from tests.support.inbox_harness import RENNES, InboxHarness, make_caller
from tests.support.recorded_spans import (
    SAMPLED,
    attributes_of,
    parent_ids,
    record_telemetry,
    trace_and_span_ids,
)

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
_EFFECTS = sa.table("effects", sa.column("tenant_id", sa.Uuid()), sa.column("words", sa.Text()))
_ADD = DriverStatement(sa.insert(_EFFECTS).returning(_EFFECTS.c.words), ("tenant_id", "words"))
_READ = DriverStatement(
    sa.text("SELECT words FROM effects WHERE tenant_id = :tenant ORDER BY words")
)


async def test_a_driver_statement_runs_in_the_units_transaction_and_tenants(
    harness: InboxHarness,
) -> None:
    values = {"tenant_id": RENNES, "words": "Noël 🎄"}

    async def add_and_fail() -> None:
        async with harness.database.unit(make_caller()) as unit:
            (added,) = await _ADD.fetch(unit.connection, values)
            assert added["words"] == "Noël 🎄"
            assert len(await _READ.fetch(unit.connection, {"tenant": RENNES})) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await add_and_fail()
    async with harness.database.unit(make_caller()) as unit:
        assert await _READ.fetch(unit.connection, {"tenant": RENNES}) == []
        await _ADD.fetch(unit.connection, values)
    async with harness.database.unit_for([]) as unit:
        assert await _READ.fetch(unit.connection, {"tenant": RENNES}) == []


async def test_a_lost_connection_is_raised_as_transient(harness: InboxHarness) -> None:
    terminate = DriverStatement(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))
    with pytest.raises(Transient):
        async with harness.database.unit(make_caller()) as unit:
            await terminate.fetch(unit.connection, {})
    async with harness.database.unit(make_caller()) as unit:
        assert await _READ.fetch(unit.connection, {"tenant": RENNES}) == []


async def test_a_driver_statement_is_measured_and_traced(harness: InboxHarness) -> None:
    recorded = record_telemetry(sample_ratio=0)
    instrument_engine(harness.database.engine, recorded.telemetry)
    invalid = DriverStatement(sa.text("SELECT words FROM nowhere"))
    with recorded.telemetry.span("request", "server", parent=SAMPLED) as span:
        async with harness.database.unit(make_caller()) as unit:
            await _READ.fetch(unit.connection, {"tenant": RENNES})
        with pytest.raises(asyncpg.UndefinedTableError):
            async with harness.database.unit(make_caller()) as unit:
                await invalid.fetch(unit.connection, {})
    assert parent_ids(recorded.span_named("SELECT effects")) == trace_and_span_ids(span.traceparent)
    assert (
        attributes_of(recorded.span_named("SELECT nowhere"))["error.type"] == "UndefinedTableError"
    )
    assert 'error_type="42P01"' in recorded.metrics_page


def test_a_parameter_type_that_needs_sqlalchemy_is_refused() -> None:
    tags = sa.bindparam("tags", type_=sa.JSON())
    with pytest.raises(TypeError, match="needs SQLAlchemy"):
        DriverStatement(sa.select(tags))
