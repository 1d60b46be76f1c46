"""Roles in PostgreSQL, and the rights of actors from identity's own tables."""

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.identity.roles.tables import ROLES
from shared.contracts.identity import MemberKind, Role
from shared.contracts.ids import MemberId, StructureId, TenantId
from shared.kit.core.policy import Actor, Grant
from shared.kit.core.suspension import parse_session_id, session_error, suspension_at
from shared.kit.core.unit_of_work import Clock, Unit
from shared.kit.database.database import Database, connection

_ACTOR = sa.text("""
    SELECT m.kind, m.minor, m.structure_id, m.suspended, m.suspended_until,
           m.suspended_because, r.role, r.structure_id AS role_structure, r.until,
           EXISTS (SELECT 1 FROM sessions s WHERE s.tenant_id = m.tenant_id
                   AND s.session_id = :session AND s.ended_because IS NOT NULL) AS ended
    FROM members m
    LEFT JOIN roles r ON r.tenant_id = m.tenant_id AND r.member_id = m.member_id
    WHERE m.tenant_id = :tenant AND m.member_id = :member
    ORDER BY r.role, r.structure_id
""")


class SqlRoles:
    """See `ports.Roles`."""

    async def grant(
        self,
        unit: Unit,
        tenant: TenantId,
        member_id: MemberId,
        role: Role,
        structure_id: StructureId,
        until: datetime | None = None,
    ) -> None:
        row = insert(ROLES).values(
            tenant_id=tenant,
            member_id=member_id,
            role=role.value,
            structure_id=structure_id,
            until=until,
        )
        keys = ["tenant_id", "member_id", "role", "structure_id"]
        await connection(unit).execute(
            row.on_conflict_do_update(index_elements=keys, set_={"until": until})
        )

    async def find(
        self, unit: Unit, tenant: TenantId, member_id: MemberId, role: Role, where: StructureId
    ) -> Grant | None:
        condition = _matches_grant(tenant, member_id, role, where)
        query = sa.select(ROLES.c.until).where(condition)
        row = (await connection(unit).execute(query)).first()
        return None if row is None else Grant(role, where, row.until)

    async def revoke(
        self, unit: Unit, tenant: TenantId, member_id: MemberId, role: Role, where: StructureId
    ) -> bool:
        condition = _matches_grant(tenant, member_id, role, where)
        result = await connection(unit).execute(sa.delete(ROLES).where(condition))
        return bool(result.rowcount)


def _matches_grant(
    tenant: TenantId, member_id: MemberId, role: Role, where: StructureId
) -> sa.ColumnElement[bool]:
    return (
        (ROLES.c.tenant_id == tenant)
        & (ROLES.c.member_id == member_id)
        & (ROLES.c.role == role.value)
        & (ROLES.c.structure_id == where)
    )


@dataclass(frozen=True)
class IdentityRights:
    """The rights of actors from identity's own tables; other services keep a copy."""

    database: Database
    clock: Clock

    async def find_actor(
        self, tenant: TenantId, member_id: MemberId, session: str | None = None
    ) -> Actor | None:
        """See `SqlRights.find_actor`."""
        values = {"tenant": tenant, "member": member_id, "session": parse_session_id(session)}
        rows = await self.database.execute_once(_ACTOR, [tenant], **values)
        if not rows:
            return None
        first, now = rows[0], self.clock()
        suspension = suspension_at(
            now,
            suspended=first.suspended,
            until=first.suspended_until,
            reason=first.suspended_because,
        )
        if first.ended:
            raise session_error(suspension)
        grants = tuple(
            Grant(Role(row.role), row.role_structure, row.until)
            for row in rows
            if row.role and (row.until is None or row.until > now)
        )
        kind = MemberKind(first.kind)
        return Actor(tenant, member_id, first.structure_id, kind, first.minor, grants, suspension)
