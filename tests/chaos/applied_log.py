"""A witness in each group: what it applied, in which order, written with the effects themselves.

A table of the suite's own beside the service's, filled in the transaction of the effects: what is
rolled back is not in it, what is applied twice stands there twice, and its numbers are an order.
"""

from collections.abc import Sequence

import sqlalchemy as sa

from deploy.local.stack import StackAddresses
from shared.contracts.event import Fact
from shared.kit.core.unit_of_work import Delivery
from shared.kit.database.database import SqlUnit
from tests.chaos.backlog import GROUPS
from tests.chaos.violation import Violation
from tests.support.plain_clients import fetch_as_owner

_TABLE = """
    CREATE TABLE IF NOT EXISTS faults_applied (
        n bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        topic text NOT NULL, key text NOT NULL, sequence bigint NOT NULL, event_id uuid NOT NULL
    )
"""
_WRITE = sa.text("""
    INSERT INTO faults_applied (topic, key, sequence, event_id)
    SELECT topic, key, sequence, event_id
    FROM unnest(CAST(:topics AS text[]), CAST(:keys AS text[]), CAST(:sequences AS bigint[]),
                CAST(:ids AS uuid[])) WITH ORDINALITY
         AS applied (topic, key, sequence, event_id, nth)
    ORDER BY nth
""")
_TWICE = """
    SELECT key, event_id, count(*) AS times FROM faults_applied
    GROUP BY key, event_id HAVING count(*) > 1 LIMIT 20
"""
_BACKWARDS = """
    SELECT key, sequence, before FROM (
        SELECT key, sequence, lag(sequence) OVER (PARTITION BY topic, key ORDER BY n) AS before
        FROM faults_applied
    ) AS steps WHERE sequence < before LIMIT 20
"""


async def create_tables(addresses: StackAddresses) -> None:
    """Make the table in the database of each group."""
    for group in GROUPS:
        await fetch_as_owner(addresses, group, _TABLE)


async def record_applied(unit: SqlUnit, deliveries: Sequence[Delivery[Fact]]) -> None:
    """Write down that these are applied, in this transaction."""
    if deliveries:
        values = {
            "topics": [delivery.partition.topic for delivery in deliveries],
            "keys": [delivery.key for delivery in deliveries],
            "sequences": [delivery.sequence for delivery in deliveries],
            "ids": [delivery.event_id for delivery in deliveries],
        }
        await unit.connection.execute(_WRITE, values)


async def find_violations(addresses: StackAddresses) -> list[Violation]:
    """Find events that were applied twice (I4) and keys whose sequence went backwards (I5)."""
    violations = []
    for group in GROUPS:
        for row in await fetch_as_owner(addresses, group, _TWICE):
            text = f"{group} applied {row['event_id']} {row['times']} times"
            violations.append(Violation("I4", row["key"], text))
        for row in await fetch_as_owner(addresses, group, _BACKWARDS):
            text = f"{group} applied sequence {row['sequence']} after {row['before']}"
            violations.append(Violation("I5", row["key"], text))
    return violations
