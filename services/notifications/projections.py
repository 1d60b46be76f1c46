"""Consistency checks of notifications' tables, for `preau reconcile`."""

from shared.kit.tools.reconcile.declarations import ConsistencyCheck, EventReference

_UNREAD = """
    SELECT tenant_id || ':' || recipient AS key, n::text AS value FROM unread WHERE n <> 0
"""
_COUNTED_UNREAD = """
    SELECT tenant_id || ':' || recipient AS key, count(*)::text AS value
    FROM notifications WHERE read_at IS NULL AND NOT gone GROUP BY 1
"""
_UNAVAILABLE = """
    SELECT concat_ws(':', tenant_id, recipient, notification_id) AS key, about::text AS value
    FROM notifications WHERE gone
"""
_OF_UNAVAILABLE_CONTENTS = """
    SELECT concat_ws(':', n.tenant_id, n.recipient, n.notification_id) AS key,
           g.content_id::text AS value
    FROM notifications n
    JOIN gone_contents g ON g.tenant_id = n.tenant_id AND g.content_id = n.about
    WHERE n.category IN ('answer_to_mine', 'comment_on_mine', 'answer_accepted')
"""

CONSISTENCY_CHECKS = (
    ConsistencyCheck("I6", "counters of what is unread", _UNREAD, _COUNTED_UNREAD),
    ConsistencyCheck(
        "I6", "notifications of what cannot be read", _UNAVAILABLE, _OF_UNAVAILABLE_CONTENTS
    ),
)
EVENT_REFERENCES = (EventReference("notifications", "cause"),)
