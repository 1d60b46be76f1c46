"""A record that could not be read is read again when it is replayed, by the code of today.

Its key was not known, so nothing waited behind it: it is applied later than what came after it.
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
_RECORD = sa.text(f"SELECT * FROM parked WHERE {_AT}")  # noqa: S608  a constant of this file
_FORGET = sa.text(f"DELETE FROM parked WHERE {_AT}")  # noqa: S608  a constant of this file
_COUNT = {
    name: sa.text(f"""
        UPDATE positions SET {name} = {name} + 1
        WHERE consumer_group = :consumer_group AND topic = :topic AND partition = :partition
    """)  # noqa: S608  two names of this file
    for name in ("ignored", "duplicate")
}
_JOIN = sa.text(f"""
    UPDATE parked SET key = :key, event_id = :event_id, type = :type, tenant_id = :tenant
    WHERE {_AT}
""")  # noqa: S608  a constant of this file


async def decode_again(
    unit: SqlUnit,
    group: str,
    wanted: EventDecoders,
    places: Sequence[LogPosition],
    *,
    named: bool,
    dry_run: bool,
) -> int:
    """Let those that can be read by now join their keys; say how many still cannot be.

    One that is of no interest, or whose event was applied meanwhile, is counted as such and gone.
    One whose sequence was refused joins only if an operator `named` it: then it is genuine.
    """
    unreadable = 0
    for place in places:
        at: dict[str, object] = {
            "consumer_group": group,
            "topic": place.topic,
            "partition": place.partition,
            "offset": place.offset,
        }
        row = (await unit.connection.execute(_RECORD, at)).one()
        item = decode_record(to_record(row), wanted, unit.now)
        refused = row.cause.startswith(REFUSED) and not named
        if isinstance(item, Unreadable) or refused:
            unreadable += 1
        elif not dry_run:
            await _settle(unit.connection, group, at, item)
    return unreadable


async def _known(connection: AsyncConnection, group: str, item: Decoded) -> bool:
    fresh, _ = await ledger.claim_events(connection, group, [item.delivery.event_id])
    return fresh is not None and not fresh


async def _settle(
    connection: AsyncConnection, group: str, at: Mapping[str, object], item: Ignored | Decoded
) -> None:
    if isinstance(item, Ignored):
        await connection.execute(_FORGET, at)
        await connection.execute(_COUNT["ignored"], at)
    elif await _known(connection, group, item):
        await connection.execute(_FORGET, at)
        await connection.execute(_COUNT["duplicate"], at)
    else:
        known = {
            "key": item.delivery.key,
            "event_id": item.delivery.event_id,
            "type": item.delivery.fact.wire_type(),
            "tenant": item.delivery.tenant,
        }
        await connection.execute(_JOIN, {**at, **known})
        await sequences.adopt(connection, group, [item])
