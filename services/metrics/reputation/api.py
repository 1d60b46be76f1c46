"""`/v1/alerts`."""

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
    """What, since when, how many, by how many people, and the contents to look at first."""

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
    """Those that you answer for, open ones first, and where the next page begins."""

    items: list[AlertShown]
    next: str | None = None


def _shown(alert: Alert) -> AlertShown:
    return AlertShown(**asdict(alert))


def _standing(cursor: str) -> AlertSortKey:
    closed, raised_at, alert_id = decode(cursor, int, datetime, UUID)
    return bool(closed), raised_at, AlertId(alert_id)


def routes(deps: ReputationDeps) -> Routes:
    """Build the routes of this feature."""
    found = Routes("reputation")

    @found.get("/alerts", action="alert.list")
    async def list_all(
        caller: CallerDep,
        actor: ActorDep,
        limit: PageLimit = MAX_PAGE_ITEMS,
        cursor: str | None = None,
    ) -> AlertList:
        after = _standing(cursor) if cursor else None
        alerts, last = await list_alerts(deps, caller, actor, after, limit)
        more = encode(int(last[0]), *last[1:]) if last else None
        return AlertList(items=[_shown(each) for each in alerts], next=more)

    @found.post("/alerts/{alert_id}/close", action="alert.close")
    async def close(caller: CallerDep, actor: ActorDep, alert_id: AlertId) -> AlertShown:
        return _shown(await close_alert(deps, caller, actor, alert_id))

    return found
