"""Read an inbox, and mark a notification as read."""

from collections.abc import Sequence
from dataclasses import dataclass

from services.notifications.inbox.domain import Notification, NotificationNotFound
from services.notifications.inbox.policy import may_read
from services.notifications.inbox.ports import InboxDeps
from shared.contracts.ids import NotificationId
from shared.contracts.notifications import NotificationRead
from shared.kit.core.policy import Actor, require_allowed
from shared.kit.core.unit_of_work import Caller


@dataclass(frozen=True, slots=True)
class Inbox:
    """A page of an inbox, and the number of all unread notifications."""

    unread: int
    notifications: Sequence[Notification]


async def read_inbox(
    deps: InboxDeps, caller: Caller, actor: Actor, before: NotificationId | None, limit: int
) -> Inbox:
    """List the actor's own notifications, newest first."""
    async with deps.unit(caller) as unit:
        unread = await deps.inboxes.count_unread(unit, caller.tenant, actor.member_id)
        notifications = await deps.inboxes.list_for(
            unit, caller.tenant, actor.member_id, before, limit
        )
    return Inbox(unread, notifications)


async def mark_read(
    deps: InboxDeps, caller: Caller, actor: Actor, notification_id: NotificationId
) -> Notification:
    """Mark a notification as read; repeating it changes nothing. Raises `NotificationNotFound`."""
    async with deps.unit(caller) as unit:
        read_result = await deps.inboxes.mark_read(
            unit, (caller.tenant, actor.member_id), notification_id, unit.now
        )
        if read_result is None:
            raise NotificationNotFound(notification_id=notification_id)
        notification, changed = read_result
        require_allowed(may_read(actor, notification.recipient))
        if changed:
            unit.record(
                NotificationRead(
                    notification_id=notification_id,
                    recipient_id=actor.member_id,
                    category=notification.category.value,
                )
            )
    return notification
