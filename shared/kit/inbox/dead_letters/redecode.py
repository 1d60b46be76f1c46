"""Decodes unreadable records again when they are replayed, with the present version's decoders.

The key of such a record was not known, so it blocked no event: it is applied later than the events
after it.
"""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from shared.kit.database.database import SqlUnit
from shared.kit.inbox import ledger, sequences
from shared.kit.inbox.decode import Decoded, EventDecoders, Ignored, Unreadable, decode_record
from shared.kit.inbox.parked import LogPosition, to_record
from shared.kit.inbox.sequences import REFUSED

_AT = """
    consumer_group = :consumer_group AND topic = :topic AND partition = :partition
    AND "offset" = :offset
"""
_GET_RECORD = sa.text(f"SELECT * FROM parked WHERE {_AT}")  # noqa: S608  a constant of this file
_DELETE_RECORD = sa.text(f"DELETE FROM parked WHERE {_AT}")  # noqa: S608  a constant of this file
_COUNT_OUTCOME = {
    name: sa.text(f"""
        UPDATE positions SET {name} = {name} + 1
        WHERE consumer_group = :consumer_group AND topic = :topic AND partition = :partition
    """)  # noqa: S608  two names of this file
    for name in ("ignored", "duplicate")
}
_SET_KEY = sa.text(f"""
    UPDATE parked SET key = :key, event_id = :event_id, type = :type, tenant_id = :tenant
    WHERE {_AT}
""")  # noqa: S608  a constant of this file


async def decode_again(
    unit: SqlUnit,
    group: str,
    decoders: EventDecoders,
    positions: Sequence[LogPosition],
    *,
    named: bool,
    dry_run: bool,
) -> int:
    """Park readable records under their keys; return how many are still unreadable.

    A record that the group ignores, or whose event was applied meanwhile, is counted and deleted.
    A record whose sequence was rejected is accepted only if an operator `named` its position: then
    it is genuine.
    """
    unreadable = 0
    for position in positions:
        values: dict[str, object] = {
            "consumer_group": group,
            "topic": position.topic,
            "partition": position.partition,
            "offset": position.offset,
        }
        row = (await unit.connection.execute(_GET_RECORD, values)).one()
        item = decode_record(to_record(row), decoders, unit.now)
        rejected = row.cause.startswith(REFUSED) and not named
        if isinstance(item, Unreadable) or rejected:
            unreadable += 1
        elif not dry_run:
            await _count_or_park(unit.connection, group, values, item)
    return unreadable


async def _is_duplicate(connection: AsyncConnection, group: str, item: Decoded) -> bool:
    new_ids, _ = await ledger.claim_events(connection, group, [item.delivery.event_id])
    return new_ids is not None and not new_ids


async def _count_or_park(
    connection: AsyncConnection, group: str, values: Mapping[str, object], item: Ignored | Decoded
) -> None:
    if isinstance(item, Ignored):
        await connection.execute(_DELETE_RECORD, values)
        await connection.execute(_COUNT_OUTCOME["ignored"], values)
    elif await _is_duplicate(connection, group, item):
        await connection.execute(_DELETE_RECORD, values)
        await connection.execute(_COUNT_OUTCOME["duplicate"], values)
    else:
        event_columns = {
            "key": item.delivery.key,
            "event_id": item.delivery.event_id,
            "type": item.delivery.fact.wire_type(),
            "tenant": item.delivery.tenant,
        }
        await connection.execute(_SET_KEY, {**values, **event_columns})
        await sequences.adopt(connection, group, [item])
