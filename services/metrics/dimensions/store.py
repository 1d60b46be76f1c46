"""Dimensions in PostgreSQL."""

from collections.abc import Sequence

import sqlalchemy as sa

from services.metrics.dimensions.domain import Space
from services.metrics.dimensions.tables import SPACES
from shared.contracts.ids import SpaceId, StructureId, TenantId
from shared.kit.core.unit_of_work import Unit
from shared.kit.database.database import connection

_ENROLLED = sa.text("""
    SELECT count(DISTINCT e.member_id) AS everyone,
           count(DISTINCT e.member_id) FILTER (WHERE m.minor) AS minors
    FROM enrolments e
    LEFT JOIN rights_members m ON m.tenant_id = e.tenant_id AND m.member_id = e.member_id
    WHERE e.tenant_id = :tenant AND e.space_id = ANY(:spaces) AND e.left_at IS NULL
""")


class SqlDimensions:
    """See `ports.Dimensions`."""

    async def find_spaces(
        self, unit: Unit, tenant: TenantId, ids: Sequence[SpaceId]
    ) -> dict[SpaceId, Space]:
        """See `ports.Dimensions`."""
        condition = (SPACES.c.tenant_id == tenant) & SPACES.c.space_id.in_(ids)
        rows = await connection(unit).execute(sa.select(SPACES).where(condition))
        return {row["space_id"]: _space(row) for row in rows.mappings()}

    async def list_spaces_below(
        self, unit: Unit, tenant: TenantId, structure: StructureId
    ) -> Sequence[Space]:
        """See `ports.Dimensions`."""
        # Trap: `contains` exists on PostgreSQL's ARRAY only; on `sa.ARRAY` it raises when called.
        is_below = sa.literal(structure, sa.Uuid()) == sa.any_(SPACES.c.path)
        in_structure_tree = (SPACES.c.structure_id == structure) | is_below
        query = sa.select(SPACES).where((SPACES.c.tenant_id == tenant) & in_structure_tree)
        return [_space(row) for row in (await connection(unit).execute(query)).mappings()]

    async def count_enrolled(
        self, unit: Unit, tenant: TenantId, ids: Sequence[SpaceId]
    ) -> tuple[int, int]:
        """See `ports.Dimensions`."""
        values = {"tenant": tenant, "spaces": list(ids)}
        row = (await connection(unit).execute(_ENROLLED, values)).one()
        return row.everyone, row.minors


def _space(row: sa.RowMapping) -> Space:
    return Space(row["space_id"], row["structure_id"], tuple(row["path"]), row["time_zone"])
