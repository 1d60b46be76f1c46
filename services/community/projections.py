"""Redundant data in community's tables, compared by `preau reconcile`."""

from shared.kit.tools.reconcile.declarations import ConsistencyCheck, facts_required

# A conversation's rows imply at least: one event per version of each content, one per flag, one for
# each content that is hidden or removed, one per accepted answer.
_CONVERSATION_EVENTS = """
    SELECT c.tenant_id || ':' || c.root_id AS key,
           sum(c.version + (c.standing <> 'visible')::int + (c.accepted_id IS NOT NULL)::int
               + COALESCE(f.n, 0)) AS n
    FROM contents c
    LEFT JOIN (SELECT tenant_id, content_id, count(*) AS n FROM flags GROUP BY 1, 2) f
      ON f.tenant_id = c.tenant_id AND f.content_id = c.content_id
    GROUP BY 1
"""
_SPACE_EVENTS = """
    SELECT s.tenant_id || ':' || s.space_id AS key, 1 + count(m.member_id) AS n
    FROM spaces s
    LEFT JOIN memberships m ON m.tenant_id = s.tenant_id AND m.space_id = s.space_id
    GROUP BY 1
"""
_ACCEPTED = """
    SELECT tenant_id || ':' || content_id AS key, accepted_id::text AS value
    FROM contents WHERE accepted_id IS NOT NULL
"""
_ANSWERS_OF_QUESTIONS = """
    SELECT q.tenant_id || ':' || q.content_id AS key, a.content_id::text AS value
    FROM contents q JOIN contents a ON a.tenant_id = q.tenant_id AND a.content_id = q.accepted_id
     AND a.kind = 'answer' AND a.parent_id = q.content_id
"""
_ROOTS = """
    SELECT tenant_id || ':' || content_id AS key, root_id::text AS value
    FROM contents WHERE parent_id IS NOT NULL
"""
_ROOTS_OF_PARENTS = """
    SELECT c.tenant_id || ':' || c.content_id AS key, p.root_id::text AS value
    FROM contents c
    JOIN contents p ON p.tenant_id = c.tenant_id AND p.content_id = c.parent_id
"""


CONSISTENCY_CHECKS = (
    facts_required(
        "facts that each conversation's rows owe", _CONVERSATION_EVENTS, "community.post"
    ),
    facts_required("facts that each space's rows owe", _SPACE_EVENTS, "community.space"),
    ConsistencyCheck("I6", "accepted answers", _ACCEPTED, _ANSWERS_OF_QUESTIONS),
    ConsistencyCheck("I6", "replies and their conversation", _ROOTS, _ROOTS_OF_PARENTS),
)
