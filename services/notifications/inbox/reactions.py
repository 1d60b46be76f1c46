"""Tell people what concerns them. Imported history tells nobody."""

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
    """Put what concerns someone into their inbox, once per cause; withdraw what leads nowhere.

    In the order of the facts: what is hidden in the same batch is told, then withdrawn.
    """
    pending: list[Notification] = []
    for delivery in deliveries:
        fact = delivery.fact
        if isinstance(fact, AvailabilityFact):
            await _deliver(deps, unit, pending)
            pending = []
            follow = (
                deps.unavailable_contents.mark_unavailable
                if makes_unavailable(fact)
                else deps.unavailable_contents.mark_available
            )
            await follow(unit, delivery.tenant, fact.ref.id)
            continue
        concern = find_target(fact)
        if concern is not None and delivery.origin is Origin.LIVE:
            pending.append(_notification(delivery, concern))
    await _deliver(deps, unit, pending)


async def _deliver(deps: InboxDeps, unit: Unit, pending: Sequence[Notification]) -> None:
    """Deliver; an answer may be accepted that readers do not see any more."""
    accepted = [
        (each.tenant_id, each.about)
        for each in pending
        if each.category is Category.ANSWER_ACCEPTED
    ]
    gone = await deps.unavailable_contents.find_unavailable(unit, accepted) if accepted else set()
    notifications = [
        replace(each, gone=(each.tenant_id, each.about) in gone)
        if each.category is Category.ANSWER_ACCEPTED
        else each
        for each in pending
    ]
    if notifications:
        await deps.inboxes.deliver(unit, notifications)


async def notify_managers(
    deps: InboxDeps, unit: Unit, deliveries: Sequence[Delivery[AlertRaised]]
) -> None:
    """Put an alert into the inboxes of who answered for the structure when it happened."""
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
            await _settle(deps, unit, AlertFilter(delivery.tenant, alert_id=fact.alert_id))


async def record_manager_duties(
    deps: InboxDeps, unit: Unit, deliveries: Sequence[Delivery[RoleGranted | RoleRevoked]]
) -> None:
    """Tell a manager of alerts that came here before their role did, and take back the others."""
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
        whose, since = (delivery.tenant, fact.member_id), delivery.time
        await deps.inboxes.withdraw_alerts(unit, whose, since)
        await _settle(
            deps, unit, AlertFilter(delivery.tenant, member_id=fact.member_id, since=since)
        )


async def notify_managers_above(
    deps: InboxDeps, unit: Unit, deliveries: Sequence[Delivery[StructureOpened]]
) -> None:
    """Tell those above a structure of alerts that came here before it was known what is above."""
    for delivery in deliveries:
        where = delivery.fact.structure_id
        await _settle(deps, unit, AlertFilter(delivery.tenant, structure_id=where))


async def _settle(deps: InboxDeps, unit: Unit, which: AlertFilter) -> None:
    """Deliver what is owed and was not delivered."""
    owed = await deps.managers.list_recipients(unit, which)
    if owed:
        await deps.inboxes.deliver(unit, [_told(alert, manager) for alert, manager in owed])


async def restore_reads(
    deps: InboxDeps, unit: Unit, deliveries: Sequence[Delivery[NotificationRead]]
) -> None:
    """Mark again what people had read: a replay delivers it all unread."""
    for delivery in deliveries:
        whose = (delivery.tenant, delivery.fact.recipient_id)
        which = delivery.fact.notification_id
        await deps.inboxes.mark_read(unit, whose, which, delivery.time, include_unavailable=True)


def _told(alert: Alert, manager: MemberId) -> Notification:
    found = derived_id(alert.cause, manager.hex, Category.ALERT)
    return Notification(
        alert.tenant_id,
        NotificationId(found),
        manager,
        Category.ALERT,
        alert.cause,
        alert.alert_id,
        alert.happened_at,
    )


def _notification(delivery: Delivery[Fact], concern: NotificationTarget) -> Notification:
    recipient, category = concern.recipient, concern.category
    return Notification(
        tenant_id=delivery.tenant,
        # The same at every replay: what names it (a fact, a link, a cursor) goes on to be true.
        notification_id=NotificationId(derived_id(delivery.event_id, recipient.hex, category)),
        recipient=recipient,
        category=category,
        cause=delivery.event_id,
        about=concern.about,
        happened_at=delivery.time,
        words=concern.words,
    )
