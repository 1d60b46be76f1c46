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
from shared.contracts.ids import NotificationId
from shared.contracts.metrics import AlertRaised
from shared.kit.unit import Delivery, Unit


async def tell_people(deps: InboxDeps, unit: Unit, deliveries: Sequence[Delivery[Told]]) -> None:
    """Put what concerns someone into their inbox, once per cause."""
    found = []
    for delivery in deliveries:
        concern = concern_of(delivery.fact)
        if concern is not None and delivery.origin is Origin.LIVE:
            found.append(_notification(deps, delivery, concern))
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
            _notification(deps, delivery, (manager, Category.ALERT, alert.alert_id))
            for manager in managers
        ]
        if found and delivery.origin is Origin.LIVE:
            await deps.inboxes.deliver(unit, found)


def _notification(deps: InboxDeps, delivery: Delivery[Fact], concern: Concern) -> Notification:
    recipient, category, about = concern
    return Notification(
        tenant_id=delivery.tenant,
        notification_id=NotificationId(deps.new_id()),
        recipient=recipient,
        category=category,
        cause=delivery.event_id,
        about=about,
        happened_at=delivery.time,
    )
