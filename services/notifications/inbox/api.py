"""Routes of `/v1/inbox`: the caller's own notifications."""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import Header

from services.notifications.inbox.domain import Category, Notification
from services.notifications.inbox.handlers.read_inbox import mark_read, read_inbox
from services.notifications.inbox.ports import InboxDeps
from shared.contracts.ids import NotificationId
from shared.kit.web.context import ActorDep, CallerDep
from shared.kit.web.cursors import ApiModel, PageLimit, decode, encode
from shared.kit.web.messages import preferred_language
from shared.kit.web.routes import Routes

AcceptLanguage = Annotated[str, Header()]


class NotificationShown(ApiModel):
    """Why you are notified, and what it is about; `words` is a text to read right here."""

    notification_id: NotificationId
    category: Category
    about: UUID
    happened_at: datetime
    read_at: datetime | None
    words: str | None = None


class InboxShown(ApiModel):
    """A page, newest first, and the number of all unread notifications.

    Notifications of contents that were hidden or removed before you read them are left out.
    """

    unread: int
    items: list[NotificationShown]
    next: str | None = None


def _to_model(notification: Notification, accept_language: str) -> NotificationShown:
    words = notification.words or {}
    return NotificationShown(
        notification_id=notification.notification_id,
        category=notification.category,
        about=notification.about,
        happened_at=notification.happened_at,
        read_at=notification.read_at,
        words=words.get(preferred_language(accept_language)),
    )


def routes(deps: InboxDeps) -> Routes:
    """Build the routes of this feature."""
    routes = Routes("inbox")

    @routes.get("/inbox", action="inbox.read", access="suspended_too")
    async def read(
        caller: CallerDep,
        actor: ActorDep,
        limit: PageLimit = 20,
        cursor: str | None = None,
        accept_language: AcceptLanguage = "",
    ) -> InboxShown:
        before = NotificationId(decode(cursor, UUID)[0]) if cursor else None
        inbox = await read_inbox(deps, caller, actor, before, limit)
        is_full_page = len(inbox.notifications) == limit
        last = inbox.notifications[-1].notification_id if is_full_page else None
        return InboxShown(
            unread=inbox.unread,
            items=[
                _to_model(notification, accept_language) for notification in inbox.notifications
            ],
            next=encode(last) if last else None,
        )

    # Limited like a read: the web page marks every shown notification with a request of its own.
    @routes.post(
        "/inbox/{notification_id}/read",
        action="inbox.mark_read",
        access="suspended_too",
        cost="read",
    )
    async def mark(
        caller: CallerDep,
        actor: ActorDep,
        notification_id: NotificationId,
        accept_language: AcceptLanguage = "",
    ) -> NotificationShown:
        return _to_model(await mark_read(deps, caller, actor, notification_id), accept_language)

    return routes
