"""What notifications' tables say twice, for `preau reconcile`."""

from shared.kit.reconcile.agreement import Agreement, EventNamed

_UNREAD = """
    SELECT tenant_id || ':' || recipient AS key, n::text AS value FROM unread WHERE n <> 0
"""
_NOT_READ = """
    SELECT tenant_id || ':' || recipient AS key, count(*)::text AS value
    FROM notifications WHERE read_at IS NULL GROUP BY 1
"""

AGREEMENTS = (Agreement("I6", "counters of what is unread", _UNREAD, _NOT_READ),)
EVENTS_NAMED = (EventNamed("notifications", "cause"),)
