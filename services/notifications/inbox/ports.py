"""What the inbox needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from services.notifications.inbox.domain import Alert, Duty, Notification
from shared.contracts.ids import AlertId, ContentId, MemberId, NotificationId, StructureId, TenantId
from shared.kit.core.unit_of_work import Unit, Units

InboxOwner = tuple[TenantId, MemberId]
"""A member's inbox."""


class Inboxes(Protocol):
    """Everybody's notifications and counters."""

    async def deliver(self, unit: Unit, notifications: Sequence[Notification]) -> int:
        """Add those that are new and count as unread those that are not gone; say how many."""

    async def list_for(
        self,
        unit: Unit,
        tenant: TenantId,
        member: MemberId,
        before: NotificationId | None,
        limit: int,
    ) -> Sequence[Notification]:
        """List someone's notifications, the newest first, without what is gone and unread."""

    async def count_unread(self, unit: Unit, tenant: TenantId, member: MemberId) -> int:
        """Return the stored count."""

    async def mark_read(
        self,
        unit: Unit,
        owner: InboxOwner,
        notification_id: NotificationId,
        at: datetime,
        *,
        include_unavailable: bool = False,
    ) -> tuple[Notification, bool] | None:
        """Mark one as read; None when there is none, False when it was read already.

        One that is gone is none, unless `gone_too` asks for it.
        """

    async def withdraw_alerts(self, unit: Unit, owner: InboxOwner, since: datetime) -> int:
        """Take back alerts since a moment that are not owed (see `Managers`); say how many."""


class UnavailableContents(Protocol):
    """Which contents cannot be read now, and the notifications that lead to them."""

    async def mark_unavailable(self, unit: Unit, tenant: TenantId, content: ContentId) -> None:
        """Withdraw what leads to a content; what is unread counts no more."""

    async def mark_available(self, unit: Unit, tenant: TenantId, content: ContentId) -> None:
        """Put back what leads to a content; what is unread counts again."""

    async def find_unavailable(
        self, unit: Unit, contents: Sequence[tuple[TenantId, UUID]]
    ) -> set[tuple[TenantId, UUID]]:
        """Return those of these contents that cannot be read."""


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Which alerts of a tenant to look at: one, those of a structure, or those since a moment.

    `member_id` says whose inbox is concerned; None: everybody's.
    """

    tenant: TenantId
    alert_id: AlertId | None = None
    structure_id: StructureId | None = None
    member_id: MemberId | None = None
    since: datetime | None = None


class Managers(Protocol):
    """Who answered for which structure at which moment, and the alerts there were.

    Facts of one topic do not wait for those of another: a role may be known after the alert that
    its holder is owed. Whoever writes here looks again at what is owed, and nobody else of the
    tenant writes until the transaction ends.
    """

    async def begin_duty(self, unit: Unit, duty: Duty) -> None:
        """Note that a duty begins; one that goes on ends there, and is what this says now."""

    async def end_duty(self, unit: Unit, duty: Duty, at: datetime) -> None:
        """Note that it ends, if it began before."""

    async def add_alert(self, unit: Unit, alert: Alert) -> None:
        """Note an alert."""

    async def list_recipients(
        self, unit: Unit, alert_filter: AlertFilter
    ) -> Sequence[tuple[Alert, MemberId]]:
        """List whom these alerts are owed: who answered there, or above, when they happened."""


@dataclass(frozen=True)
class InboxDeps:
    """Handed to the handlers and reactions of this feature."""

    unit: Units
    inboxes: Inboxes
    managers: Managers
    unavailable_contents: UnavailableContents
