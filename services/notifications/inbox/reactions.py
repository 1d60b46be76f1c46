"""Tell people what concerns them. Imported history tells nobody."""

from collections.abc import Sequence

from services.notifications.inbox.domain import (
    Category,
    Concern,
    Notification,
    Told,
    concern_of,
)
from services.notifications.inbox.ports import InboxDeps
from shared.contracts.event import Fact, Origin
from shared.contracts.ids import NotificationId, following_id
from shared.contracts.metrics import AlertRaised
from shared.contracts.notifications import NotificationRead
from shared.kit.unit import Delivery, Unit


async def tell_people(deps: InboxDeps, unit: Unit, deliveries: Sequence[Delivery[Told]]) -> None:
    """Put what concerns someone into their inbox, once per cause."""
    found = []
    for delivery in deliveries:
        concern = concern_of(delivery.fact)
        if concern is not None and delivery.origin is Origin.LIVE:
            found.append(_notification(delivery, concern))
    if found:
        await deps.inboxes.deliver(unit, found)


async def tell_managers(
    deps: InboxDeps, unit: Unit, deliveries: Sequence[Delivery[AlertRaised]]
) -> None:
    """Put an alert into the inboxes of who answers for the structure."""
    for delivery in deliveries:
        alert = delivery.fact
        managers = await deps.people.managers(unit, delivery.tenant, alert.structure_id)
        found = [
            _notification(delivery, (manager, Category.ALERT, alert.alert_id))
            for manager in managers
        ]
        if found and delivery.origin is Origin.LIVE:
            await deps.inboxes.deliver(unit, found)


async def remember_reads(
    deps: InboxDeps, unit: Unit, deliveries: Sequence[Delivery[NotificationRead]]
) -> None:
    """Mark again what people had read: a replay delivers it all unread."""
    for delivery in deliveries:
        whose = (delivery.tenant, delivery.fact.recipient_id)
        await deps.inboxes.read(unit, whose, delivery.fact.notification_id, delivery.time)


def _notification(delivery: Delivery[Fact], concern: Concern) -> Notification:
    recipient, category, about = concern
    return Notification(
        tenant_id=delivery.tenant,
        # The same at every replay: what names it (a fact, a link, a cursor) goes on to be true.
        notification_id=NotificationId(following_id(delivery.event_id, recipient.hex, category)),
        recipient=recipient,
        category=category,
        cause=delivery.event_id,
        about=about,
        happened_at=delivery.time,
    )
