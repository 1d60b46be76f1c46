"""Batched units: one statement per batch, tenants kept apart, failures kept apart."""

import asyncio
from collections.abc import Awaitable, Iterable
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa
from uuid_utils.compat import uuid7

from shared.contracts.event import Fact
from shared.contracts.identity import MemberReinstated, MemberSuspended
from shared.contracts.ids import TenantId
from shared.kit.core.bus import MAX_RECORD_BYTES
from shared.kit.core.errors import Invalid
from shared.kit.database.audit import chain
from shared.kit.database.batched.statements import BatchInsert, BatchQuery
from shared.kit.database.batched.unit import BatchedDatabase, add, load
from shared.kit.database.database import Database
from shared.kit.database.overload import LoadLimits, LoadMonitor, Overloaded
from shared.kit.telemetry.sql import instrument_engine
from tests.kit.conftest import Frame
from tests.support.inbox_harness import (
    LYON,
    RENNES,
    Clock,
    InboxHarness,
    make_caller,
    member_id,
    no_trace,
)
from tests.support.recorded_spans import SAMPLED, parent_ids, record_telemetry, trace_and_span_ids

pytestmark = pytest.mark.allow_hosts(["127.0.0.1"])
_EFFECTS = sa.Table(
    "effects",
    sa.MetaData(),
    sa.Column("tenant_id", sa.Uuid()),
    sa.Column("key", sa.Text()),
    sa.Column("words", sa.Text()),
)
_ADD = BatchInsert(_EFFECTS)
_WORDS = BatchQuery(
    "SELECT tenant_id, words FROM effects WHERE tenant_id = asked.tenant_id AND key = asked.key",
    key="text",
)
# A query with a fault: its condition on the tenant is missing.
_WORDS_OF_ALL_TENANTS = BatchQuery(
    "SELECT tenant_id, words FROM effects WHERE key = asked.key", key="text"
)


@pytest.fixture
async def batched(harness: InboxHarness) -> BatchedDatabase:
    return BatchedDatabase(harness.database)


@pytest.fixture
async def statements(harness: InboxHarness) -> list[str]:
    """All SQL sent to the database, in order."""
    sent: list[str] = []

    def log_query(record: Any) -> None:
        sent.append(" ".join(record.query.split()))

    def listen(dbapi_connection: Any, _: object) -> None:
        dbapi_connection.driver_connection.add_query_logger(log_query)

    await harness.database.engine.dispose()
    sa.event.listen(harness.database.engine.sync_engine, "connect", listen)
    return sent


async def run_command(
    batched: BatchedDatabase, number: int, words: str = "Été ☀️", tenant: TenantId = RENNES
) -> None:
    member = member_id(number)
    async with batched.unit(make_caller(tenant, member)) as unit:
        row = {"tenant_id": tenant, "key": str(number), "words": words}
        await add(unit, _ADD, [row])
        unit.record(MemberReinstated(member_id=member))


async def all_rows(harness: InboxHarness, table: str) -> list[dict[str, Any]]:
    return await harness.query(f"SELECT * FROM {table} ORDER BY 1, 2")


async def outcome_types(commands: Iterable[Awaitable[None]]) -> list[type]:
    outcomes = await asyncio.gather(*commands, return_exceptions=True)
    return [type(outcome) for outcome in outcomes]


async def test_one_statement_writes_the_row_its_event_and_its_audit(
    harness: InboxHarness, batched: BatchedDatabase, statements: list[str]
) -> None:
    await run_command(batched, 1)

    assert len([text for text in statements if text.startswith("WITH seen")]) == 1
    assert not [text for text in statements if "BEGIN" in text]
    assert [row["words"] for row in await all_rows(harness, "effects")] == ["Été ☀️"]
    (event,) = await all_rows(harness, "outbox")
    assert b'"sequence":"0000000001"' in event["value"]
    (entry,) = await all_rows(harness, "audit")
    assert (entry["member_id"], entry["number"]) == (member_id(1), 1)
    assert entry["at"] == event["recorded"] == harness.clock.now


async def test_concurrent_commands_share_statements_and_tenants_stay_apart(
    harness: InboxHarness, batched: BatchedDatabase, statements: list[str]
) -> None:
    commands = (run_command(batched, n, tenant=(RENNES, LYON)[n % 2]) for n in range(1, 31))
    await asyncio.gather(*commands)

    assert len([text for text in statements if "INSERT INTO effects" in text]) <= 3
    assert len(await all_rows(harness, "outbox")) == len(await all_rows(harness, "audit")) == 30
    async with harness.database.unit_for([LYON]) as unit:
        assert await chain.find_broken_row(unit.connection, LYON) is None
        visible = await unit.connection.scalar(sa.text("SELECT count(*) FROM effects"))
    assert visible == 15


async def test_a_batch_query_returns_rows_of_the_callers_tenant_only(
    batched: BatchedDatabase, statements: list[str]
) -> None:
    await run_command(batched, 1, "à Rennes")
    await run_command(batched, 1, "à Lyon", LYON)
    for query in (_WORDS, _WORDS_OF_ALL_TENANTS):
        statements.clear()
        results = await asyncio.gather(
            *(batched.load(query, tenant, {"key": "1"}) for tenant in (RENNES, LYON) * 8),
            batched.load(query, RENNES, {"key": "2"}),
        )
        words = [[row["words"] for row in rows] for rows in results]
        assert words == [["à Rennes"], ["à Lyon"]] * 8 + [[]]
        assert len(statements) == 1


async def test_a_row_of_another_tenant_is_refused(
    harness: InboxHarness, batched: BatchedDatabase
) -> None:
    async with batched.unit(make_caller(RENNES, member_id(1))) as unit:
        with pytest.raises(ValueError, match="tenant"):
            await add(unit, _ADD, [{"tenant_id": LYON, "key": "1", "words": "là-bas"}])
    assert await all_rows(harness, "effects") == []


async def test_one_commands_failure_does_not_fail_the_others(
    harness: InboxHarness, batched: BatchedDatabase
) -> None:
    nul = "PostgreSQL takes no \x00"
    outcomes = await outcome_types(
        run_command(batched, n, nul if n == 3 else "ça va") for n in range(1, 7)
    )

    assert [number for number, kind in enumerate(outcomes) if kind is not type(None)] == [2]
    for table in ("effects", "outbox", "audit"):
        assert len(await all_rows(harness, table)) == 5


async def test_concurrent_commands_of_one_member_extend_one_chain(
    harness: InboxHarness, batched: BatchedDatabase, statements: list[str]
) -> None:
    await asyncio.gather(*(run_command(batched, 1) for _ in range(12)))

    assert [row["number"] for row in await all_rows(harness, "audit")] == list(range(1, 13))
    assert len([text for text in statements if "INSERT INTO effects" in text]) == 12
    async with harness.database.unit_for([RENNES]) as unit:
        assert await chain.find_broken_row(unit.connection, RENNES) is None


async def test_a_command_waits_for_another_process_that_extends_the_chain(
    harness: InboxHarness, batched: BatchedDatabase
) -> None:
    async with harness.database.unit(make_caller(RENNES, member_id(1))) as other_unit:
        other_unit.record(MemberReinstated(member_id=member_id(9)))
        await other_unit.flush()
        command = asyncio.create_task(run_command(batched, 1))
        await asyncio.sleep(0.2)
        assert not command.done()
    await command

    assert [row["number"] for row in await all_rows(harness, "audit")] == [1, 2]
    async with harness.database.unit_for([RENNES]) as unit:
        assert await chain.find_broken_row(unit.connection, RENNES) is None


async def test_two_facts_of_one_command_are_two_audit_rows(
    harness: InboxHarness, batched: BatchedDatabase
) -> None:
    async with batched.unit(make_caller(RENNES, member_id(1))) as unit:
        unit.record(MemberReinstated(member_id=member_id(1)))
        unit.record(MemberReinstated(member_id=member_id(1)))
    assert [row["number"] for row in await all_rows(harness, "audit")] == [1, 2]


async def test_an_error_in_the_command_writes_nothing(
    harness: InboxHarness, batched: BatchedDatabase
) -> None:
    async def run_failing(fact: Fact, error: Exception | None) -> None:
        async with batched.unit(make_caller(RENNES, member_id(1))) as unit:
            unit.record(fact)
            if error is not None:
                raise error

    with pytest.raises(ZeroDivisionError):
        await run_failing(MemberReinstated(member_id=member_id(1)), ZeroDivisionError())
    too_large = MemberSuspended(member_id=member_id(2), reason="é" * MAX_RECORD_BYTES)
    with pytest.raises(Invalid):
        await run_failing(too_large, None)
    assert await all_rows(harness, "outbox") == []


async def test_a_batched_command_joins_an_open_transaction(
    harness: InboxHarness, batched: BatchedDatabase
) -> None:
    async def run_failing() -> None:
        caller = make_caller(RENNES, member_id(1))
        async with harness.database.open_unit(caller) as open_unit:
            async with batched.unit(replace(caller, open_unit=open_unit)) as unit:
                await add(unit, _ADD, [{"tenant_id": RENNES, "key": "1", "words": "tenu"}])
                assert len(await load(unit, _WORDS, RENNES, key="1")) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await run_failing()
    assert await all_rows(harness, "effects") == []


async def test_an_exhausted_pool_rejects_commands_and_queries_in_time(frame: Frame) -> None:
    limits = LoadLimits(pool_size=1, max_wait_seconds=0.1)
    database = Database(
        "community",
        frame.url("app"),
        clock=Clock(),
        new_id=uuid7,
        trace=no_trace,
        load_monitor=LoadMonitor("small", limits),
    )
    batched = BatchedDatabase(database)
    try:
        async with database.unit_for([RENNES]):
            outcomes = await outcome_types(run_command(batched, n) for n in (1, 2))
            assert outcomes == [Overloaded, Overloaded]
            with pytest.raises(Overloaded):
                await batched.load(_WORDS, RENNES, {"key": "1"})
    finally:
        await database.stop()


async def test_a_shared_statement_appears_in_the_callers_trace(harness: InboxHarness) -> None:
    recorded = record_telemetry(sample_ratio=0)
    instrument_engine(harness.database.engine, recorded.telemetry)
    batched = BatchedDatabase(harness.database)
    with recorded.telemetry.span("request", "server", parent=SAMPLED) as span:
        await batched.load(_WORDS, RENNES, {"key": "1"})
    assert parent_ids(recorded.span_named("SELECT effects")) == trace_and_span_ids(span.traceparent)


def test_a_batch_insert_refuses_columns_of_array_types() -> None:
    path: sa.Column[Any] = sa.Column("path", sa.ARRAY(sa.Uuid()))
    with pytest.raises(TypeError, match="spaces"):
        BatchInsert(sa.Table("spaces", sa.MetaData(), path))
