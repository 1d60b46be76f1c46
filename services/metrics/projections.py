"""What metrics' tables say twice, for `preau reconcile`."""

from shared.kit.tools.reconcile.agreement import ConsistencyCheck, facts_required

_ALERTS_OWE = """
    SELECT tenant_id || ':' || alert_id AS key, 1 + (closed_at IS NOT NULL)::int AS n FROM alerts
"""
# On every day on which someone was active in a space, something was counted there.
_ACTIVE = """
    SELECT DISTINCT concat_ws(':', tenant_id, space_id, month + bit.n) AS key, 'counted' AS value
    FROM person_months
    CROSS JOIN LATERAL (SELECT n FROM generate_series(0, 30) n WHERE (mask >> n) & 1 = 1) bit
"""
_COUNTED = f"""
    SELECT a.key, a.value FROM ({_ACTIVE}) a JOIN (
        SELECT DISTINCT concat_ws(':', tenant_id, space_id, day) AS key FROM day_counts
        WHERE n > 0 AND what NOT IN ('flags', 'decisions')
    ) d ON d.key = a.key
"""  # noqa: S608  our own words
_WAITS = """
    SELECT tenant_id || ':' || space_id AS key, count(*)::text AS value FROM held_back GROUP BY 1
"""
_MAY_WAIT = f"""
    SELECT w.key, w.value FROM ({_WAITS}) w
    WHERE NOT EXISTS (SELECT 1 FROM spaces s WHERE s.tenant_id || ':' || s.space_id = w.key)
"""  # noqa: S608  our own words

AGREEMENTS = (
    facts_required("facts that each alert owes", _ALERTS_OWE, "metrics.alert"),
    ConsistencyCheck("I6", "days of people and days of spaces", _ACTIVE, _COUNTED),
    ConsistencyCheck("I6", "what waits for a space", _WAITS, _MAY_WAIT),
)
