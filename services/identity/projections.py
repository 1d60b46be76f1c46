"""Redundant data in identity's tables, compared by `preau reconcile`."""

from shared.kit.tools.reconcile.declarations import ConsistencyCheck, facts_required

# A member's rows imply at least: one event for joining, one per role, one if suspended.
_MEMBER_EVENTS = """
    SELECT m.tenant_id || ':' || m.member_id AS key,
           1 + m.suspended::int + count(r.role) AS n
    FROM members m LEFT JOIN roles r ON r.tenant_id = m.tenant_id AND r.member_id = m.member_id
    GROUP BY m.tenant_id, m.member_id, m.suspended
"""
_STRUCTURE_EVENTS = "SELECT tenant_id || ':' || structure_id AS key, 1 AS n FROM structures"
_TENANT_EVENTS = "SELECT tenant_id || ':' || tenant_id AS key, 1 AS n FROM tenants"
# A session's row implies one event for its opening and one for its end. Rows expire and events do
# not, so a member may have more events than the rows imply, or events without a row.
_SESSION_EVENTS = """
    SELECT tenant_id || ':' || member_id AS key, count(*) + count(ended_because) AS n
    FROM sessions GROUP BY 1
"""
_SESSION_EVENTS_PUBLISHED = f"""
    SELECT owed.key, least(COALESCE(h.sequence, 0), owed.n)::text AS value
    FROM ({_SESSION_EVENTS}) AS owed
    LEFT JOIN heads h ON h.topic = 'identity.session' AND h.key = owed.key
"""  # noqa: S608  constants of this file

CONSISTENCY_CHECKS = (
    facts_required("facts that each member's rows owe", _MEMBER_EVENTS, "identity.member"),
    facts_required("facts that each structure owes", _STRUCTURE_EVENTS, "identity.structure"),
    facts_required("facts that each tenant owes", _TENANT_EVENTS, "identity.tenant"),
    ConsistencyCheck(
        "I2",
        "facts that each member's sessions owe",
        f"SELECT key, n::text AS value FROM ({_SESSION_EVENTS}) AS owed",  # noqa: S608
        _SESSION_EVENTS_PUBLISHED,
    ),
)
