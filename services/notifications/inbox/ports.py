"""What the inbox needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.notifications.inbox.domain import Notification
from shared.contracts.ids import MemberId, NotificationId, StructureId, TenantId
from shared.kit.unit import Unit, Units

Whose = tuple[TenantId, MemberId]
"""A member's inbox."""


class Inboxes(Protocol):
    """Everybody's notifications and counters."""

    async def deliver(self, unit: Unit, notifications: Sequence[Notification]) -> int:
        """Add those that are new and count them as unread; say how many."""

    async def list_for(
        self,
        unit: Unit,
        tenant: TenantId,
        member: MemberId,
        before: NotificationId | None,
        limit: int,
    ) -> Sequence[Notification]:
        """List someone's notifications, the newest first."""

    async def unread(self, unit: Unit, tenant: TenantId, member: MemberId) -> int:
        """Give the stored count."""

    async def read(
        self, unit: Unit, whose: Whose, which: NotificationId, at: datetime
    ) -> tuple[Notification, bool] | None:
        """Mark one as read; None when there is none, False when it was read already."""


class People(Protocol):
    """This service's copy of who holds which role."""

    async def managers(
        self, unit: Unit, tenant: TenantId, structure: StructureId
    ) -> Sequence[MemberId]:
        """List the community managers and administrators of a structure, or above it."""


@dataclass(frozen=True)
class InboxDeps:
    """Handed to the handlers and reactions of this feature."""

    unit: Units
    inboxes: Inboxes
    people: People
