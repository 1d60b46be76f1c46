"""What identity's tables say twice, for `preau reconcile`."""

from shared.kit.tools.reconcile.agreement import ConsistencyCheck, facts_required

# One fact for joining, one for each role held, one where the standing is not the first one.
_MEMBERS_OWE = """
    SELECT m.tenant_id || ':' || m.member_id AS key,
           1 + m.suspended::int + count(r.role) AS n
    FROM members m LEFT JOIN roles r ON r.tenant_id = m.tenant_id AND r.member_id = m.member_id
    GROUP BY m.tenant_id, m.member_id, m.suspended
"""
_STRUCTURES_OWE = "SELECT tenant_id || ':' || structure_id AS key, 1 AS n FROM structures"
_TENANTS_OWE = "SELECT tenant_id || ':' || tenant_id AS key, 1 AS n FROM tenants"
# One fact for opening, one where it was ended. Rows of old sessions are gone, their facts are not:
# a member may have left more facts than the rows owe, or facts and no row.
_SESSIONS_OWE = """
    SELECT tenant_id || ':' || member_id AS key, count(*) + count(ended_because) AS n
    FROM sessions GROUP BY 1
"""
_SESSIONS_TOLD = f"""
    SELECT owed.key, least(COALESCE(h.sequence, 0), owed.n)::text AS value
    FROM ({_SESSIONS_OWE}) AS owed
    LEFT JOIN heads h ON h.topic = 'identity.session' AND h.key = owed.key
"""  # noqa: S608  constants of this file

AGREEMENTS = (
    facts_required("facts that each member's rows owe", _MEMBERS_OWE, "identity.member"),
    facts_required("facts that each structure owes", _STRUCTURES_OWE, "identity.structure"),
    facts_required("facts that each tenant owes", _TENANTS_OWE, "identity.tenant"),
    ConsistencyCheck(
        "I2",
        "facts that each member's sessions owe",
        f"SELECT key, n::text AS value FROM ({_SESSIONS_OWE}) AS owed",  # noqa: S608
        _SESSIONS_TOLD,
    ),
)
