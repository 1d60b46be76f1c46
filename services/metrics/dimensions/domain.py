"""A space as metrics stores it."""

from dataclasses import dataclass

from shared.contracts.ids import SpaceId, StructureId
from shared.kit.core.errors import NotFound


class SpaceNotKnown(NotFound):
    """Metrics has no space of this id, or none that this member may measure."""

    key = "space_not_known"


@dataclass(frozen=True, slots=True)
class Space:
    """A space's structure, its ancestors, and the time zone of its days."""

    space_id: SpaceId
    structure_id: StructureId
    path: tuple[StructureId, ...]
    time_zone: str

    @property
    def ancestry(self) -> tuple[StructureId, ...]:
        """Return the space's structure after its ancestors, the root first."""
        return (*self.path, self.structure_id)
