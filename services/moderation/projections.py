"""Pairs of queries that must agree within moderation, for `preau reconcile`."""

from shared.kit.tools.reconcile.declarations import ConsistencyCheck

_EXPECTED_FACTS = """
    SELECT key, sum(facts) AS n FROM (
        SELECT tenant_id || ':' || (subject ->> 'root_id') AS key,
               1 + (state <> 'open')::int AS facts FROM cases
        UNION ALL
        SELECT tenant_id || ':' || (subject ->> 'root_id'), 1 + (outcome IS NOT NULL)::int
               + (outcome IS NOT DISTINCT FROM 'overturned')::int FROM appeals
        UNION ALL
        SELECT tenant_id || ':' || (subject ->> 'root_id'), 2 FROM statements
    ) AS owed GROUP BY 1
"""
_PUBLISHED = f"""
    SELECT owed.key, least(h.sequence, owed.n)::text AS value FROM ({_EXPECTED_FACTS}) AS owed
    JOIN heads h ON h.topic = 'moderation.case' AND h.key = owed.key
"""  # noqa: S608  our own words
_FLAG_COUNTS = """
    SELECT tenant_id || ':' || case_id AS key, flags::text AS value FROM cases WHERE flags <> 0
"""
_FLAGGERS = """
    SELECT tenant_id || ':' || case_id AS key, count(DISTINCT member_id)::text AS value
    FROM case_flags GROUP BY 1
"""
_REVERSED = """
    SELECT tenant_id || ':' || decision_id AS key, appeal_id::text AS value FROM reversals
"""
_OVERTURNED = """
    SELECT tenant_id || ':' || decision_id AS key, appeal_id::text AS value
    FROM appeals WHERE outcome = 'overturned'
"""
_FIRST_MODERATORS = """
    SELECT tenant_id || ':' || appeal_id AS key, coalesce(first_moderator::text, '') AS value
    FROM appeals WHERE decided_by IS DISTINCT FROM first_moderator OR first_moderator IS NULL
"""
_DECIDERS = """
    SELECT a.tenant_id || ':' || a.appeal_id AS key, coalesce(d.moderator_id::text, '') AS value
    FROM appeals a
    JOIN decisions d ON d.tenant_id = a.tenant_id AND d.decision_id = a.decision_id
"""
_STATEMENTS = """
    SELECT tenant_id || ':' || statement_id AS key,
           concat_ws(' ', decision_id, action, policy, decided_by) AS value
    FROM statements
"""
_STATEMENT_DECISIONS = """
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

CONSISTENCY_CHECKS = (
    ConsistencyCheck(
        "I2",
        "facts that each conversation's cases owe",
        f"SELECT key, n::text AS value FROM ({_EXPECTED_FACTS}) AS owed",  # noqa: S608  our own words
        _PUBLISHED,
    ),
    ConsistencyCheck("I6", "statements and their decisions", _STATEMENTS, _STATEMENT_DECISIONS),
    ConsistencyCheck("I6", "cases that were decided", _DECIDED, _CLOSED),
    ConsistencyCheck("I6", "people who flagged in each case", _FLAG_COUNTS, _FLAGGERS),
    ConsistencyCheck("I6", "decisions that were reversed", _REVERSED, _OVERTURNED),
    ConsistencyCheck("I6", "appeals and who decided first", _FIRST_MODERATORS, _DECIDERS),
)
