"""A space as metrics knows it."""

from dataclasses import dataclass

from shared.contracts.ids import SpaceId, StructureId
from shared.kit.core.errors import NotFound


class SpaceNotKnown(NotFound):
    """No space of this id has reached metrics, or none that this member may measure."""

    key = "space_not_known"


@dataclass(frozen=True, slots=True)
class Space:
    """Where it stands, and the zone of its days."""

    space_id: SpaceId
    structure_id: StructureId
    path: tuple[StructureId, ...]
    time_zone: str

    @property
    def ancestry(self) -> tuple[StructureId, ...]:
        """Its structure and the ancestors of that."""
        return (*self.path, self.structure_id)
