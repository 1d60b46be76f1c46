"""What watching needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.metrics.dimensions.ports import Dimensions
from services.metrics.reputation.domain import Alert, AlertSortKey, Flag
from shared.contracts.ids import AlertId, SpaceId, TenantId
from shared.kit.core.unit_of_work import NewId, Unit, Units


class Alerts(Protocol):
    """Recent flags, and the alerts that they led to."""

    async def add_flag(self, unit: Unit, tenant: TenantId, space: SpaceId, flag: Flag) -> None:
        """Keep a flag."""

    async def flags_since(
        self, unit: Unit, tenant: TenantId, space: SpaceId, since: datetime
    ) -> Sequence[Flag]:
        """List the flags of a space from a moment of event time on."""

    async def is_open(self, unit: Unit, tenant: TenantId, space: SpaceId) -> bool:
        """Return whether an alert is open there; nobody else raises one meanwhile."""

    async def add(self, unit: Unit, tenant: TenantId, alert: Alert) -> None:
        """Keep an alert; the same again changes nothing."""

    async def find(self, unit: Unit, tenant: TenantId, alert_id: AlertId) -> Alert | None:
        """Find one and lock it."""

    async def list_after(
        self, unit: Unit, tenant: TenantId, after: AlertSortKey | None, limit: int
    ) -> Sequence[Alert]:
        """List some, open ones first, then the latest, from after a place in the list on."""

    async def close(self, unit: Unit, tenant: TenantId, alert_id: AlertId, at: datetime) -> None:
        """Close one; a closed one stays as it is."""


@dataclass(frozen=True)
class ReputationDeps:
    """Handed to the handlers and reactions of this feature."""

    unit: Units
    alerts: Alerts
    dimensions: Dimensions
    new_id: NewId
