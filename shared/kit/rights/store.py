"""Queries on the copy of rights: a member's rights, and a structure's ancestors and time zone."""

from dataclasses import dataclass

import sqlalchemy as sa

from shared.contracts.identity import MemberKind, Role
from shared.contracts.ids import MemberId, StructureId, TenantId
from shared.kit.core.policy import Actor, Grant
from shared.kit.core.suspension import parse_session_id, session_error, suspension_at
from shared.kit.core.unit_of_work import Clock, Unit
from shared.kit.database.batched.statements import BatchQuery
from shared.kit.database.batched.unit import BatchedDatabase
from shared.kit.database.database import connection

_FIND_ACTOR = BatchQuery(
    """
    SELECT m.tenant_id, m.kind, m.minor, m.structure_id, m.suspended, m.suspended_until,
           m.suspended_because, r.role, r.structure_id AS role_structure, r.until,
           EXISTS (SELECT 1 FROM rights_ended_sessions e
                   WHERE e.tenant_id = m.tenant_id AND e.session_id = asked.session_id) AS ended
    FROM rights_members m
    LEFT JOIN rights_roles r ON r.tenant_id = m.tenant_id AND r.member_id = m.member_id
    WHERE m.tenant_id = asked.tenant_id AND m.member_id = asked.member_id AND m.known
    ORDER BY r.role, r.structure_id
    """,
    member_id="uuid",
    session_id="uuid",
)
_PATH = sa.text("""
    SELECT path FROM rights_structures WHERE tenant_id = :tenant AND structure_id = :structure
""")

_ZONE = sa.text("""
    SELECT time_zone FROM rights_structures WHERE tenant_id = :tenant AND structure_id = :structure
""")


@dataclass(frozen=True)
class SqlRights:
    """See `web.context.RightsReader`; concurrent requests share one query."""

    batched: BatchedDatabase
    clock: Clock

    async def find_actor(
        self, tenant: TenantId, member_id: MemberId, session: str | None = None
    ) -> Actor | None:
        """See `web.context.RightsReader.find_actor`."""
        values = {"member_id": member_id, "session_id": parse_session_id(session)}
        rows = await self.batched.load(_FIND_ACTOR, tenant, values)
        if not rows:
            return None
        first, now = rows[0], self.clock()
        suspension = suspension_at(
            now,
            suspended=first["suspended"],
            until=first["suspended_until"],
            reason=first["suspended_because"],
        )
        if first["ended"]:
            raise session_error(suspension)
        return Actor(
            tenant=tenant,
            member_id=member_id,
            structure_id=first["structure_id"],
            kind=MemberKind(first["kind"]),
            minor=first["minor"],
            suspension=suspension,
            grants=tuple(
                Grant(Role(row["role"]), row["role_structure"], row["until"])
                for row in rows
                if row["role"] and (row["until"] is None or row["until"] > now)
            ),
        )


async def find_ancestors(
    unit: Unit, tenant: TenantId, structure: StructureId
) -> tuple[StructureId, ...]:
    """Return a structure's ancestors, root first; empty before its event arrived."""
    result = await connection(unit).execute(_PATH, {"tenant": tenant, "structure": structure})
    path = result.scalar()
    return tuple(path) if path else ()


async def find_time_zone(unit: Unit, tenant: TenantId, structure: StructureId) -> str | None:
    """Return a structure's time zone; None before its event arrived."""
    result = await connection(unit).execute(_ZONE, {"tenant": tenant, "structure": structure})
    name: str | None = result.scalar()
    return name
