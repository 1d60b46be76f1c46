"""Suspension and personal words of a member, from identity's own tables."""

from collections.abc import Sequence

import sqlalchemy as sa

from shared.contracts.ids import MemberId, TenantId
from shared.kit.core.policy import Suspension
from shared.kit.core.suspension import suspension_at
from shared.kit.core.unit_of_work import Unit
from shared.kit.database.database import connection

_LOCK_SUSPENSION = sa.text("""
    SELECT suspended, suspended_until, suspended_because FROM members
    WHERE tenant_id = :tenant AND member_id = :member FOR SHARE
""")
_WORDS = sa.text("""
    SELECT m.display_name, m.handle, m.email, t.name, t.slug
    FROM members m JOIN tenants t ON t.tenant_id = m.tenant_id
    WHERE m.tenant_id = :tenant AND m.member_id = :member
""")


class SqlMemberLookup:
    """See `ports.MemberLookup`."""

    async def suspension_of(
        self, unit: Unit, tenant: TenantId, member_id: MemberId
    ) -> Suspension | None:
        values = {"tenant": tenant, "member": member_id}
        row = (await connection(unit).execute(_LOCK_SUSPENSION, values)).first()
        if row is None:
            return None
        return suspension_at(
            unit.now,
            suspended=row.suspended,
            until=row.suspended_until,
            reason=row.suspended_because,
        )

    async def personal_words(
        self, unit: Unit, tenant: TenantId, member_id: MemberId
    ) -> Sequence[str]:
        values = {"tenant": tenant, "member": member_id}
        row = (await connection(unit).execute(_WORDS, values)).first()
        return [value for value in row or () if value]
