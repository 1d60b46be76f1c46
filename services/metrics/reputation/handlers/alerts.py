"""List alerts and close one."""

from collections.abc import Sequence
from dataclasses import replace

from services.metrics.reputation.domain import Alert, AlertNotFound, AlertSortKey
from services.metrics.reputation.policy import MANAGER_ROLES, may_manage_alert
from services.metrics.reputation.ports import ReputationDeps
from shared.contracts.ids import AlertId
from shared.kit.core.pagination import read_visible_page
from shared.kit.core.policy import Actor, Allowed, require_allowed
from shared.kit.core.unit_of_work import Caller


async def list_alerts(
    deps: ReputationDeps, caller: Caller, actor: Actor, after: AlertSortKey | None, limit: int
) -> tuple[list[Alert], AlertSortKey | None]:
    """List alerts that the actor may manage, open ones first, with the sort key of the last."""
    if not actor.holds_anywhere(*MANAGER_ROLES):
        return [], None
    async with deps.unit(caller) as unit:

        async def read(sort_key: AlertSortKey | None, rows: int) -> Sequence[Alert]:
            return await deps.alerts.list_after(unit, caller.tenant, sort_key, rows)

        async def keep(alerts: Sequence[Alert]) -> Sequence[Alert]:
            ids = [alert.space_id for alert in alerts]
            spaces = await deps.dimensions.find_spaces(unit, caller.tenant, ids)
            return [
                alert
                for alert in alerts
                if isinstance(may_manage_alert(actor, alert, spaces.get(alert.space_id)), Allowed)
            ]

        return await read_visible_page(read, keep, lambda alert: alert.sort_key, after, limit)


async def close_alert(
    deps: ReputationDeps, caller: Caller, actor: Actor, alert_id: AlertId
) -> Alert:
    """Close an alert; the space can raise another then. Raises `AlertNotFound` or `Forbidden`."""
    async with deps.unit(caller) as unit:
        alert = await deps.alerts.find(unit, caller.tenant, alert_id)
        if alert is None:
            raise AlertNotFound(alert_id=alert_id)
        spaces = await deps.dimensions.find_spaces(unit, caller.tenant, [alert.space_id])
        require_allowed(may_manage_alert(actor, alert, spaces.get(alert.space_id)))
        if alert.closed_at is None:
            await deps.alerts.close(unit, caller.tenant, alert_id, unit.now)
            unit.record(alert.to_closed_fact(actor.member_id))
            return replace(alert, closed_at=unit.now)
        return alert
