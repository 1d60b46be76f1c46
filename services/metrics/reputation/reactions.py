"""Watch the flags as they arrive: the fifth is in the manager's inbox within a minute."""

from collections.abc import Sequence

from services.metrics.reputation.domain import WINDOW, Alert, Flag, look
from services.metrics.reputation.ports import ReputationDeps
from shared.contracts.community import ContentFlagged
from shared.contracts.event import Origin
from shared.contracts.ids import AlertId
from shared.contracts.metrics import AlertClosed, AlertRaised
from shared.kit.core.unit_of_work import Delivery, Unit


async def watch_flags(
    deps: ReputationDeps, unit: Unit, deliveries: Sequence[Delivery[ContentFlagged]]
) -> None:
    """Raise an alert where flags gather and none is open; imported flags alert nobody."""
    for delivery in deliveries:
        if delivery.origin is Origin.IMPORT:
            continue
        fact, tenant = delivery.fact, delivery.tenant
        flag = Flag(fact.ref.id, fact.flagged_by.member_id, delivery.time)
        await deps.alerts.add_flag(unit, tenant, fact.space_id, flag)
        if await deps.alerts.is_open(unit, tenant, fact.space_id):
            continue
        flags = await deps.alerts.flags_since(unit, tenant, fact.space_id, delivery.time - WINDOW)
        new_id = AlertId(deps.new_id())
        alert = look(flags, new_id, fact.space_id, fact.structure_id, unit.now)
        if alert is not None:
            await deps.alerts.add(unit, tenant, alert)
            unit.record(alert.raised(), because=delivery)


async def remember_alerts(
    deps: ReputationDeps, unit: Unit, deliveries: Sequence[Delivery[AlertRaised | AlertClosed]]
) -> None:
    """Put back the alerts as they were raised and closed; a replay raises none anew."""
    for delivery in deliveries:
        fact, tenant = delivery.fact, delivery.tenant
        if isinstance(fact, AlertRaised):
            await deps.alerts.add(unit, tenant, Alert.told(fact, at=delivery.time))
        else:
            await deps.alerts.close(unit, tenant, fact.alert_id, delivery.time)
