"""Reading the copy: who is asking, and what they hold now."""

from dataclasses import dataclass

import sqlalchemy as sa

from shared.contracts.identity import MemberKind, Role
from shared.contracts.ids import MemberId, StructureId, TenantId
from shared.kit.database import Database, connection
from shared.kit.errors import Forbidden
from shared.kit.light import Light
from shared.kit.policy import Actor, Grant
from shared.kit.sets import Question
from shared.kit.unit import Clock, Unit

_WHO = Question(
    """
    SELECT m.tenant_id, m.kind, m.minor, m.structure_id, m.suspended, m.suspended_until,
           r.role, r.structure_id AS role_structure, r.until
    FROM rights_members m
    LEFT JOIN rights_roles r ON r.tenant_id = m.tenant_id AND r.member_id = m.member_id
    WHERE m.tenant_id = asked.tenant_id AND m.member_id = asked.member_id AND m.known
    ORDER BY r.role, r.structure_id
    """,
    member_id="uuid",
)
_PATH = sa.text("""
    SELECT path FROM rights_structures WHERE tenant_id = :tenant AND structure_id = :structure
""")

_ZONE = sa.text("""
    SELECT time_zone FROM rights_structures WHERE tenant_id = :tenant AND structure_id = :structure
""")


class MemberSuspended(Forbidden):
    """The member may not act at present."""

    key = "member_suspended"


@dataclass(frozen=True)
class SqlRights:
    """Answers the web frame: who is asking."""

    database: Database
    clock: Clock

    async def actor(self, tenant: TenantId, member_id: MemberId) -> Actor | None:
        """Say who this is; None when no fact of theirs has arrived yet.

        Raises `MemberSuspended`.
        """
        rows = await Light.of(self.database).ask(_WHO, tenant, {"member_id": member_id})
        if not rows:
            return None
        first, now = rows[0], self.clock()
        until = first["suspended_until"]
        if first["suspended"] and (until is None or until > now):
            raise MemberSuspended(rule="member.suspended")
        return Actor(
            tenant=tenant,
            member_id=member_id,
            structure_id=first["structure_id"],
            kind=MemberKind(first["kind"]),
            minor=first["minor"],
            grants=tuple(
                Grant(Role(row["role"]), row["role_structure"], row["until"])
                for row in rows
                if row["role"] and (row["until"] is None or row["until"] > now)
            ),
        )


async def ancestors(
    unit: Unit, tenant: TenantId, structure: StructureId
) -> tuple[StructureId, ...]:
    """Give a structure's ancestors, root first; nothing when it is not yet known."""
    found = await connection(unit).execute(_PATH, {"tenant": tenant, "structure": structure})
    path = found.scalar()
    return tuple(path) if path else ()


async def time_zone(unit: Unit, tenant: TenantId, structure: StructureId) -> str | None:
    """Give a structure's time zone; None when it is not yet known."""
    found = await connection(unit).execute(_ZONE, {"tenant": tenant, "structure": structure})
    zone: str | None = found.scalar()
    return zone
