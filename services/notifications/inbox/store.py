"""Inboxes in PostgreSQL; counters change only for rows that were really added."""

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

_ALERT_FIELDS = tuple(field.name for field in fields(Alert))
_LOCK_ALERTS = sa.text("SELECT pg_advisory_xact_lock(7241003, hashtext(:tenant))")
_BEGIN_DUTY = sa.text("""
    INSERT INTO duties (tenant_id, member_id, role, structure_id, since, until)
    VALUES (:tenant_id, :member_id, :role, :structure_id, :since, :until)
    ON CONFLICT (tenant_id, member_id, role, structure_id, since)
    DO UPDATE SET until = excluded.until
""")
_END_DUTY = sa.text("""
    UPDATE duties SET ended_at = :at
    WHERE tenant_id = :tenant_id AND member_id = :member_id AND role = :role
      AND structure_id = :structure_id AND ended_at IS NULL
      AND (since < :at OR (:whole AND since = :at))
""")
_ON_DUTY = """
    d.tenant_id = a.tenant_id
    AND d.since <= a.happened_at AND (d.ended_at IS NULL OR d.ended_at > a.happened_at)
    AND (d.until IS NULL OR d.until > a.happened_at)
    AND (d.structure_id = a.structure_id OR d.structure_id = ANY((
        SELECT path FROM rights_structures AS s
        WHERE s.tenant_id = a.tenant_id AND s.structure_id = a.structure_id)::uuid[]))
"""
_LIST_RECIPIENTS = sa.text(f"""
    SELECT DISTINCT a.tenant_id, a.alert_id, a.structure_id, a.cause, a.happened_at, d.member_id
    FROM told_alerts AS a JOIN duties AS d ON {_ON_DUTY}
    WHERE a.tenant_id = :tenant
      AND (CAST(:alert_id AS uuid) IS NULL OR a.alert_id = :alert_id)
      AND (CAST(:structure_id AS uuid) IS NULL OR a.structure_id = :structure_id)
      AND (CAST(:member_id AS uuid) IS NULL OR d.member_id = :member_id)
      AND (CAST(:since AS timestamptz) IS NULL OR a.happened_at >= :since)
    ORDER BY a.happened_at, a.alert_id, d.member_id
""")  # noqa: S608  no user input
_WITHDRAW_ALERTS = sa.text(f"""
    DELETE FROM notifications AS n USING told_alerts AS a
    WHERE n.tenant_id = :tenant AND n.recipient = :member AND n.category = 'alert'
      AND a.tenant_id = n.tenant_id AND a.alert_id = n.about AND a.happened_at >= :since
      AND NOT EXISTS (SELECT FROM duties AS d WHERE d.member_id = n.recipient AND {_ON_DUTY})
    RETURNING n.read_at
""")  # noqa: S608  no user input
_DECREASE_COUNT = sa.text("""
    UPDATE unread SET n = n - :n WHERE tenant_id = :tenant AND recipient = :member
""")
_DELETE_UNUSED_COUNTER = sa.text("""
    DELETE FROM unread AS u WHERE tenant_id = :tenant AND recipient = :member AND NOT EXISTS (
        SELECT FROM notifications AS n
        WHERE n.tenant_id = u.tenant_id AND n.recipient = u.recipient)
""")
_NOTIFICATION_FIELDS = tuple(field.name for field in fields(Notification))
# Built once: a statement that contains its rows would be compiled again for each batch.
_INSERT = (
    insert(NOTIFICATIONS)
    .on_conflict_do_nothing()
    .returning(NOTIFICATIONS.c.tenant_id, NOTIFICATIONS.c.recipient, NOTIFICATIONS.c.gone)
)
_INSERT_COUNT = insert(UNREAD)
_INCREASE_COUNT = _INSERT_COUNT.on_conflict_do_update(
    index_elements=["tenant_id", "recipient"], set_={"n": UNREAD.c.n + _INSERT_COUNT.excluded.n}
)


class SqlInboxes:
    """See `ports.Inboxes`."""

    async def deliver(self, unit: Unit, notifications: Sequence[Notification]) -> int:
        """See `ports.Inboxes`."""
        added: Counter[tuple[TenantId, MemberId]] = Counter()
        if notifications:
            rows = [
                {name: getattr(notification, name) for name in _NOTIFICATION_FIELDS}
                for notification in notifications
            ]
            inserted = await connection(unit).execute(_INSERT, rows)
            added.update((row.tenant_id, row.recipient) for row in inserted if not row.gone)
        await _change_counters(unit, added)
        return added.total()

    async def list_for(
        self,
        unit: Unit,
        tenant: TenantId,
        member: MemberId,
        before: NotificationId | None,
        limit: int,
    ) -> Sequence[Notification]:
        """See `ports.Inboxes`."""
        condition = _in_inbox(tenant, member) & ~(
            NOTIFICATIONS.c.gone & NOTIFICATIONS.c.read_at.is_(None)
        )
        if before is not None:
            condition &= NOTIFICATIONS.c.notification_id < before
        query = (
            sa.select(NOTIFICATIONS)
            .where(condition)
            .order_by(NOTIFICATIONS.c.notification_id.desc())
            .limit(limit)
        )
        return [_to_notification(row) for row in (await connection(unit).execute(query)).mappings()]

    async def count_unread(self, unit: Unit, tenant: TenantId, member: MemberId) -> int:
        """See `ports.Inboxes`."""
        condition = (UNREAD.c.tenant_id == tenant) & (UNREAD.c.recipient == member)
        return int(await connection(unit).scalar(sa.select(UNREAD.c.n).where(condition)) or 0)

    async def withdraw_alerts(self, unit: Unit, owner: InboxOwner, since: datetime) -> int:
        """See `ports.Inboxes`."""
        tenant, member = owner
        values = {"tenant": tenant, "member": member, "since": since}
        withdrawn = (await connection(unit).execute(_WITHDRAW_ALERTS, values)).all()
        if withdrawn:
            unread = sum(row.read_at is None for row in withdrawn)
            await connection(unit).execute(_DECREASE_COUNT, values | {"n": unread})
            await connection(unit).execute(_DELETE_UNUSED_COUNTER, values)
        return len(withdrawn)

    async def mark_read(
        self,
        unit: Unit,
        owner: InboxOwner,
        notification_id: NotificationId,
        at: datetime,
        *,
        include_unavailable: bool = False,
    ) -> tuple[Notification, bool] | None:
        """See `ports.Inboxes`."""
        tenant, member = owner
        condition = _in_inbox(tenant, member) & (NOTIFICATIONS.c.notification_id == notification_id)
        query = sa.select(NOTIFICATIONS).where(condition).with_for_update()
        row = (await connection(unit).execute(query)).mappings().first()
        if row is None:
            return None
        if row["read_at"] is not None:
            return _to_notification(row), False
        if row["gone"] and not include_unavailable:
            return None
        await connection(unit).execute(sa.update(NOTIFICATIONS).where(condition).values(read_at=at))
        if not row["gone"]:
            own_counter = (UNREAD.c.tenant_id == tenant) & (UNREAD.c.recipient == member)
            await connection(unit).execute(
                sa.update(UNREAD).where(own_counter).values(n=UNREAD.c.n - 1)
            )
        return _to_notification(row), True


class SqlUnavailableContents:
    """See `ports.UnavailableContents`."""

    async def mark_unavailable(self, unit: Unit, tenant: TenantId, content: ContentId) -> None:
        """See `ports.UnavailableContents`."""
        row = insert(GONE_CONTENTS).values(tenant_id=tenant, content_id=content)
        await connection(unit).execute(row.on_conflict_do_nothing())
        await self._set_availability(unit, tenant, content, is_unavailable=True)

    async def mark_available(self, unit: Unit, tenant: TenantId, content: ContentId) -> None:
        """See `ports.UnavailableContents`."""
        condition = (GONE_CONTENTS.c.tenant_id == tenant) & (GONE_CONTENTS.c.content_id == content)
        await connection(unit).execute(sa.delete(GONE_CONTENTS).where(condition))
        await self._set_availability(unit, tenant, content, is_unavailable=False)

    async def find_unavailable(
        self, unit: Unit, contents: Sequence[tuple[TenantId, UUID]]
    ) -> set[tuple[TenantId, UUID]]:
        """See `ports.UnavailableContents`."""
        condition = sa.tuple_(GONE_CONTENTS.c.tenant_id, GONE_CONTENTS.c.content_id).in_(contents)
        rows = await connection(unit).execute(
            sa.select(GONE_CONTENTS.c.tenant_id, GONE_CONTENTS.c.content_id).where(condition)
        )
        return {(row.tenant_id, row.content_id) for row in rows}

    async def _set_availability(
        self, unit: Unit, tenant: TenantId, content: ContentId, *, is_unavailable: bool
    ) -> None:
        """Update the content's notifications and the counters of unread ones."""
        statement = (
            sa.update(NOTIFICATIONS)
            .where(
                NOTIFICATIONS.c.tenant_id == tenant,
                NOTIFICATIONS.c.about == content,
                NOTIFICATIONS.c.category.in_(ABOUT_CONTENTS),
                NOTIFICATIONS.c.gone != is_unavailable,
            )
            .values(gone=is_unavailable)
            .returning(NOTIFICATIONS.c.recipient, NOTIFICATIONS.c.read_at)
        )
        rows = (await connection(unit).execute(statement)).all()
        step = -1 if is_unavailable else 1
        changes: Counter[tuple[TenantId, MemberId]] = Counter()
        for row in rows:
            if row.read_at is None:
                changes[tenant, row.recipient] += step
        await _change_counters(unit, changes)


class SqlManagers:
    """See `ports.Managers`."""

    async def begin_duty(self, unit: Unit, duty: Duty) -> None:
        """See `ports.Managers`."""
        await _lock_alerts(unit, duty.tenant_id)
        values = asdict(duty) | {"role": duty.role.value}
        # A second delivery of the same event must not end the duty that it began.
        await connection(unit).execute(_END_DUTY, values | {"at": duty.since, "whole": False})
        await connection(unit).execute(_BEGIN_DUTY, values)

    async def end_duty(self, unit: Unit, duty: Duty, at: datetime) -> None:
        """See `ports.Managers`."""
        await _lock_alerts(unit, duty.tenant_id)
        values = asdict(duty) | {"role": duty.role.value, "at": at, "whole": True}
        await connection(unit).execute(_END_DUTY, values)

    async def add_alert(self, unit: Unit, alert: Alert) -> None:
        """See `ports.Managers`."""
        await _lock_alerts(unit, alert.tenant_id)
        await connection(unit).execute(insert(ALERTS).on_conflict_do_nothing(), asdict(alert))

    async def list_recipients(
        self, unit: Unit, alert_filter: AlertFilter
    ) -> Sequence[tuple[Alert, MemberId]]:
        """See `ports.Managers`."""
        await _lock_alerts(unit, alert_filter.tenant)
        rows = await connection(unit).execute(_LIST_RECIPIENTS, asdict(alert_filter))
        return [
            (Alert(**{name: row[name] for name in _ALERT_FIELDS}), row["member_id"])
            for row in rows.mappings()
        ]


async def _change_counters(unit: Unit, changes: Mapping[tuple[TenantId, MemberId], int]) -> None:
    """Add these changes to the counters, in sorted key order to avoid deadlocks."""
    counters = [
        {"tenant_id": tenant, "recipient": recipient, "n": n}
        for (tenant, recipient), n in sorted(changes.items())
    ]
    if counters:
        await connection(unit).execute(_INCREASE_COUNT, counters)


async def _lock_alerts(unit: Unit, tenant: TenantId) -> None:
    """Lock the tenant's alerts: concurrent deliveries must see each other's rows."""
    await connection(unit).execute(_LOCK_ALERTS, {"tenant": str(tenant)})


def _in_inbox(tenant: TenantId, member: MemberId) -> sa.ColumnElement[bool]:
    return (NOTIFICATIONS.c.tenant_id == tenant) & (NOTIFICATIONS.c.recipient == member)


def _to_notification(row: sa.RowMapping) -> Notification:
    return Notification(**{**row, "category": Category(row["category"])})
