"""What counting needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.metrics.activity.domain import DayCount, Happening, Masks
from services.metrics.dimensions.ports import Dimensions
from shared.contracts.ids import SpaceId, TenantId
from shared.kit.core.unit_of_work import Unit


class Activity(Protocol):
    """The counters."""

    async def add(self, unit: Unit, counts: DayCount, masks: Masks) -> None:
        """Add to the day counts, and mark the days of people."""

    async def turn(self, unit: Unit, places: Sequence[tuple[TenantId, SpaceId]]) -> None:
        """Take turns on these spaces until commit: holding back and releasing must not cross."""

    async def hold_back(self, unit: Unit, happenings: Sequence[Happening]) -> None:
        """Keep what happened in a space that is not yet known."""

    async def release(self, unit: Unit, tenant: TenantId, space_id: SpaceId) -> Sequence[Happening]:
        """Take out what was held back for a space."""

    async def ask(self, unit: Unit, asked: Sequence[tuple[Happening, str]]) -> None:
        """Keep when questions were asked, by their ids."""

    async def answer(self, unit: Unit, answered: Sequence[tuple[Happening, str]]) -> None:
        """Keep when questions were first answered, by the questions' ids."""


@dataclass(frozen=True)
class ActivityDeps:
    """Handed to the reactions of this feature."""

    activity: Activity
    dimensions: Dimensions
