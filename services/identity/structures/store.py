"""Structures in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import asdict

import sqlalchemy as sa

from services.identity.structures.domain import Structure, TreePosition
from services.identity.structures.tables import STRUCTURES
from shared.contracts.ids import StructureId, TenantId
from shared.kit.core.unit_of_work import Unit
from shared.kit.database.database import connection


class SqlStructures:
    """See `ports.Structures`."""

    async def add(self, unit: Unit, structure: Structure) -> None:
        values = asdict(structure) | {"path": list(structure.path)}
        await connection(unit).execute(sa.insert(STRUCTURES).values(**values))

    async def find(
        self, unit: Unit, tenant: TenantId, structure_id: StructureId
    ) -> Structure | None:
        condition = (STRUCTURES.c.tenant_id == tenant) & (STRUCTURES.c.structure_id == structure_id)
        result = await connection(unit).execute(sa.select(STRUCTURES).where(condition))
        row = result.mappings().first()
        return _structure(row) if row else None

    async def root(self, unit: Unit, tenant: TenantId) -> Structure:
        condition = (STRUCTURES.c.tenant_id == tenant) & STRUCTURES.c.parent_id.is_(None)
        rows = await connection(unit).execute(sa.select(STRUCTURES).where(condition))
        return _structure(rows.mappings().one())

    async def list_after(
        self, unit: Unit, tenant: TenantId, after_position: TreePosition | None, limit: int
    ) -> Sequence[Structure]:
        sort_key = sa.tuple_(
            sa.func.cardinality(STRUCTURES.c.path), STRUCTURES.c.name, STRUCTURES.c.structure_id
        )
        condition = STRUCTURES.c.tenant_id == tenant
        if after_position is not None:
            # BigInteger: a forged cursor may hold a depth beyond the range of integer.
            types = (sa.BigInteger(), sa.Text(), sa.Uuid())
            condition &= sort_key > sa.tuple_(*after_position, types=types)
        query = sa.select(STRUCTURES).where(condition).order_by(*sort_key.clauses).limit(limit)
        rows = await connection(unit).execute(query)
        return [_structure(row) for row in rows.mappings()]


def _structure(row: sa.RowMapping) -> Structure:
    return Structure(**{**row, "path": tuple(row["path"])})
