"""The structures in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import asdict

import sqlalchemy as sa

from services.identity.structures.domain import Structure
from services.identity.structures.tables import STRUCTURES
from shared.contracts.ids import StructureId, TenantId
from shared.kit.database import connection
from shared.kit.unit import Unit


class SqlStructures:
    """See `ports.Structures`."""

    async def add(self, unit: Unit, structure: Structure) -> None:
        """Add a structure."""
        values = asdict(structure) | {"path": list(structure.path)}
        await connection(unit).execute(sa.insert(STRUCTURES).values(**values))

    async def find(
        self, unit: Unit, tenant: TenantId, structure_id: StructureId
    ) -> Structure | None:
        """Find one."""
        chosen = (STRUCTURES.c.tenant_id == tenant) & (STRUCTURES.c.structure_id == structure_id)
        found = await connection(unit).execute(sa.select(STRUCTURES).where(chosen))
        row = found.mappings().first()
        return _structure(row) if row else None

    async def list_all(self, unit: Unit, tenant: TenantId) -> Sequence[Structure]:
        """List the whole tree, ancestors first."""
        chosen = sa.select(STRUCTURES).where(STRUCTURES.c.tenant_id == tenant)
        depth = sa.func.cardinality(STRUCTURES.c.path)
        found = await connection(unit).execute(chosen.order_by(depth, STRUCTURES.c.name))
        return [_structure(row) for row in found.mappings()]


def _structure(row: sa.RowMapping) -> Structure:
    return Structure(**{**row, "path": tuple(row["path"])})
