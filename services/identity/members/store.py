"""Members in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import asdict

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.identity.members.domain import HeldRole, Member
from services.identity.members.tables import MEMBERS
from shared.contracts.identity import MemberKind, Role
from shared.contracts.ids import MemberId, TenantId
from shared.kit.core.policy import Suspension
from shared.kit.core.unit_of_work import Unit
from shared.kit.database.database import connection
from shared.kit.text.characters import mail_address_key

_INSERT_NEW = insert(MEMBERS).on_conflict_do_nothing().returning(MEMBERS.c.member_id)

_ROLES_OF = sa.text("""
    SELECT r.role, s.path || s.structure_id AS line, r.until
    FROM roles r JOIN structures s USING (tenant_id, structure_id)
    WHERE r.tenant_id = :tenant AND r.member_id = :member
      AND (r.until IS NULL OR r.until > :now)
""")
_ROOT_ADMINISTRATORS = """
    FROM roles r
    JOIN structures s USING (tenant_id, structure_id)
    JOIN members m USING (tenant_id, member_id)
    WHERE r.tenant_id = :tenant AND r.role = 'administrator' AND r.until IS NULL
      AND s.parent_id IS NULL
"""
_LOCK_ADMINISTRATORS = sa.text(
    f"SELECT r.member_id {_ROOT_ADMINISTRATORS} ORDER BY 1 FOR UPDATE OF r"
)
# Separate from the locking statement, so that its snapshot includes what the other one committed.
_HAS_OTHER_ADMINISTRATOR = sa.text(f"""
    SELECT EXISTS (SELECT 1 {_ROOT_ADMINISTRATORS} AND r.member_id <> :member
                   AND NOT (m.suspended
                            AND (m.suspended_until IS NULL OR m.suspended_until > :now)))
""")


class SqlMembers:
    """See `ports.Members`."""

    async def add(self, unit: Unit, members: Sequence[Member]) -> set[MemberId]:
        if not members:
            return set()
        rows = [_row(member) for member in members]
        result = await connection(unit).execute(_INSERT_NEW, rows)
        return set(result.scalars())

    async def find(
        self, unit: Unit, tenant: TenantId, member_id: MemberId, *, lock: bool = False
    ) -> Member | None:
        condition = (MEMBERS.c.tenant_id == tenant) & (MEMBERS.c.member_id == member_id)
        query = sa.select(MEMBERS).where(condition)
        result = await connection(unit).execute(query.with_for_update() if lock else query)
        row = result.mappings().first()
        return _member(row) if row else None

    async def set_suspension(
        self, unit: Unit, member: Member, suspension: Suspension | None
    ) -> None:
        condition = (MEMBERS.c.tenant_id == member.tenant_id) & (
            MEMBERS.c.member_id == member.member_id
        )
        change = sa.update(MEMBERS).where(condition)
        values = change.values(
            suspended=suspension is not None,
            suspended_until=suspension.until if suspension else None,
            suspended_because=suspension.reason if suspension else None,
        )
        await connection(unit).execute(values)

    async def roles_of(
        self, unit: Unit, tenant: TenantId, member_id: MemberId
    ) -> Sequence[HeldRole]:
        values = {"tenant": tenant, "member": member_id, "now": unit.now}
        rows = await connection(unit).execute(_ROLES_OF, values)
        return [HeldRole(Role(row.role), tuple(row.line), row.until) for row in rows]

    async def has_other_administrator(
        self, unit: Unit, tenant: TenantId, member_id: MemberId
    ) -> bool:
        await connection(unit).execute(_LOCK_ADMINISTRATORS, {"tenant": tenant})
        values = {"tenant": tenant, "member": member_id, "now": unit.now}
        return bool(await connection(unit).scalar(_HAS_OTHER_ADMINISTRATOR, values))


def _row(member: Member) -> dict[str, object]:
    key = mail_address_key(member.email) if member.email else None
    return asdict(member) | {"kind": member.kind.value, "email_key": key}


def _member(row: sa.RowMapping) -> Member:
    values = {name: value for name, value in row.items() if name != "email_key"}
    return Member(**{**values, "kind": MemberKind(row["kind"])})
