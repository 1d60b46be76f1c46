"""Ports and dependencies of the inbox."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from services.notifications.inbox.domain import Alert, Duty, Notification
from shared.contracts.ids import AlertId, ContentId, MemberId, NotificationId, StructureId, TenantId
from shared.kit.core.unit_of_work import Unit, Units

InboxOwner = tuple[TenantId, MemberId]
"""Tenant and member whose inbox it is."""


class Inboxes(Protocol):
    """Notifications and unread counters of all members."""

    async def deliver(self, unit: Unit, notifications: Sequence[Notification]) -> int:
        """Add new notifications and count the available ones as unread; return how many."""

    async def list_for(
        self,
        unit: Unit,
        tenant: TenantId,
        member: MemberId,
        before: NotificationId | None,
        limit: int,
    ) -> Sequence[Notification]:
        """List a member's notifications, newest first, without unavailable unread ones."""

    async def count_unread(self, unit: Unit, tenant: TenantId, member: MemberId) -> int:
        """Return the stored count of unread notifications."""

    async def mark_read(
        self,
        unit: Unit,
        owner: InboxOwner,
        notification_id: NotificationId,
        at: datetime,
        *,
        include_unavailable: bool = False,
    ) -> tuple[Notification, bool] | None:
        """Mark a notification as read; return it and whether it was unread, None if not found.

        An unavailable notification is only found with `include_unavailable`.
        """

    async def withdraw_alerts(self, unit: Unit, owner: InboxOwner, since: datetime) -> int:
        """Delete alerts since a time that the member must not have (see `Managers`).

        Returns the number of deleted notifications.
        """


class UnavailableContents(Protocol):
    """Contents that readers cannot see now, and the notifications that link to them."""

    async def mark_unavailable(self, unit: Unit, tenant: TenantId, content: ContentId) -> None:
        """Withdraw the notifications of a content; unread ones are no longer counted."""

    async def mark_available(self, unit: Unit, tenant: TenantId, content: ContentId) -> None:
        """Restore the notifications of a content; unread ones are counted again."""

    async def find_unavailable(
        self, unit: Unit, contents: Sequence[tuple[TenantId, UUID]]
    ) -> set[tuple[TenantId, UUID]]:
        """Return those of these contents that cannot be read."""


@dataclass(frozen=True, slots=True)
class AlertFilter:
    """Alerts of a tenant: one alert, those of a structure, or those since a time.

    `member_id` limits the recipients to one member; None means all.
    """

    tenant: TenantId
    alert_id: AlertId | None = None
    structure_id: StructureId | None = None
    member_id: MemberId | None = None
    since: datetime | None = None


class Managers(Protocol):
    """Who managed which structure at which time, and the alerts.

    Events of different topics arrive in any order: a role may arrive after an alert that its holder
    must receive. A transaction that writes here must list the recipients again; it holds a lock on
    the tenant's alerts until it ends.
    """

    async def begin_duty(self, unit: Unit, duty: Duty) -> None:
        """Record the begin of a duty; an equal one in progress ends at that time."""

    async def end_duty(self, unit: Unit, duty: Duty, at: datetime) -> None:
        """Record the end of a duty, if it began before."""

    async def add_alert(self, unit: Unit, alert: Alert) -> None:
        """Store an alert."""

    async def list_recipients(
        self, unit: Unit, alert_filter: AlertFilter
    ) -> Sequence[tuple[Alert, MemberId]]:
        """List alerts with the members who managed the structure or an ancestor at that time."""


@dataclass(frozen=True)
class InboxDeps:
    """Dependencies of this feature's handlers and reactions."""

    unit: Units
    inboxes: Inboxes
    managers: Managers
    unavailable_contents: UnavailableContents
