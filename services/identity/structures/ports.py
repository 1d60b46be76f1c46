"""What the structures' handlers need."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.identity.structures.domain import Structure, TreePosition
from shared.contracts.ids import StructureId, TenantId
from shared.kit.core.unit_of_work import NewId, Unit, Units


class Structures(Protocol):
    """The tree of one tenant."""

    async def add(self, unit: Unit, structure: Structure) -> None:
        """Add a structure whose parent, if any, is there."""

    async def find(
        self, unit: Unit, tenant: TenantId, structure_id: StructureId
    ) -> Structure | None:
        """Find one."""

    async def root(self, unit: Unit, tenant: TenantId) -> Structure:
        """Return the tenant's root structure; every tenant has one since it was opened."""

    async def list_after(
        self, unit: Unit, tenant: TenantId, after: TreePosition | None, limit: int
    ) -> Sequence[Structure]:
        """List so many, ancestors first and then by name, from after a place on."""


@dataclass(frozen=True)
class StructuresDeps:
    """Handed to the handlers of this feature."""

    unit: Units
    structures: Structures
    new_id: NewId
