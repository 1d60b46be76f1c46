"""Ports of structures."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from services.identity.structures.domain import Structure, TreePosition
from shared.contracts.ids import StructureId, TenantId
from shared.kit.core.unit_of_work import NewId, Unit, Units


class Structures(Protocol):
    """The tree of structures of a tenant."""

    async def add(self, unit: Unit, structure: Structure) -> None:
        """Insert a structure; its parent, if any, must exist."""

    async def find(
        self, unit: Unit, tenant: TenantId, structure_id: StructureId
    ) -> Structure | None:
        """Find a structure by its id."""

    async def root(self, unit: Unit, tenant: TenantId) -> Structure:
        """Return the tenant's root structure; opening a tenant creates it."""

    async def list_after(
        self, unit: Unit, tenant: TenantId, after_position: TreePosition | None, limit: int
    ) -> Sequence[Structure]:
        """List at most `limit` structures after a position, ancestors first and then by name."""


@dataclass(frozen=True)
class StructuresDeps:
    """Dependencies of the handlers of structures."""

    unit: Units
    structures: Structures
    new_id: NewId
