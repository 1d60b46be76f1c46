"""Port and dependencies of KPIs."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

from services.metrics.dimensions.domain import Space
from services.metrics.dimensions.ports import Dimensions
from services.metrics.kpis.domain import RecordedActivity
from shared.contracts.ids import TenantId
from shared.kit.core.unit_of_work import Clock, Unit, Units


class ActivityRecords(Protocol):
    """Recorded activity, for computing KPIs."""

    async def read(
        self, unit: Unit, tenant: TenantId, spaces: Sequence[Space], begin: date, end: date
    ) -> RecordedActivity:
        """Return the activity of these spaces from `begin` to before `end`, local days."""


@dataclass(frozen=True)
class KpisDeps:
    """Dependencies of this feature's handlers."""

    unit: Units
    activity_records: ActivityRecords
    dimensions: Dimensions
    clock: Clock
