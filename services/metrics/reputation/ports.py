"""Port and dependencies of reputation."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.metrics.dimensions.ports import Dimensions
from services.metrics.reputation.domain import Alert, AlertSortKey, Flag
from shared.contracts.ids import AlertId, SpaceId, TenantId
from shared.kit.core.unit_of_work import NewId, Unit, Units


class Flags(Protocol):
    """Recent flags, by space."""

    async def add(self, unit: Unit, tenant: TenantId, space: SpaceId, flag: Flag) -> None:
        """Store a flag."""

    async def list_since(
        self, unit: Unit, tenant: TenantId, space: SpaceId, since: datetime
    ) -> Sequence[Flag]:
        """List the flags of a space from this event time on."""


class Alerts(Protocol):
    """The alerts that bursts of flags raised."""

    async def is_open(self, unit: Unit, tenant: TenantId, space: SpaceId) -> bool:
        """Return whether the space has an open alert; locks the space's alerts until commit."""

    async def add(self, unit: Unit, tenant: TenantId, alert: Alert) -> None:
        """Store an alert; storing it again changes nothing."""

    async def find(self, unit: Unit, tenant: TenantId, alert_id: AlertId) -> Alert | None:
        """Find an alert and lock its row."""

    async def list_after(
        self, unit: Unit, tenant: TenantId, after: AlertSortKey | None, limit: int
    ) -> Sequence[Alert]:
        """List alerts after a sort key: open ones first, then the newest."""

    async def close(self, unit: Unit, tenant: TenantId, alert_id: AlertId, at: datetime) -> None:
        """Close an alert; a closed one does not change."""


@dataclass(frozen=True)
class ReputationDeps:
    """Dependencies of this feature's handlers and reactions."""

    unit: Units
    flags: Flags
    alerts: Alerts
    dimensions: Dimensions
    new_id: NewId
