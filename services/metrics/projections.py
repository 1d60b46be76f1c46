"""Consistency checks of metrics' tables, for `preau reconcile`."""

from shared.kit.tools.reconcile.declarations import ConsistencyCheck, facts_required

_FACTS_OF_ALERTS = """
    SELECT tenant_id || ':' || alert_id AS key, 1 + (closed_at IS NOT NULL)::int AS n FROM alerts
"""
# A space has counts on every day on which a member was active there.
_ACTIVE_DAYS = """
    SELECT DISTINCT concat_ws(':', tenant_id, space_id, month + bit.n) AS key, 'counted' AS value
    FROM person_months
    CROSS JOIN LATERAL (SELECT n FROM generate_series(0, 30) n WHERE (mask >> n) & 1 = 1) bit
"""
_COUNTED_DAYS = f"""
    SELECT a.key, a.value FROM ({_ACTIVE_DAYS}) a JOIN (
        SELECT DISTINCT concat_ws(':', tenant_id, space_id, day) AS key FROM day_counts
        WHERE n > 0 AND what NOT IN ('flags', 'decisions')
    ) d ON d.key = a.key
"""  # noqa: S608  no user input
_DEFERRED_BY_SPACE = """
    SELECT tenant_id || ':' || space_id AS key, count(*)::text AS value FROM held_back GROUP BY 1
"""
_DEFERRED_OF_UNKNOWN_SPACES = f"""
    SELECT w.key, w.value FROM ({_DEFERRED_BY_SPACE}) w
    WHERE NOT EXISTS (SELECT 1 FROM spaces s WHERE s.tenant_id || ':' || s.space_id = w.key)
"""  # noqa: S608  no user input

CONSISTENCY_CHECKS = (
    facts_required("facts that each alert requires", _FACTS_OF_ALERTS, "metrics.alert"),
    ConsistencyCheck("I6", "days of people and days of spaces", _ACTIVE_DAYS, _COUNTED_DAYS),
    ConsistencyCheck(
        "I6", "what waits for a space", _DEFERRED_BY_SPACE, _DEFERRED_OF_UNKNOWN_SPACES
    ),
)
