"""Light units: one statement for what arrives together, and nobody's rows but one's own."""

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
# It should never be written like this.
_FORGETS = BatchQuery("SELECT tenant_id, words FROM effects WHERE key = asked.key", key="text")


@pytest.fixture
async def light(probe: InboxHarness) -> BatchedDatabase:
    return BatchedDatabase(probe.database)


@pytest.fixture
async def sent(probe: InboxHarness) -> list[str]:
    """Every statement that is sent, in order."""
    heard: list[str] = []

    def hear(record: Any) -> None:
        heard.append(" ".join(record.query.split()))

    def listen(connected: Any, _: object) -> None:
        connected.driver_connection.add_query_logger(hear)

    await probe.database.engine.dispose()
    sa.event.listen(probe.database.engine.sync_engine, "connect", listen)
    return heard


async def act(
    light: BatchedDatabase, number: int, words: str = "Été ☀️", tenant: TenantId = RENNES
) -> None:
    who = member_id(number)
    async with light.unit(make_caller(tenant, who)) as unit:
        row = {"tenant_id": tenant, "key": str(number), "words": words}
        await add(unit, _ADD, [row])
        unit.record(MemberReinstated(member_id=who))


async def everything(probe: InboxHarness, table: str) -> list[dict[str, Any]]:
    return await probe.query(f"SELECT * FROM {table} ORDER BY 1, 2")


async def outcomes(tasks: Iterable[Awaitable[None]]) -> list[type]:
    return [type(one) for one in await asyncio.gather(*tasks, return_exceptions=True)]


async def test_one_statement_writes_the_row_its_fact_and_its_audit(
    probe: InboxHarness, light: BatchedDatabase, sent: list[str]
) -> None:
    await act(light, 1)

    assert len([text for text in sent if text.startswith("WITH seen")]) == 1
    assert not [text for text in sent if "BEGIN" in text]
    assert [row["words"] for row in await everything(probe, "effects")] == ["Été ☀️"]
    (event,) = await everything(probe, "outbox")
    assert b'"sequence":"0000000001"' in event["value"]
    (change,) = await everything(probe, "audit")
    assert (change["member_id"], change["number"]) == (member_id(1), 1)
    assert change["at"] == event["recorded"] == probe.clock.now


async def test_what_arrives_together_goes_together_and_each_tenant_sees_its_own(
    probe: InboxHarness, light: BatchedDatabase, sent: list[str]
) -> None:
    await asyncio.gather(*(act(light, n, tenant=(RENNES, LYON)[n % 2]) for n in range(1, 31)))

    assert len([text for text in sent if "INSERT INTO effects" in text]) <= 3
    assert len(await everything(probe, "outbox")) == len(await everything(probe, "audit")) == 30
    async with probe.database.unit_for([LYON]) as unit:
        assert await chain.find_broken_row(unit.connection, LYON) is None
        seen = await unit.connection.scalar(sa.text("SELECT count(*) FROM effects"))
    assert seen == 15


async def test_a_question_is_answered_with_the_rows_of_ones_own_tenant(
    light: BatchedDatabase, sent: list[str]
) -> None:
    await act(light, 1, "à Rennes")
    await act(light, 1, "à Lyon", LYON)
    for question in (_WORDS, _FORGETS):
        sent.clear()
        found = await asyncio.gather(
            *(light.load(question, tenant, {"key": "1"}) for tenant in (RENNES, LYON) * 8),
            light.load(question, RENNES, {"key": "2"}),
        )
        words = [[row["words"] for row in rows] for rows in found]
        assert words == [["à Rennes"], ["à Lyon"]] * 8 + [[]]
        assert len(sent) == 1


async def test_a_row_of_another_tenant_is_refused(
    probe: InboxHarness, light: BatchedDatabase
) -> None:
    async with light.unit(make_caller(RENNES, member_id(1))) as unit:
        with pytest.raises(ValueError, match="tenant"):
            await add(unit, _ADD, [{"tenant_id": LYON, "key": "1", "words": "là-bas"}])
    assert await everything(probe, "effects") == []


async def test_a_failure_is_not_the_neighbours(probe: InboxHarness, light: BatchedDatabase) -> None:
    nul = "PostgreSQL takes no \x00"
    found = await outcomes(act(light, n, nul if n == 3 else "ça va") for n in range(1, 7))

    assert [found.index(each) for each in found if each is not type(None)] == [2]
    for table in ("effects", "outbox", "audit"):
        assert len(await everything(probe, table)) == 5


async def test_two_at_once_of_one_member_both_find_their_place(
    probe: InboxHarness, light: BatchedDatabase, sent: list[str]
) -> None:
    await asyncio.gather(*(act(light, 1) for _ in range(12)))

    assert [row["number"] for row in await everything(probe, "audit")] == list(range(1, 13))
    assert len([text for text in sent if "INSERT INTO effects" in text]) == 12
    async with probe.database.unit_for([RENNES]) as unit:
        assert await chain.find_broken_row(unit.connection, RENNES) is None


async def test_a_place_that_another_process_takes_meanwhile_is_waited_for(
    probe: InboxHarness, light: BatchedDatabase
) -> None:
    async with probe.database.unit(make_caller(RENNES, member_id(1))) as other:
        other.record(MemberReinstated(member_id=member_id(9)))
        await other.flush()
        waiting = asyncio.create_task(act(light, 1))
        await asyncio.sleep(0.2)
        assert not waiting.done()
    await waiting

    assert [row["number"] for row in await everything(probe, "audit")] == [1, 2]
    async with probe.database.unit_for([RENNES]) as unit:
        assert await chain.find_broken_row(unit.connection, RENNES) is None


async def test_two_facts_of_one_command_are_two_audit_rows(
    probe: InboxHarness, light: BatchedDatabase
) -> None:
    async with light.unit(make_caller(RENNES, member_id(1))) as unit:
        unit.record(MemberReinstated(member_id=member_id(1)))
        unit.record(MemberReinstated(member_id=member_id(1)))
    assert [row["number"] for row in await everything(probe, "audit")] == [1, 2]


async def test_an_error_in_the_command_writes_nothing(
    probe: InboxHarness, light: BatchedDatabase
) -> None:
    async def fail(fact: Fact, error: Exception | None) -> None:
        async with light.unit(make_caller(RENNES, member_id(1))) as unit:
            unit.record(fact)
            if error is not None:
                raise error

    with pytest.raises(ZeroDivisionError):
        await fail(MemberReinstated(member_id=member_id(1)), ZeroDivisionError())
    with pytest.raises(Invalid):
        await fail(MemberSuspended(member_id=member_id(2), reason="é" * MAX_RECORD_BYTES), None)
    assert await everything(probe, "outbox") == []


async def test_a_held_transaction_is_joined(probe: InboxHarness, light: BatchedDatabase) -> None:
    async def fail() -> None:
        who = make_caller(RENNES, member_id(1))
        async with probe.database.open_unit(who) as held:
            async with light.unit(replace(who, open_unit=held)) as unit:
                await add(unit, _ADD, [{"tenant_id": RENNES, "key": "1", "words": "tenu"}])
                assert len(await load(unit, _WORDS, RENNES, key="1")) == 1
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    assert await everything(probe, "effects") == []


async def test_without_a_connection_everybody_is_refused_in_time(frame: Frame) -> None:
    limits = LoadLimits(pool_size=1, max_wait_seconds=0.1)
    small = Database(
        "community",
        frame.url("app"),
        clock=Clock(),
        new_id=uuid7,
        trace=no_trace,
        load_monitor=LoadMonitor("small", limits),
    )
    light = BatchedDatabase(small)
    try:
        async with small.unit_for([RENNES]):
            assert await outcomes(act(light, n) for n in (1, 2)) == [Overloaded, Overloaded]
            with pytest.raises(Overloaded):
                await light.load(_WORDS, RENNES, {"key": "1"})
    finally:
        await small.stop()


async def test_who_waits_has_the_statement_in_their_own_trace(probe: InboxHarness) -> None:
    here = record_telemetry(sample_ratio=0)
    instrument_engine(probe.database.engine, here.telemetry)
    light = BatchedDatabase(probe.database)
    with here.telemetry.span("request", "server", parent=SAMPLED) as span:
        await light.load(_WORDS, RENNES, {"key": "1"})
    assert parent_ids(here.span_named("SELECT effects")) == trace_and_span_ids(span.traceparent)


def test_columns_that_no_array_can_hold_are_refused() -> None:
    path: sa.Column[Any] = sa.Column("path", sa.ARRAY(sa.Uuid()))
    with pytest.raises(TypeError, match="spaces"):
        BatchInsert(sa.Table("spaces", sa.MetaData(), path))
