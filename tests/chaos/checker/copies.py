"""I6: each service's copy of members, rights and structures is what identity says."""

from collections.abc import AsyncIterator

from tests.chaos.checker.compare import differences
from tests.chaos.checker.tables import Tables
from tests.chaos.violation import Violation

COPIES = ("community", "moderation", "notifications", "metrics")
_OWN = {
    "members": """
        SELECT tenant_id || ':' || member_id AS key,
               concat_ws(' ', kind, minor, structure_id, suspended, suspended_until) AS value
        FROM members
    """,
    "roles": """
        SELECT concat_ws(':', tenant_id, member_id, role, structure_id) AS key,
               COALESCE(until::text, 'for good') AS value
        FROM roles
    """,
    "structures": """
        SELECT tenant_id || ':' || structure_id AS key, concat_ws(' ', path, time_zone) AS value
        FROM structures
    """,
}


async def check_copies(tables: Tables) -> AsyncIterator[Violation]:
    """Compare each copy with its original."""
    for name, query in _OWN.items():
        original = await tables.key_values("identity", query)
        for service in COPIES:
            copied = query.replace(f"FROM {name}", f"FROM rights_{name}")
            copy = await tables.key_values(service, copied)
            for violation in differences("I6", f"{service}'s copy of {name}", copy, original):
                yield violation
