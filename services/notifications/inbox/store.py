"""The inboxes in PostgreSQL: counters move only for rows that were really added."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.notifications.inbox.domain import (
    ABOUT_CONTENTS,
    Alert,
    Category,
    Duty,
    Notification,
)
from services.notifications.inbox.ports import AlertFilter, InboxOwner
from services.notifications.inbox.tables import ALERTS, GONE_CONTENTS, NOTIFICATIONS, UNREAD
from shared.contracts.ids import ContentId, MemberId, NotificationId, TenantId
from shared.kit.core.unit_of_work import Unit
from shared.kit.database.database import connection

_ALERT = tuple(field.name for field in fields(Alert))
_ALONE = sa.text("SELECT pg_advisory_xact_lock(7241003, hashtext(:tenant))")
_BEGIN = sa.text("""
    INSERT INTO duties (tenant_id, member_id, role, structure_id, since, until)
    VALUES (:tenant_id, :member_id, :role, :structure_id, :since, :until)
    ON CONFLICT (tenant_id, member_id, role, structure_id, since)
    DO UPDATE SET until = excluded.until
""")
_END = sa.text("""
    UPDATE duties SET ended_at = :at
    WHERE tenant_id = :tenant_id AND member_id = :member_id AND role = :role
      AND structure_id = :structure_id AND ended_at IS NULL
      AND (since < :at OR (:whole AND since = :at))
""")
_HELD = """
    d.tenant_id = a.tenant_id
    AND d.since <= a.happened_at AND (d.ended_at IS NULL OR d.ended_at > a.happened_at)
    AND (d.until IS NULL OR d.until > a.happened_at)
    AND (d.structure_id = a.structure_id OR d.structure_id = ANY((
        SELECT path FROM rights_structures AS s
        WHERE s.tenant_id = a.tenant_id AND s.structure_id = a.structure_id)::uuid[]))
"""
_OWED = sa.text(f"""
    SELECT DISTINCT a.tenant_id, a.alert_id, a.structure_id, a.cause, a.happened_at, d.member_id
    FROM told_alerts AS a JOIN duties AS d ON {_HELD}
    WHERE a.tenant_id = :tenant
      AND (CAST(:alert_id AS uuid) IS NULL OR a.alert_id = :alert_id)
      AND (CAST(:structure_id AS uuid) IS NULL OR a.structure_id = :structure_id)
      AND (CAST(:member_id AS uuid) IS NULL OR d.member_id = :member_id)
      AND (CAST(:since AS timestamptz) IS NULL OR a.happened_at >= :since)
    ORDER BY a.happened_at, a.alert_id, d.member_id
""")  # noqa: S608  no reader's words
_WITHDRAW = sa.text(f"""
    DELETE FROM notifications AS n USING told_alerts AS a
    WHERE n.tenant_id = :tenant AND n.recipient = :member AND n.category = 'alert'
      AND a.tenant_id = n.tenant_id AND a.alert_id = n.about AND a.happened_at >= :since
      AND NOT EXISTS (SELECT FROM duties AS d WHERE d.member_id = n.recipient AND {_HELD})
    RETURNING n.read_at
""")  # noqa: S608  no reader's words
_COUNT_DOWN = sa.text("""
    UPDATE unread SET n = n - :n WHERE tenant_id = :tenant AND recipient = :member
""")
_FORGET = sa.text("""
    DELETE FROM unread AS u WHERE tenant_id = :tenant AND recipient = :member AND NOT EXISTS (
        SELECT FROM notifications AS n
        WHERE n.tenant_id = u.tenant_id AND n.recipient = u.recipient)
""")
_NAMES = tuple(field.name for field in fields(Notification))
# Built once: what holds its rows is compiled for each batch, row by row.
_ADD = (
    insert(NOTIFICATIONS)
    .on_conflict_do_nothing()
    .returning(NOTIFICATIONS.c.tenant_id, NOTIFICATIONS.c.recipient, NOTIFICATIONS.c.gone)
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
            added.update((row.tenant_id, row.recipient) for row in done if not row.gone)
        await _count(unit, added)
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
        chosen = _of(tenant, member) & ~(NOTIFICATIONS.c.gone & NOTIFICATIONS.c.read_at.is_(None))
        if before is not None:
            chosen &= NOTIFICATIONS.c.notification_id < before
        query = (
            sa.select(NOTIFICATIONS)
            .where(chosen)
            .order_by(NOTIFICATIONS.c.notification_id.desc())
            .limit(limit)
        )
        return [_notification(row) for row in (await connection(unit).execute(query)).mappings()]

    async def count_unread(self, unit: Unit, tenant: TenantId, member: MemberId) -> int:
        """Return the stored count."""
        chosen = (UNREAD.c.tenant_id == tenant) & (UNREAD.c.recipient == member)
        return int(await connection(unit).scalar(sa.select(UNREAD.c.n).where(chosen)) or 0)

    async def withdraw_alerts(self, unit: Unit, owner: InboxOwner, since: datetime) -> int:
        """Take back alerts that are not owed, and leave no trace of them in the counter."""
        tenant, member = owner
        values = {"tenant": tenant, "member": member, "since": since}
        gone = (await connection(unit).execute(_WITHDRAW, values)).all()
        if gone:
            unread = sum(row.read_at is None for row in gone)
            await connection(unit).execute(_COUNT_DOWN, values | {"n": unread})
            await connection(unit).execute(_FORGET, values)
        return len(gone)

    async def mark_read(
        self,
        unit: Unit,
        owner: InboxOwner,
        notification_id: NotificationId,
        at: datetime,
        *,
        include_unavailable: bool = False,
    ) -> tuple[Notification, bool] | None:
        """Mark one as read."""
        tenant, member = owner
        chosen = _of(tenant, member) & (NOTIFICATIONS.c.notification_id == notification_id)
        query = sa.select(NOTIFICATIONS).where(chosen).with_for_update()
        row = (await connection(unit).execute(query)).mappings().first()
        if row is None:
            return None
        if row["read_at"] is not None:
            return _notification(row), False
        if row["gone"] and not include_unavailable:
            return None
        await connection(unit).execute(sa.update(NOTIFICATIONS).where(chosen).values(read_at=at))
        if not row["gone"]:
            mine = (UNREAD.c.tenant_id == tenant) & (UNREAD.c.recipient == member)
            await connection(unit).execute(sa.update(UNREAD).where(mine).values(n=UNREAD.c.n - 1))
        return _notification(row), True


class SqlUnavailableContents:
    """See `ports.UnavailableContents`."""

    async def mark_unavailable(self, unit: Unit, tenant: TenantId, content: ContentId) -> None:
        """Withdraw what leads to a content."""
        row = insert(GONE_CONTENTS).values(tenant_id=tenant, content_id=content)
        await connection(unit).execute(row.on_conflict_do_nothing())
        await self._turn(unit, tenant, content, gone=True)

    async def mark_available(self, unit: Unit, tenant: TenantId, content: ContentId) -> None:
        """Put back what leads to a content."""
        chosen = (GONE_CONTENTS.c.tenant_id == tenant) & (GONE_CONTENTS.c.content_id == content)
        await connection(unit).execute(sa.delete(GONE_CONTENTS).where(chosen))
        await self._turn(unit, tenant, content, gone=False)

    async def find_unavailable(
        self, unit: Unit, contents: Sequence[tuple[TenantId, UUID]]
    ) -> set[tuple[TenantId, UUID]]:
        """Return those of these contents that cannot be read."""
        chosen = sa.tuple_(GONE_CONTENTS.c.tenant_id, GONE_CONTENTS.c.content_id).in_(contents)
        rows = await connection(unit).execute(
            sa.select(GONE_CONTENTS.c.tenant_id, GONE_CONTENTS.c.content_id).where(chosen)
        )
        return {(row.tenant_id, row.content_id) for row in rows}

    async def _turn(self, unit: Unit, tenant: TenantId, content: ContentId, *, gone: bool) -> None:
        """Mark the notifications, and count those that nobody read."""
        turned = (
            sa.update(NOTIFICATIONS)
            .where(
                NOTIFICATIONS.c.tenant_id == tenant,
                NOTIFICATIONS.c.about == content,
                NOTIFICATIONS.c.category.in_(ABOUT_CONTENTS),
                NOTIFICATIONS.c.gone != gone,
            )
            .values(gone=gone)
            .returning(NOTIFICATIONS.c.recipient, NOTIFICATIONS.c.read_at)
        )
        rows = (await connection(unit).execute(turned)).all()
        step = -1 if gone else 1
        changes: Counter[tuple[TenantId, MemberId]] = Counter()
        for row in rows:
            if row.read_at is None:
                changes[tenant, row.recipient] += step
        await _count(unit, changes)


class SqlManagers:
    """See `ports.Managers`."""

    async def begin_duty(self, unit: Unit, duty: Duty) -> None:
        """Begin a duty."""
        await _alone(unit, duty.tenant_id)
        values = asdict(duty) | {"role": duty.role.value}
        # The second time, it must not end itself.
        await connection(unit).execute(_END, values | {"at": duty.since, "whole": False})
        await connection(unit).execute(_BEGIN, values)

    async def end_duty(self, unit: Unit, duty: Duty, at: datetime) -> None:
        """End it."""
        await _alone(unit, duty.tenant_id)
        values = asdict(duty) | {"role": duty.role.value, "at": at, "whole": True}
        await connection(unit).execute(_END, values)

    async def add_alert(self, unit: Unit, alert: Alert) -> None:
        """Note an alert."""
        await _alone(unit, alert.tenant_id)
        await connection(unit).execute(insert(ALERTS).on_conflict_do_nothing(), asdict(alert))

    async def list_recipients(
        self, unit: Unit, alert_filter: AlertFilter
    ) -> Sequence[tuple[Alert, MemberId]]:
        """List whom these alerts are owed."""
        await _alone(unit, alert_filter.tenant)
        found = await connection(unit).execute(_OWED, asdict(alert_filter))
        return [
            (Alert(**{n: row[n] for n in _ALERT}), row["member_id"]) for row in found.mappings()
        ]


async def _count(unit: Unit, changes: Mapping[tuple[TenantId, MemberId], int]) -> None:
    """Move the counters, in sorted order of their keys."""
    counters = [
        {"tenant_id": tenant, "recipient": recipient, "n": n}
        for (tenant, recipient), n in sorted(changes.items())
    ]
    if counters:
        await connection(unit).execute(_COUNT, counters)


async def _alone(unit: Unit, tenant: TenantId) -> None:
    """Wait for whoever else settles alerts of this tenant: each must see what the other wrote."""
    await connection(unit).execute(_ALONE, {"tenant": str(tenant)})


def _of(tenant: TenantId, member: MemberId) -> sa.ColumnElement[bool]:
    return (NOTIFICATIONS.c.tenant_id == tenant) & (NOTIFICATIONS.c.recipient == member)


def _notification(row: sa.RowMapping) -> Notification:
    return Notification(**{**row, "category": Category(row["category"])})
