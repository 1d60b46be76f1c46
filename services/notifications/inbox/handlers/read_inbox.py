"""Read one's inbox, and mark what was read."""

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
    """A page of an inbox, and how many are unread in all of it."""

    unread: int
    notifications: Sequence[Notification]


async def read_inbox(
    deps: InboxDeps, caller: Caller, actor: Actor, before: NotificationId | None, limit: int
) -> Inbox:
    """Read one's own inbox, the newest first."""
    async with deps.unit(caller) as unit:
        unread = await deps.inboxes.count_unread(unit, caller.tenant, actor.member_id)
        found = await deps.inboxes.list_for(unit, caller.tenant, actor.member_id, before, limit)
    return Inbox(unread, found)


async def mark_read(
    deps: InboxDeps, caller: Caller, actor: Actor, which: NotificationId
) -> Notification:
    """Mark one as read; again changes nothing. Raises `NotificationNotFound`."""
    async with deps.unit(caller) as unit:
        found = await deps.inboxes.mark_read(
            unit, (caller.tenant, actor.member_id), which, unit.now
        )
        if found is None:
            raise NotificationNotFound(notification_id=which)
        notification, changed = found
        require_allowed(may_read(actor, notification.recipient))
        if changed:
            unit.record(
                NotificationRead(
                    notification_id=which,
                    recipient_id=actor.member_id,
                    category=notification.category.value,
                )
            )
    return notification
