"""The inboxes in PostgreSQL: counters move only for rows that were really added."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.notifications.inbox.domain import Category, Notification
from services.notifications.inbox.ports import Whose
from services.notifications.inbox.tables import NOTIFICATIONS, UNREAD
from shared.contracts.identity import Role
from shared.contracts.ids import MemberId, NotificationId, StructureId, TenantId
from shared.kit.database import connection
from shared.kit.rights.store import holders
from shared.kit.unit import Unit

MANAGERS = (Role.COMMUNITY_MANAGER, Role.ADMINISTRATOR)
_NAMES = tuple(field.name for field in fields(Notification))
# Built once: what holds its rows is compiled for each batch, row by row.
_ADD = (
    insert(NOTIFICATIONS)
    .on_conflict_do_nothing()
    .returning(NOTIFICATIONS.c.tenant_id, NOTIFICATIONS.c.recipient)
)
_ONE_MORE = insert(UNREAD)
_COUNT = _ONE_MORE.on_conflict_do_update(
    index_elements=["tenant_id", "recipient"], set_={"n": UNREAD.c.n + _ONE_MORE.excluded.n}
)


class SqlInboxes:
    """See `ports.Inboxes`."""

    async def deliver(self, unit: Unit, notifications: Sequence[Notification]) -> int:
        """Add those that are new and count them."""
        added: Counter[tuple[TenantId, MemberId]] = Counter()
        if notifications:
            rows = [{name: getattr(each, name) for name in _NAMES} for each in notifications]
            done = await connection(unit).execute(_ADD, rows)
            added.update((row.tenant_id, row.recipient) for row in done)
        if added:
            counters = [
                {"tenant_id": tenant, "recipient": recipient, "n": n}
                for (tenant, recipient), n in sorted(added.items())
            ]
            await connection(unit).execute(_COUNT, counters)
        return added.total()

    async def list_for(
        self,
        unit: Unit,
        tenant: TenantId,
        member: MemberId,
        before: NotificationId | None,
        limit: int,
    ) -> Sequence[Notification]:
        """List someone's notifications, the newest first."""
        chosen = _of(tenant, member)
        if before is not None:
            chosen &= NOTIFICATIONS.c.notification_id < before
        query = (
            sa.select(NOTIFICATIONS)
            .where(chosen)
            .order_by(NOTIFICATIONS.c.notification_id.desc())
            .limit(limit)
        )
        return [_notification(row) for row in (await connection(unit).execute(query)).mappings()]

    async def unread(self, unit: Unit, tenant: TenantId, member: MemberId) -> int:
        """Give the stored count."""
        chosen = (UNREAD.c.tenant_id == tenant) & (UNREAD.c.recipient == member)
        return int(await connection(unit).scalar(sa.select(UNREAD.c.n).where(chosen)) or 0)

    async def read(
        self, unit: Unit, whose: Whose, which: NotificationId, at: datetime
    ) -> tuple[Notification, bool] | None:
        """Mark one as read."""
        tenant, member = whose
        chosen = _of(tenant, member) & (NOTIFICATIONS.c.notification_id == which)
        query = sa.select(NOTIFICATIONS).where(chosen).with_for_update()
        row = (await connection(unit).execute(query)).mappings().first()
        if row is None:
            return None
        if row["read_at"] is not None:
            return _notification(row), False
        await connection(unit).execute(sa.update(NOTIFICATIONS).where(chosen).values(read_at=at))
        mine = (UNREAD.c.tenant_id == tenant) & (UNREAD.c.recipient == member)
        await connection(unit).execute(sa.update(UNREAD).where(mine).values(n=UNREAD.c.n - 1))
        return _notification(row), True


class CopiedPeople:
    """See `ports.People`: from the copy that follows identity."""

    async def managers(
        self, unit: Unit, tenant: TenantId, structure: StructureId
    ) -> Sequence[MemberId]:
        """List the managers of a structure, or above it."""
        return await holders(unit, tenant, MANAGERS, structure, unit.now)


def _of(tenant: TenantId, member: MemberId) -> sa.ColumnElement[bool]:
    return (NOTIFICATIONS.c.tenant_id == tenant) & (NOTIFICATIONS.c.recipient == member)


def _notification(row: sa.RowMapping) -> Notification:
    return Notification(**{**row, "category": Category(row["category"])})
