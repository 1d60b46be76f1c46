"""Notify members of events that concern them, except imported ones."""

from collections.abc import Sequence
from dataclasses import replace

from services.notifications.inbox.domain import (
    MANAGER_ROLES,
    Alert,
    AvailabilityFact,
    Category,
    Duty,
    Notification,
    NotificationTarget,
    NotifyingFact,
    find_target,
    makes_unavailable,
)
from services.notifications.inbox.ports import AlertFilter, InboxDeps
from shared.contracts.event import Fact, Origin
from shared.contracts.identity import RoleGranted, RoleRevoked, StructureOpened
from shared.contracts.ids import MemberId, NotificationId, derived_id
from shared.contracts.metrics import AlertRaised
from shared.contracts.notifications import NotificationRead
from shared.kit.core.unit_of_work import Delivery, Unit


async def notify_members(
    deps: InboxDeps, unit: Unit, deliveries: Sequence[Delivery[NotifyingFact | AvailabilityFact]]
) -> None:
    """Deliver notifications, one per event; withdraw those whose content is unavailable.

    Events are handled in order: a content that is hidden in the same batch is first delivered, then
    withdrawn.
    """
    pending: list[Notification] = []
    for delivery in deliveries:
        fact = delivery.fact
        if isinstance(fact, AvailabilityFact):
            await _deliver(deps, unit, pending)
            pending = []
            update_availability = (
                deps.unavailable_contents.mark_unavailable
                if makes_unavailable(fact)
                else deps.unavailable_contents.mark_available
            )
            await update_availability(unit, delivery.tenant, fact.ref.id)
            continue
        target = find_target(fact)
        if target is not None and delivery.origin is Origin.LIVE:
            pending.append(_make_notification(delivery, target))
    await _deliver(deps, unit, pending)


async def _deliver(deps: InboxDeps, unit: Unit, pending: Sequence[Notification]) -> None:
    """Deliver notifications; an accepted answer may be unavailable by now."""
    accepted_answers = [
        (notification.tenant_id, notification.about)
        for notification in pending
        if notification.category is Category.ANSWER_ACCEPTED
    ]
    unavailable = (
        await deps.unavailable_contents.find_unavailable(unit, accepted_answers)
        if accepted_answers
        else set()
    )
    notifications = [
        replace(notification, gone=(notification.tenant_id, notification.about) in unavailable)
        if notification.category is Category.ANSWER_ACCEPTED
        else notification
        for notification in pending
    ]
    if notifications:
        await deps.inboxes.deliver(unit, notifications)


async def notify_managers(
    deps: InboxDeps, unit: Unit, deliveries: Sequence[Delivery[AlertRaised]]
) -> None:
    """Deliver an alert to the managers of the structure at the time of the alert."""
    for delivery in deliveries:
        if delivery.origin is Origin.LIVE:
            fact = delivery.fact
            alert = Alert(
                delivery.tenant,
                fact.alert_id,
                fact.structure_id,
                delivery.event_id,
                delivery.time,
            )
            await deps.managers.add_alert(unit, alert)
            await _deliver_alerts(deps, unit, AlertFilter(delivery.tenant, alert_id=fact.alert_id))


async def record_manager_duties(
    deps: InboxDeps, unit: Unit, deliveries: Sequence[Delivery[RoleGranted | RoleRevoked]]
) -> None:
    """Record duties; deliver alerts that arrived before the role, and withdraw others."""
    for delivery in deliveries:
        fact = delivery.fact
        if fact.role not in MANAGER_ROLES:
            continue
        until = fact.until if isinstance(fact, RoleGranted) else None
        duty = Duty(
            delivery.tenant, fact.member_id, fact.role, fact.structure_id, delivery.time, until
        )
        if isinstance(fact, RoleGranted):
            await deps.managers.begin_duty(unit, duty)
        else:
            await deps.managers.end_duty(unit, duty, delivery.time)
        owner, since = (delivery.tenant, fact.member_id), delivery.time
        await deps.inboxes.withdraw_alerts(unit, owner, since)
        await _deliver_alerts(
            deps, unit, AlertFilter(delivery.tenant, member_id=fact.member_id, since=since)
        )


async def notify_managers_above(
    deps: InboxDeps, unit: Unit, deliveries: Sequence[Delivery[StructureOpened]]
) -> None:
    """Deliver alerts that arrived before the structure's ancestors were known."""
    for delivery in deliveries:
        structure_id = delivery.fact.structure_id
        await _deliver_alerts(deps, unit, AlertFilter(delivery.tenant, structure_id=structure_id))


async def _deliver_alerts(deps: InboxDeps, unit: Unit, alert_filter: AlertFilter) -> None:
    """Deliver alerts to all their recipients; deliveries that exist are not repeated."""
    recipients = await deps.managers.list_recipients(unit, alert_filter)
    if recipients:
        await deps.inboxes.deliver(
            unit, [_make_alert_notification(alert, manager) for alert, manager in recipients]
        )


async def restore_reads(
    deps: InboxDeps, unit: Unit, deliveries: Sequence[Delivery[NotificationRead]]
) -> None:
    """Mark notifications as read again during a replay, which delivers them unread."""
    for delivery in deliveries:
        owner = (delivery.tenant, delivery.fact.recipient_id)
        notification_id = delivery.fact.notification_id
        await deps.inboxes.mark_read(
            unit, owner, notification_id, delivery.time, include_unavailable=True
        )


def _make_alert_notification(alert: Alert, manager: MemberId) -> Notification:
    notification_id = derived_id(alert.cause, manager.hex, Category.ALERT)
    return Notification(
        alert.tenant_id,
        NotificationId(notification_id),
        manager,
        Category.ALERT,
        alert.cause,
        alert.alert_id,
        alert.happened_at,
    )


def _make_notification(delivery: Delivery[Fact], target: NotificationTarget) -> Notification:
    recipient, category = target.recipient, target.category
    return Notification(
        tenant_id=delivery.tenant,
        # Derived: facts, links and cursors that contain the id stay valid after a replay.
        notification_id=NotificationId(derived_id(delivery.event_id, recipient.hex, category)),
        recipient=recipient,
        category=category,
        cause=delivery.event_id,
        about=target.about,
        happened_at=delivery.time,
        words=target.words,
    )
