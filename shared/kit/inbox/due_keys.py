"""Finds the parked keys that are due, through an index, however many events are parked.

A failed event has a `next_try`; an event that is blocked behind another one of its key has none. So
code that removes the first event of a key (a retry that applied it, an operator who skips it) must
give the next one a `next_try`: `make_first_due`. A batch can park an event behind one that is
applied at the same moment; that event is first but has no `next_try`, and `make_forgotten_due`
finds it.
"""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from shared.kit.database.database import Database, SqlUnit

_LIST_DUE = sa.text("""
    SELECT key FROM parked
    WHERE consumer_group = :consumer_group AND state = 'parked' AND next_try <= :now
      AND key <> ALL(:tried)
    ORDER BY next_try, topic, partition, "offset" LIMIT :limit
""")
_MAKE_DUE = """
    UPDATE parked AS p SET next_try = :now
    FROM ({keys}) AS k, LATERAL (
        SELECT topic, partition, "offset", state, next_try FROM parked
        WHERE consumer_group = :consumer_group AND key = k.key AND state IN ('parked', 'dead')
        ORDER BY topic, "offset" LIMIT 1
    ) AS first
    WHERE first.state = 'parked' AND first.next_try IS NULL
      AND p.consumer_group = :consumer_group AND p.topic = first.topic
      AND p.partition = first.partition AND p."offset" = first."offset"
"""
_MAKE_FIRST_DUE = sa.text(_MAKE_DUE.format(keys="SELECT unnest(CAST(:keys AS text[])) AS key"))
_MAKE_FORGOTTEN_DUE = sa.text(
    _MAKE_DUE.format(
        keys="""
            SELECT DISTINCT key FROM parked
            WHERE consumer_group = :consumer_group AND state = 'parked' AND next_try IS NULL
        """
    )
)


async def list_due_keys(
    database: Database, group: str, now: datetime, tried: Collection[str], limit: int
) -> list[str]:
    """List keys with a due event, the longest due first, without the keys in `tried`."""
    rows = await database.execute_once(
        _LIST_DUE, consumer_group=group, now=now, tried=list(tried), limit=limit
    )
    return list(dict.fromkeys(row.key for row in rows))


async def make_first_due(unit: SqlUnit, group: str, keys: Collection[str]) -> None:
    """Make the first event of each of these keys due, if it was blocked behind another one."""
    values = {"consumer_group": group, "now": unit.now, "keys": sorted(keys)}
    await unit.connection.execute(_MAKE_FIRST_DUE, values)


async def make_forgotten_due(database: Database, group: str, now: datetime) -> None:
    """Make the first event of every key of the group due; reads all blocked events."""
    await database.execute_once(_MAKE_FORGOTTEN_DUE, consumer_group=group, now=now)
