"""Password hashes in PostgreSQL."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from services.identity.sessions.domain import Credential
from services.identity.sessions.tables import CREDENTIALS
from shared.contracts.ids import MemberId, TenantId
from shared.kit.core.suspension import suspension_at
from shared.kit.core.unit_of_work import Unit
from shared.kit.database.database import connection
from shared.kit.text.characters import mail_address_key

_FIND = """
    SELECT c.tenant_id, c.member_id, c.password_hash,
           m.suspended, m.suspended_until, m.suspended_because
    FROM credentials c
    JOIN members m ON m.tenant_id = c.tenant_id AND m.member_id = c.member_id
    WHERE c.tenant_id = :tenant AND
"""
_BY_EMAIL = sa.text(f"{_FIND} m.email_key = :email")
_BY_MEMBER = sa.text(f"{_FIND} m.member_id = :member")
_LOCK_BY_MEMBER = sa.text(f"{_FIND} m.member_id = :member FOR SHARE OF c, m")


class SqlCredentials:
    """See `ports.Credentials`."""

    async def find_by_email(self, unit: Unit, tenant: TenantId, email: str) -> Credential | None:
        return await self._find(unit, _BY_EMAIL, tenant=tenant, email=mail_address_key(email))

    async def find_by_member(
        self, unit: Unit, tenant: TenantId, member_id: MemberId
    ) -> Credential | None:
        return await self._find(unit, _BY_MEMBER, tenant=tenant, member=member_id)

    async def lock_if_current(self, unit: Unit, credential: Credential) -> bool:
        tenant, member = credential.tenant_id, credential.member_id
        return credential == await self._find(unit, _LOCK_BY_MEMBER, tenant=tenant, member=member)

    async def set_password(
        self, unit: Unit, tenant: TenantId, member_id: MemberId, password_hash: str
    ) -> None:
        row = insert(CREDENTIALS).values(
            tenant_id=tenant, member_id=member_id, password_hash=password_hash
        )
        keys, change = ["tenant_id", "member_id"], {"password_hash": password_hash}
        await connection(unit).execute(row.on_conflict_do_update(index_elements=keys, set_=change))

    async def replace_hash(self, unit: Unit, credential: Credential, password_hash: str) -> bool:
        chosen = (
            (CREDENTIALS.c.tenant_id == credential.tenant_id)
            & (CREDENTIALS.c.member_id == credential.member_id)
            & (CREDENTIALS.c.password_hash == credential.password_hash)
        )
        change = sa.update(CREDENTIALS).where(chosen).values(password_hash=password_hash)
        return bool((await connection(unit).execute(change)).rowcount)

    async def _find(
        self, unit: Unit, statement: sa.TextClause, **values: object
    ) -> Credential | None:
        row = (await connection(unit).execute(statement, values)).first()
        if row is None:
            return None
        suspension = suspension_at(
            unit.now,
            suspended=row.suspended,
            until=row.suspended_until,
            reason=row.suspended_because,
        )
        return Credential(row.tenant_id, row.member_id, row.password_hash, suspension)
