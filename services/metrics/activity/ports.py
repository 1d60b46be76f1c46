"""Port and dependencies of activity."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.metrics.activity.domain import ActivityEvent, DayCounts, MonthMasks
from services.metrics.dimensions.ports import Dimensions
from shared.contracts.ids import SpaceId, TenantId
from shared.kit.core.unit_of_work import Unit


class ActivityCounters(Protocol):
    """Counters of activity, and the times of questions and of their first answers."""

    async def add_counts(self, unit: Unit, counts: DayCounts, masks: MonthMasks) -> None:
        """Add to the counters of days, and set the active days of members."""

    async def add_questions(
        self, unit: Unit, questions: Sequence[tuple[ActivityEvent, str]]
    ) -> None:
        """Store when questions were asked, by question id; the earliest time wins."""

    async def add_first_answers(
        self, unit: Unit, answers: Sequence[tuple[ActivityEvent, str]]
    ) -> None:
        """Store when questions were answered, by question id; the earliest time wins."""


class DeferredEvents(Protocol):
    """Events of spaces that are not yet known: counted once the space is."""

    async def lock_spaces(self, unit: Unit, spaces: Sequence[tuple[TenantId, SpaceId]]) -> None:
        """Lock these spaces until commit, so that `defer` and `take_deferred` cannot overlap."""

    async def defer(self, unit: Unit, events: Sequence[ActivityEvent]) -> None:
        """Store events of spaces that are not yet known."""

    async def take_deferred(
        self, unit: Unit, tenant: TenantId, space_id: SpaceId
    ) -> Sequence[ActivityEvent]:
        """Remove and return the deferred events of a space."""


@dataclass(frozen=True)
class ActivityDeps:
    """Dependencies of this feature's reactions."""

    counters: ActivityCounters
    deferred: DeferredEvents
    dimensions: Dimensions
