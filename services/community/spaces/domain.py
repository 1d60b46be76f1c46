"""What a space is, and who belongs to it."""

from dataclasses import dataclass
from datetime import datetime

from shared.contracts.community import Joining, SpaceOpened, Visibility
from shared.contracts.ids import MemberId, SpaceId, StructureId, TenantId
from shared.kit.core.errors import Conflict, NotFound


class SpaceNotFound(NotFound):
    """There is no such space, or none that this member may see."""

    key = "space_not_found"


class SpaceNameTaken(Conflict):
    """The tenant has a space of this name."""

    key = "space_name_taken"


@dataclass(frozen=True, slots=True)
class Space:
    """A space; `path` holds the ancestors of its structure, root first."""

    tenant_id: TenantId
    space_id: SpaceId
    name: str
    visibility: Visibility
    joining: Joining
    structure_id: StructureId
    path: tuple[StructureId, ...]
    time_zone: str
    opened_at: datetime
    opened_by: MemberId | None = None

    @property
    def ancestry(self) -> tuple[StructureId, ...]:
        """The structure and its ancestors: a role held in any of them counts here."""
        return (*self.path, self.structure_id)

    def opened_fact(self) -> SpaceOpened:
        """Say that it was opened."""
        return SpaceOpened(
            space_id=self.space_id,
            name=self.name,
            visibility=self.visibility,
            joining=self.joining,
            structure_id=self.structure_id,
            path=self.path,
            time_zone=self.time_zone,
            opened_by=self.opened_by,
        )


@dataclass(frozen=True, slots=True)
class Membership:
    """What someone is to a space: a member with a role, or not one."""

    role: str | None = None

    @property
    def is_member(self) -> bool:
        """Whether they are a member of the space."""
        return self.role is not None
