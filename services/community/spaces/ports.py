"""Ports of spaces."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.community.spaces.domain import Membership, Space
from shared.contracts.ids import MemberId, SpaceId, StructureId, TenantId
from shared.kit.core.unit_of_work import BatchedUnit, NewId, Unit, Units


class Spaces(Protocol):
    """Spaces of a tenant."""

    async def add(self, unit: Unit, space: Space) -> bool:
        """Insert a space; False when its name is taken."""

    async def find(self, unit: Unit, tenant: TenantId, space_id: SpaceId) -> Space | None:
        """Find a space by its id."""

    async def find_with_membership(
        self,
        unit: Unit | BatchedUnit,
        tenant: TenantId,
        space_id: SpaceId,
        member_id: MemberId,
    ) -> tuple[Space, Membership] | None:
        """Find a space with a member's membership of it, in one query."""

    async def list_after(
        self, unit: Unit, tenant: TenantId, name: str | None, limit: int
    ) -> Sequence[Space]:
        """List spaces by name, after this name (None: from the first)."""

    async def list_named(self, unit: Unit, tenant: TenantId, name: str) -> Sequence[Space]:
        """List the spaces of this name: one or none."""


class Memberships(Protocol):
    """Memberships of spaces."""

    async def add(self, unit: Unit, space: Space, member_id: MemberId, role: str) -> bool:
        """Insert a membership; False when it exists."""

    async def remove(self, unit: Unit, space: Space, member_id: MemberId) -> bool:
        """Delete a membership; False when there is none."""

    async def find(
        self, unit: Unit, tenant: TenantId, space_ids: Sequence[SpaceId], member_id: MemberId
    ) -> dict[SpaceId, Membership]:
        """Find a member's memberships of these spaces; spaces without one are left out."""


class StructureTree(Protocol):
    """This service's copy of the tree of structures, built from identity's events."""

    async def ancestors(
        self, unit: Unit, tenant: TenantId, structure_id: StructureId
    ) -> tuple[StructureId, ...]:
        """Return a structure's ancestors, root first."""

    async def time_zone(self, unit: Unit, tenant: TenantId, structure_id: StructureId) -> str:
        """Return a structure's time zone; UTC until the structure's event has arrived."""


@dataclass(frozen=True)
class SpacesDeps:
    """Dependencies of the handlers of spaces."""

    unit: Units
    spaces: Spaces
    memberships: Memberships
    structure_tree: StructureTree
    new_id: NewId
