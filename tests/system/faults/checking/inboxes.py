"""I6: the inboxes hold exactly what the facts of the log must tell people."""

from collections.abc import AsyncIterator

from tests.system.faults.checking.compare import differences
from tests.system.faults.checking.tables import Tables
from tests.system.faults.checking.told import Told
from tests.system.faults.violation import Violation

_ROWS = """
    SELECT concat_ws(':', tenant_id, recipient, cause) AS key, category || ' ' || about AS value
    FROM notifications WHERE category <> 'alert'
"""
_ALERTS = """
    SELECT tenant_id || ':' || cause AS key, recipient::text AS recipient, about::text AS about
    FROM notifications WHERE category = 'alert'
"""
_MANAGERS = """
    SELECT DISTINCT tenant_id::text AS t FROM roles
    WHERE role IN ('community_manager', 'administrator')
"""


async def check_inboxes(tables: Tables, told: Told) -> AsyncIterator[Violation]:
    """Tell again whom each fact concerns. Who managed what when an alert came is not known any
    more: of alerts it is checked that each reached somebody, and none was made up."""
    stored = await tables.pairs("notifications", _ROWS)
    for each in differences("I6", "inboxes", stored, told.notices):
        yield each
    reached = set()
    for row in await tables.rows("notifications", _ALERTS):
        reached.add(row["key"])
        if told.alerts.get(row["key"]) != row["about"]:
            yield Violation(
                "I6", row["key"], f"an alert that no fact raised told {row['recipient']}"
            )
    managed = {row["t"] for row in await tables.rows("identity", _MANAGERS)}
    for key, alert in told.alerts.items():
        if key not in reached and key.partition(":")[0] in managed:
            yield Violation("I6", key, f"alert {alert} was told to nobody")
