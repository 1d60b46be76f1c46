"""I6: the inboxes hold exactly the notifications that the log's facts require."""

from collections.abc import AsyncIterator

from tests.chaos.checker.compare import differences
from tests.chaos.checker.log_facts import LogFacts
from tests.chaos.checker.tables import Tables
from tests.chaos.violation import Violation

_ROWS = """
    SELECT concat_ws(':', tenant_id, recipient, cause) AS key,
           category || ' ' || about || CASE WHEN gone THEN ' gone' ELSE '' END AS value
    FROM notifications
"""


async def check_inboxes(tables: Tables, log_facts: LogFacts) -> AsyncIterator[Violation]:
    """Recompute the notifications from the log and compare them with the table."""
    stored = await tables.key_values("notifications", _ROWS)
    expected = log_facts.expected_notifications() | dict(
        log_facts.managers.expected_notifications()
    )
    for violation in differences("I6", "inboxes", stored, expected):
        yield violation
