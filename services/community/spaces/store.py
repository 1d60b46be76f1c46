"""Spaces and memberships in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import asdict

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.community.spaces.domain import Membership, Space
from services.community.spaces.tables import MEMBERSHIPS, SPACES
from shared.contracts.community import Joining, Visibility
from shared.contracts.ids import MemberId, SpaceId, StructureId, TenantId
from shared.kit.core.unit_of_work import BatchedUnit, Unit
from shared.kit.database.batched.statements import BatchQuery
from shared.kit.database.batched.unit import load
from shared.kit.database.database import connection
from shared.kit.rights.store import find_ancestors, find_time_zone

# Built once, because SQLAlchemy looks up every statement that it builds, part by part.
_FIND = sa.select(SPACES).where(
    SPACES.c.tenant_id == sa.bindparam("tenant"), SPACES.c.space_id == sa.bindparam("space")
)
_FIND_FOR = BatchQuery(
    """
    SELECT s.*, m.role FROM spaces s
    LEFT JOIN memberships m ON m.tenant_id = s.tenant_id AND m.space_id = s.space_id
                           AND m.member_id = asked.member_id
    WHERE s.tenant_id = asked.tenant_id AND s.space_id = asked.space_id
    """,
    space_id="uuid",
    member_id="uuid",
)


class SqlSpaces:
    """See `ports.Spaces`."""

    async def add(self, unit: Unit, space: Space) -> bool:
        values = asdict(space) | {"path": list(space.path)}
        statement = insert(SPACES).values(**values).on_conflict_do_nothing()
        return bool((await connection(unit).execute(statement)).rowcount)

    async def find(self, unit: Unit, tenant: TenantId, space_id: SpaceId) -> Space | None:
        values = {"tenant": tenant, "space": space_id}
        row = (await connection(unit).execute(_FIND, values)).mappings().first()
        return _to_space(row) if row else None

    async def find_with_membership(
        self,
        unit: Unit | BatchedUnit,
        tenant: TenantId,
        space_id: SpaceId,
        member_id: MemberId,
    ) -> tuple[Space, Membership] | None:
        rows = await load(unit, _FIND_FOR, tenant, space_id=space_id, member_id=member_id)
        return (_to_space(rows[0]), Membership(rows[0]["role"])) if rows else None

    async def list_after(
        self, unit: Unit, tenant: TenantId, name: str | None, limit: int
    ) -> Sequence[Space]:
        condition = SPACES.c.tenant_id == tenant
        if name is not None:
            condition &= SPACES.c.name > name
        query = sa.select(SPACES).where(condition).order_by(SPACES.c.name).limit(limit)
        return [_to_space(row) for row in (await connection(unit).execute(query)).mappings()]

    async def list_named(self, unit: Unit, tenant: TenantId, name: str) -> Sequence[Space]:
        query = sa.select(SPACES).where((SPACES.c.tenant_id == tenant) & (SPACES.c.name == name))
        return [_to_space(row) for row in (await connection(unit).execute(query)).mappings()]


class SqlMemberships:
    """See `ports.Memberships`."""

    async def add(self, unit: Unit, space: Space, member_id: MemberId, role: str) -> bool:
        row = insert(MEMBERSHIPS).values(
            tenant_id=space.tenant_id,
            space_id=space.space_id,
            member_id=member_id,
            role=role,
            joined_at=unit.now,
        )
        return bool((await connection(unit).execute(row.on_conflict_do_nothing())).rowcount)

    async def remove(self, unit: Unit, space: Space, member_id: MemberId) -> bool:
        condition = (
            (MEMBERSHIPS.c.tenant_id == space.tenant_id)
            & (MEMBERSHIPS.c.space_id == space.space_id)
            & (MEMBERSHIPS.c.member_id == member_id)
        )
        return bool(
            (await connection(unit).execute(sa.delete(MEMBERSHIPS).where(condition))).rowcount
        )

    async def find(
        self, unit: Unit, tenant: TenantId, space_ids: Sequence[SpaceId], member_id: MemberId
    ) -> dict[SpaceId, Membership]:
        condition = (
            (MEMBERSHIPS.c.tenant_id == tenant)
            & (MEMBERSHIPS.c.member_id == member_id)
            & MEMBERSHIPS.c.space_id.in_(space_ids)
        )
        query = sa.select(MEMBERSHIPS.c.space_id, MEMBERSHIPS.c.role).where(condition)
        return {row.space_id: Membership(row.role) for row in await connection(unit).execute(query)}


class SqlStructureTree:
    """See `ports.StructureTree`."""

    async def ancestors(
        self, unit: Unit, tenant: TenantId, structure_id: StructureId
    ) -> tuple[StructureId, ...]:
        return await find_ancestors(unit, tenant, structure_id)

    async def time_zone(self, unit: Unit, tenant: TenantId, structure_id: StructureId) -> str:
        return await find_time_zone(unit, tenant, structure_id) or "UTC"


def _to_space(row: sa.RowMapping | asyncpg.Record) -> Space:
    return Space(
        tenant_id=row["tenant_id"],
        space_id=row["space_id"],
        name=row["name"],
        visibility=Visibility(row["visibility"]),
        joining=Joining(row["joining"]),
        structure_id=row["structure_id"],
        path=tuple(row["path"]),
        time_zone=row["time_zone"],
        opened_at=row["opened_at"],
        opened_by=row["opened_by"],
    )
