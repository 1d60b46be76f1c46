"""What moderation's tables say twice, for `preau reconcile`."""

from shared.kit.reconcile.agreement import Agreement

_CASES = """
    SELECT tenant_id || ':' || (subject ->> 'root_id') AS key,
           count(*) + count(*) FILTER (WHERE state <> 'open') AS n
    FROM cases GROUP BY 1
"""
_TOLD = f"""
    SELECT owed.key, least(h.sequence, owed.n)::text AS value FROM ({_CASES}) AS owed
    JOIN heads h ON h.topic = 'moderation.case' AND h.key = owed.key
"""  # noqa: S608  our own words
_STATEMENTS = """
    SELECT tenant_id || ':' || statement_id AS key,
           concat_ws(' ', decision_id, action, policy, decided_by) AS value
    FROM statements
"""
_THEIR_DECISIONS = """
    SELECT s.tenant_id || ':' || s.statement_id AS key,
           concat_ws(' ', d.decision_id, d.action, d.policy, d.decided_by) AS value
    FROM statements s
    JOIN decisions d ON d.tenant_id = s.tenant_id AND d.decision_id = s.decision_id
"""
_DECIDED = """
    SELECT tenant_id || ':' || case_id AS key, 'closed' AS value
    FROM decisions WHERE case_id IS NOT NULL GROUP BY tenant_id, case_id
"""
_CLOSED = """
    SELECT c.tenant_id || ':' || c.case_id AS key, c.state AS value FROM cases c
    WHERE EXISTS (SELECT 1 FROM decisions d
                  WHERE d.tenant_id = c.tenant_id AND d.case_id = c.case_id)
"""

AGREEMENTS = (
    Agreement(
        "I2",
        "facts that each conversation's cases owe",
        f"SELECT key, n::text AS value FROM ({_CASES}) AS owed",  # noqa: S608  our own words
        _TOLD,
    ),
    Agreement("I6", "statements and their decisions", _STATEMENTS, _THEIR_DECISIONS),
    Agreement("I6", "cases that were decided", _DECIDED, _CLOSED),
)
