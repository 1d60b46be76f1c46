"""Flags and alerts in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.metrics.reputation.domain import Alert, AlertSortKey, Flag
from services.metrics.reputation.tables import ALERTS, FLAGS
from shared.contracts.ids import AlertId, SpaceId, TenantId
from shared.kit.core.unit_of_work import Unit
from shared.kit.database.database import connection

_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:space, 13))")


class SqlFlags:
    """See `ports.Flags`."""

    async def add(self, unit: Unit, tenant: TenantId, space: SpaceId, flag: Flag) -> None:
        """See `ports.Flags`."""
        row = sa.insert(FLAGS).values(tenant_id=tenant, space_id=space, **asdict(flag))
        await connection(unit).execute(row)

    async def list_since(
        self, unit: Unit, tenant: TenantId, space: SpaceId, since: datetime
    ) -> Sequence[Flag]:
        """See `ports.Flags`."""
        condition = (
            (FLAGS.c.tenant_id == tenant) & (FLAGS.c.space_id == space) & (FLAGS.c.at >= since)
        )
        query = sa.select(FLAGS.c.content_id, FLAGS.c.member_id, FLAGS.c.at).where(condition)
        return [Flag(*row) for row in await connection(unit).execute(query)]


class SqlAlerts:
    """See `ports.Alerts`."""

    async def is_open(self, unit: Unit, tenant: TenantId, space: SpaceId) -> bool:
        """See `ports.Alerts`."""
        await connection(unit).execute(_LOCK, {"space": f"{tenant}:{space}"})
        condition = (
            (ALERTS.c.tenant_id == tenant)
            & (ALERTS.c.space_id == space)
            & ALERTS.c.closed_at.is_(None)
        )
        query = sa.select(sa.exists().where(condition))
        return bool(await connection(unit).scalar(query))

    async def add(self, unit: Unit, tenant: TenantId, alert: Alert) -> None:
        """See `ports.Alerts`."""
        row = insert(ALERTS).values(tenant_id=tenant, **asdict(alert))
        await connection(unit).execute(row.on_conflict_do_nothing())

    async def find(self, unit: Unit, tenant: TenantId, alert_id: AlertId) -> Alert | None:
        """See `ports.Alerts`."""
        condition = (ALERTS.c.tenant_id == tenant) & (ALERTS.c.alert_id == alert_id)
        query = sa.select(ALERTS).where(condition).with_for_update()
        row = (await connection(unit).execute(query)).mappings().first()
        return _alert(row) if row else None

    async def list_after(
        self, unit: Unit, tenant: TenantId, after: AlertSortKey | None, limit: int
    ) -> Sequence[Alert]:
        """See `ports.Alerts`."""
        condition, is_closed = ALERTS.c.tenant_id == tenant, ALERTS.c.closed_at.is_not(None)
        if after is not None:
            closed, raised_at, alert_id = after
            older = sa.tuple_(ALERTS.c.raised_at, ALERTS.c.alert_id) < (raised_at, alert_id)
            condition &= (is_closed & older) if closed else (is_closed | older)
        order = (is_closed, ALERTS.c.raised_at.desc(), ALERTS.c.alert_id.desc())
        query = sa.select(ALERTS).where(condition).order_by(*order).limit(limit)
        return [_alert(row) for row in (await connection(unit).execute(query)).mappings()]

    async def close(self, unit: Unit, tenant: TenantId, alert_id: AlertId, at: datetime) -> None:
        """See `ports.Alerts`."""
        condition = (ALERTS.c.tenant_id == tenant) & (ALERTS.c.alert_id == alert_id)
        still_open = condition & ALERTS.c.closed_at.is_(None)
        await connection(unit).execute(sa.update(ALERTS).where(still_open).values(closed_at=at))


def _alert(row: sa.RowMapping) -> Alert:
    return Alert(**{name: value for name, value in row.items() if name != "tenant_id"})
