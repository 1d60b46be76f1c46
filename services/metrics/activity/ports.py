"""What counting needs."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.metrics.activity.domain import ActivityEvent, DayCounts, MonthMasks
from services.metrics.dimensions.ports import Dimensions
from shared.contracts.ids import SpaceId, TenantId
from shared.kit.core.unit_of_work import Unit


class ActivityCounters(Protocol):
    """The counters."""

    async def add_counts(self, unit: Unit, counts: DayCounts, masks: MonthMasks) -> None:
        """Add to the day counts, and mark the days of people."""

    async def lock_spaces(self, unit: Unit, places: Sequence[tuple[TenantId, SpaceId]]) -> None:
        """Take turns on these spaces until commit: holding back and releasing must not cross."""

    async def defer(self, unit: Unit, happenings: Sequence[ActivityEvent]) -> None:
        """Keep what happened in a space that is not yet known."""

    async def take_deferred(
        self, unit: Unit, tenant: TenantId, space_id: SpaceId
    ) -> Sequence[ActivityEvent]:
        """Take out what was held back for a space."""

    async def add_questions(self, unit: Unit, asked: Sequence[tuple[ActivityEvent, str]]) -> None:
        """Keep when questions were asked, by their ids."""

    async def add_first_answers(
        self, unit: Unit, answered: Sequence[tuple[ActivityEvent, str]]
    ) -> None:
        """Keep when questions were first answered, by the questions' ids."""


@dataclass(frozen=True)
class ActivityDeps:
    """Handed to the reactions of this feature."""

    counters: ActivityCounters
    dimensions: Dimensions
