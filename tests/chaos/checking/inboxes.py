"""I6: the inboxes hold exactly what the facts of the log must tell people."""

from collections.abc import AsyncIterator

from tests.chaos.checking.compare import differences
from tests.chaos.checking.tables import Tables
from tests.chaos.checking.told import Told
from tests.chaos.violation import Violation

_ROWS = """
    SELECT concat_ws(':', tenant_id, recipient, cause) AS key,
           category || ' ' || about || CASE WHEN gone THEN ' gone' ELSE '' END AS value
    FROM notifications
"""


async def check_inboxes(tables: Tables, told: Told) -> AsyncIterator[Violation]:
    """Tell again whom each fact concerns, alerts those who answered when they were raised."""
    stored = await tables.pairs("notifications", _ROWS)
    expected = told.owed() | dict(told.managing.notices())
    for each in differences("I6", "inboxes", stored, expected):
        yield each
