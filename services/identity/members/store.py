"""The members in PostgreSQL."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.identity.members.domain import Member
from services.identity.members.tables import MEMBERS
from shared.contracts.identity import MemberKind
from shared.contracts.ids import MemberId, TenantId
from shared.kit.database import connection
from shared.kit.unit import Unit


class SqlMemberships:
    """See `ports.Memberships`."""

    async def add(self, unit: Unit, members: Sequence[Member]) -> set[MemberId]:
        """Add those that are new."""
        if not members:
            return set()
        rows = [asdict(member) | {"kind": member.kind.value} for member in members]
        statement = insert(MEMBERS).values(rows).on_conflict_do_nothing()
        done = await connection(unit).execute(statement.returning(MEMBERS.c.member_id))
        return set(done.scalars())

    async def find(self, unit: Unit, tenant: TenantId, member_id: MemberId) -> Member | None:
        """Find one."""
        chosen = (MEMBERS.c.tenant_id == tenant) & (MEMBERS.c.member_id == member_id)
        found = await connection(unit).execute(sa.select(MEMBERS).where(chosen))
        row = found.mappings().first()
        return Member(**{**row, "kind": MemberKind(row["kind"])}) if row else None

    async def set_standing(
        self, unit: Unit, member: Member, *, suspended: bool, until: datetime | None = None
    ) -> None:
        """Suspend or reinstate one."""
        chosen = (MEMBERS.c.tenant_id == member.tenant_id) & (
            MEMBERS.c.member_id == member.member_id
        )
        change = sa.update(MEMBERS).where(chosen)
        await connection(unit).execute(change.values(suspended=suspended, suspended_until=until))
