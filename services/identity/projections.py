"""What identity's tables say twice, for `preau reconcile`."""

from shared.kit.reconcile.agreement import facts_owed

# One fact for joining, one for each role held, one where the standing is not the first one.
_MEMBERS_OWE = """
    SELECT m.tenant_id || ':' || m.member_id AS key,
           1 + m.suspended::int + count(r.role) AS n
    FROM members m LEFT JOIN roles r ON r.tenant_id = m.tenant_id AND r.member_id = m.member_id
    GROUP BY m.tenant_id, m.member_id, m.suspended
"""
_STRUCTURES_OWE = "SELECT tenant_id || ':' || structure_id AS key, 1 AS n FROM structures"
_TENANTS_OWE = "SELECT tenant_id || ':' || tenant_id AS key, 1 AS n FROM tenants"

AGREEMENTS = (
    facts_owed("facts that each member's rows owe", _MEMBERS_OWE, "identity.member"),
    facts_owed("facts that each structure owes", _STRUCTURES_OWE, "identity.structure"),
    facts_owed("facts that each tenant owes", _TENANTS_OWE, "identity.tenant"),
)
