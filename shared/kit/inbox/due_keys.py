"""Which parked keys are due, found through an index, however much is parked.

An event that failed has its next try; one that waits behind another has none. So whoever takes the
first of a key away (a retry that applied it, an operator who leaves it out) gives the next one its
try: `wake`. What a batch put behind an event that was applied in that moment has none, and is first
all the same: `wake_forgotten` finds it.
"""

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from shared.kit.database.database import Database, SqlUnit

_DUE = sa.text("""
    SELECT key FROM parked
    WHERE consumer_group = :consumer_group AND state = 'parked' AND next_try <= :now
      AND key <> ALL(:tried)
    ORDER BY next_try, topic, partition, "offset" LIMIT :limit
""")
_WAKE = """
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
_WAKE_THESE = sa.text(_WAKE.format(keys="SELECT unnest(CAST(:keys AS text[])) AS key"))
_WAKE_FORGOTTEN = sa.text(
    _WAKE.format(
        keys="""
            SELECT DISTINCT key FROM parked
            WHERE consumer_group = :consumer_group AND state = 'parked' AND next_try IS NULL
        """
    )
)


async def list_due_keys(
    database: Database, group: str, now: datetime, tried: Collection[str], limit: int
) -> list[str]:
    """Name keys with an event that is due, the longest due first, without those `tried`."""
    rows = await database.execute_once(
        _DUE, consumer_group=group, now=now, tried=list(tried), limit=limit
    )
    return list(dict.fromkeys(row.key for row in rows))


async def make_first_due(unit: SqlUnit, group: str, keys: Collection[str]) -> None:
    """Let the first event of each of these keys be tried, if it waited behind another until now."""
    values = {"consumer_group": group, "now": unit.now, "keys": sorted(keys)}
    await unit.connection.execute(_WAKE_THESE, values)


async def make_forgotten_due(database: Database, group: str, now: datetime) -> None:
    """Do the same for every key of the group; reads all that waits."""
    await database.execute_once(_WAKE_FORGOTTEN, consumer_group=group, now=now)
