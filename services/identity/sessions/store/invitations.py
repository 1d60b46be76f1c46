"""Invitations in PostgreSQL: a counter per member, and the state of the latest invitation."""

import sqlalchemy as sa

from services.identity.sessions.domain import InvitationUsed, InvitationVoid
from shared.contracts.ids import MemberId, TenantId
from shared.kit.core.unit_of_work import Unit
from shared.kit.database.database import connection

_ISSUE = sa.text("""
    INSERT INTO invitations AS i (tenant_id, member_id, number, state)
    VALUES (:tenant, :member, 1, 'open')
    ON CONFLICT (tenant_id, member_id) DO UPDATE SET number = i.number + 1, state = 'open'
    RETURNING number
""")
_FIND = sa.text("""
    SELECT number, state FROM invitations
    WHERE tenant_id = :tenant AND member_id = :member FOR UPDATE
""")
_CHANGE = sa.text("""
    UPDATE invitations SET state = :state
    WHERE tenant_id = :tenant AND member_id = :member AND state = 'open'
""")


class SqlInvitations:
    """See `ports.Invitations`."""

    async def issue(self, unit: Unit, tenant: TenantId, member_id: MemberId) -> int:
        values = {"tenant": tenant, "member": member_id}
        number: int = (await connection(unit).execute(_ISSUE, values)).scalar_one()
        return number

    async def check(self, unit: Unit, tenant: TenantId, member_id: MemberId, number: int) -> None:
        values = {"tenant": tenant, "member": member_id}
        row = (await connection(unit).execute(_FIND, values)).first()
        if row is None or row.number != number or row.state == "withdrawn":
            raise InvitationVoid
        if row.state != "open":
            raise InvitationUsed

    async def accept(self, unit: Unit, tenant: TenantId, member_id: MemberId) -> None:
        await self._change(unit, tenant, member_id, "accepted")

    async def withdraw(self, unit: Unit, tenant: TenantId, member_id: MemberId) -> bool:
        return await self._change(unit, tenant, member_id, "withdrawn")

    async def _change(self, unit: Unit, tenant: TenantId, member_id: MemberId, state: str) -> bool:
        values = {"tenant": tenant, "member": member_id, "state": state}
        return bool((await connection(unit).execute(_CHANGE, values)).rowcount)
