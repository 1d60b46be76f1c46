"""Routes of `/v1/alerts`."""

from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from services.metrics.reputation.domain import Alert, AlertSortKey
from services.metrics.reputation.handlers.alerts import close_alert, list_alerts
from services.metrics.reputation.ports import ReputationDeps
from shared.contracts.ids import AlertId, ContentId, SpaceId, StructureId
from shared.kit.web.context import ActorDep, CallerDep
from shared.kit.web.cursors import MAX_PAGE_ITEMS, ApiModel, PageLimit, decode, encode
from shared.kit.web.routes import Routes


class AlertShown(ApiModel):
    """An alert: what happened, in which window, how often, and the contents to look at first."""

    alert_id: AlertId
    space_id: SpaceId
    structure_id: StructureId
    what: str
    raised_at: datetime
    window_begin: datetime
    window_end: datetime
    observed: int
    people: int
    first_content_id: ContentId
    most_content_id: ContentId
    closed_at: datetime | None


class AlertList(ApiModel):
    """Alerts of your structures, open ones first, and the cursor of the next page."""

    items: list[AlertShown]
    next: str | None = None


def _to_model(alert: Alert) -> AlertShown:
    return AlertShown(**asdict(alert))


def _to_sort_key(cursor: str) -> AlertSortKey:
    closed, raised_at, alert_id = decode(cursor, int, datetime, UUID)
    return bool(closed), raised_at, AlertId(alert_id)


def routes(deps: ReputationDeps) -> Routes:
    """Build the routes of this feature."""
    routes = Routes("reputation")

    @routes.get("/alerts", action="alert.list")
    async def list_all(
        caller: CallerDep,
        actor: ActorDep,
        limit: PageLimit = MAX_PAGE_ITEMS,
        cursor: str | None = None,
    ) -> AlertList:
        after = _to_sort_key(cursor) if cursor else None
        alerts, last = await list_alerts(deps, caller, actor, after, limit)
        next_cursor = encode(int(last[0]), *last[1:]) if last else None
        return AlertList(items=[_to_model(alert) for alert in alerts], next=next_cursor)

    @routes.post("/alerts/{alert_id}/close", action="alert.close")
    async def close(caller: CallerDep, actor: ActorDep, alert_id: AlertId) -> AlertShown:
        return _to_model(await close_alert(deps, caller, actor, alert_id))

    return routes
