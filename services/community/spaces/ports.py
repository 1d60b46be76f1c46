"""What the spaces' handlers need."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.community.spaces.domain import Membership, Space
from shared.contracts.ids import MemberId, SpaceId, StructureId, TenantId
from shared.kit.core.unit_of_work import NewId, Unit, Units


class Spaces(Protocol):
    """The spaces of a tenant, and who belongs to them."""

    async def add(self, unit: Unit, space: Space) -> bool:
        """Add a space; False when its name is taken."""

    async def find(self, unit: Unit, tenant: TenantId, space_id: SpaceId) -> Space | None:
        """Find one by its id."""

    async def find_with_membership(
        self, unit: Unit, tenant: TenantId, space_id: SpaceId, member_id: MemberId
    ) -> tuple[Space, Membership] | None:
        """Find one, and say what someone is to it."""

    async def list_after(
        self, unit: Unit, tenant: TenantId, name: str | None, limit: int
    ) -> Sequence[Space]:
        """List some by name, from after this name on."""

    async def list_named(self, unit: Unit, tenant: TenantId, name: str) -> Sequence[Space]:
        """Find the one of this name."""

    async def memberships_of(
        self, unit: Unit, tenant: TenantId, ids: Sequence[SpaceId], member_id: MemberId
    ) -> dict[SpaceId, Membership]:
        """Return what someone is to each of these spaces that they belong to."""

    async def join(self, unit: Unit, space: Space, member_id: MemberId, role: str) -> bool:
        """Make someone a member; False when they were one."""

    async def leave(self, unit: Unit, space: Space, member_id: MemberId) -> bool:
        """End a membership; False when there was none."""


class StructureTree(Protocol):
    """This service's copy of the tree of structures."""

    async def ancestors(
        self, unit: Unit, tenant: TenantId, structure_id: StructureId
    ) -> tuple[StructureId, ...]:
        """Return a structure's ancestors, root first."""

    async def time_zone(self, unit: Unit, tenant: TenantId, structure_id: StructureId) -> str:
        """Return a structure's time zone; UTC while it is not yet known."""


@dataclass(frozen=True)
class SpacesDeps:
    """Handed to the handlers of this feature."""

    unit: Units
    spaces: Spaces
    structure_tree: StructureTree
    new_id: NewId
