"""Spaces and their members."""

from dataclasses import dataclass
from datetime import datetime

from shared.contracts.community import Joining, SpaceOpened, Visibility
from shared.contracts.ids import MemberId, SpaceId, StructureId, TenantId
from shared.kit.core.errors import Conflict, NotFound


class SpaceNotFound(NotFound):
    """The space does not exist, or this member may not see it."""

    key = "space_not_found"


class SpaceNameTaken(Conflict):
    """The tenant already has a space with this name."""

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
        """The structure with its ancestors, root first; a role in any of them applies here."""
        return (*self.path, self.structure_id)

    def opened_fact(self) -> SpaceOpened:
        """Build the event for this new space."""
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
    """An actor's membership of a space; `role` is None for a non-member."""

    role: str | None = None

    @property
    def is_member(self) -> bool:
        """Whether the actor is a member of the space."""
        return self.role is not None
