"""Raise alerts when flags arrive."""

from collections.abc import Sequence

from services.metrics.reputation.domain import ALERT_WINDOW, Alert, Flag, detect_alert
from services.metrics.reputation.ports import ReputationDeps
from shared.contracts.community import ContentFlagged
from shared.contracts.event import Origin
from shared.contracts.ids import AlertId
from shared.contracts.metrics import AlertClosed, AlertRaised
from shared.kit.core.unit_of_work import Delivery, Unit


async def raise_alerts(
    deps: ReputationDeps, unit: Unit, deliveries: Sequence[Delivery[ContentFlagged]]
) -> None:
    """Raise an alert where many flags arrive and none is open; imported flags are ignored."""
    for delivery in deliveries:
        if delivery.origin is Origin.IMPORT:
            continue
        fact, tenant = delivery.fact, delivery.tenant
        flag = Flag(fact.ref.id, fact.flagged_by.member_id, delivery.time)
        await deps.flags.add(unit, tenant, fact.space_id, flag)
        if await deps.alerts.is_open(unit, tenant, fact.space_id):
            continue
        flags = await deps.flags.list_since(
            unit, tenant, fact.space_id, delivery.time - ALERT_WINDOW
        )
        new_id = AlertId(deps.new_id())
        alert = detect_alert(flags, new_id, fact.space_id, fact.structure_id, unit.now)
        if alert is not None:
            await deps.alerts.add(unit, tenant, alert)
            unit.record(alert.to_raised_fact(), caused_by=delivery)


async def restore_alerts(
    deps: ReputationDeps, unit: Unit, deliveries: Sequence[Delivery[AlertRaised | AlertClosed]]
) -> None:
    """Restore alerts from their facts during a replay, which raises no new ones."""
    for delivery in deliveries:
        fact, tenant = delivery.fact, delivery.tenant
        if isinstance(fact, AlertRaised):
            await deps.alerts.add(unit, tenant, Alert.from_fact(fact, at=delivery.time))
        else:
            await deps.alerts.close(unit, tenant, fact.alert_id, delivery.time)
